"""Of a URL only what is somebody's is masked: tokens, ids, people, addresses."""

import pytest

from llmops_assets.lib.redaction import Redactor


@pytest.fixture(scope="module")
def redactor() -> Redactor:
    return Redactor(names=False)


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("https://lamps.example/reset?token=a8f3kd92ms", "https://lamps.example/reset?token=<SECRET_1>"),
        ("https://lamps.example/o?id=482137&tab=2", "https://lamps.example/o?id=<ID_NUMBER_1>&tab=2"),
        ("http://lampfan:tulip7@nas.example/x", "http://<SECRET_1>/x"),
        ("https://lamps.example/u/tavrik.osmelin/edit", "https://lamps.example/u/<USERNAME_1>/edit"),
        ("linkedin.com/in/tavrik-osmelin", "linkedin.com/in/<USERNAME_1>"),
        ("instagram.com/tavrikosmelin.", "instagram.com/<USERNAME_1>."),
        ("https://lamps.example/f?who=tavrik%40post.example", "https://lamps.example/f?who=<EMAIL_1>"),
        ("https://lamps.example/d/a8F3kd92Ms7q1Zx4/file", "https://lamps.example/d/<SECRET_1>/file"),
        ("see (https://lamps.example/r?sig=a8f3kd92ms).", "see (https://lamps.example/r?sig=<SECRET_1>)."),
    ],
)
def test_the_personal_part_of_a_url_is_masked(redactor, text, redacted):
    assert redactor.redact([text]) == [redacted]


@pytest.mark.parametrize(
    "text",
    [
        "https://lamps.example/help/returns-and-refunds",
        "www.lamps.example/lamps/halo?colour=white&size=2",
        "https://lamps.example/users/settings",
        "https://lamps.example/search?q=desk+lamp&page=3",
        "https://github.com/about and facebook.com/help",
        "https://lamps.example/news/2026/03/a-brighter-spring",
    ],
)
def test_a_page_that_is_everybodys_stays(redactor, text):
    assert redactor.redact([text]) == [text]
