"""The gateway's pages: what is served, and a chat; nothing from elsewhere, nothing that was asked."""

import re

import pytest
import requests
from gateway_support import GENERATED, KNOWN, post, user


def page(gateway, path):
    response = requests.get(gateway.address + path, timeout=20)
    assert response.status_code == 200
    return response


@pytest.mark.parametrize("path", ["/", "/chat", "/chat.js", "/chat.css"])
def test_a_page_loads_and_reaches_nothing_but_its_gateway(one, path):
    response = page(one, path)
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script-src 'self';" in policy
    assert response.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"https?://|//cdn|@import|\sstyle=|\son\w+=", response.text)


def test_the_state_page_shows_what_is_served_and_nothing_that_was_asked(one):
    canary = one.files.bundle(one.root, "two").release_id
    one.serve(2, live=one.one, canary=canary, canary_share=0.25)
    for question in (KNOWN, GENERATED, "zzz", "thanks"):
        post(one, messages=user(question), metadata={"conversation": "c"})
    interaction = post(one, messages=user(KNOWN)).json()["llmops"]["interaction"]
    post(one, "/v1/feedback", interaction=interaction, rating=-1)
    shown = page(one, "/").text
    for told in (one.one, canary, "25%", "75%", "matched", "generated", "handover", "small_talk", "retrieve"):
        assert told in shown, told
    assert re.search(r"<td[^>]*>-1</td><td[^>]*>1</td>", shown)
    assert re.search(r"\d+ ms|\d+ s", shown)
    assert not any(word in shown for word in ("delivery", "zzz", interaction))


def test_the_state_page_says_why_a_change_was_not_taken(one):
    one.serve(2, live="r-000000000000")
    assert "The last change was not taken" in page(one, "/").text


def test_the_state_page_stands_before_anything_was_asked_or_served(gateway):
    assert "Releases" in page(gateway, "/").text


def test_every_part_that_the_chat_uses_is_on_its_page(one):
    script, markup = page(one, "/chat.js").text, page(one, "/chat").text
    names = set(re.findall(r'\bat\("([\w-]+)"\)', script))
    assert names
    for name in names:
        assert f'id="{name}"' in markup, name
    for name in set(re.findall(r'querySelector\("\.([\w-]+)"\)', script)):
        assert re.search(rf'class="[^"]*\b{name}\b', markup), name
    assert all(f"v1/{path}" in script for path in ("chat/completions", "feedback"))


def test_every_field_of_the_chat_has_a_label(one):
    markup = page(one, "/chat").text
    for field in re.findall(r"<(?:textarea|input|select)[^>]*>", markup):
        name = re.search(r'id="([\w-]+)"', field)
        labelled = name and f'for="{name[1]}"' in markup
        assert labelled or re.search(rf"<label[^>]*>[^<]*\s*{re.escape(field)}", markup), field
