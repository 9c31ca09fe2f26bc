"""A language model behind an endpoint as a further reader of names, over real HTTP."""

import json
from collections.abc import Iterator

import pytest

from llmops_assets.lib.redaction import Redactor
from llmops_assets.lib.redaction.readers import ATTEMPTS, LONGEST, PromptedReader, ReadingError
from resources.chat_endpoint import ChatEndpoint, ChatError
from tests.chat_server import ChatServer

OVERLOOKED = "het pakje ligt bij quillon vorb, niet bij mij"
"""A text whose name no rule, list or pipeline knows."""


@pytest.fixture
def server() -> Iterator[ChatServer]:
    server = ChatServer(lambda text, _: json.dumps([name for name in ("quillon vorb", "Zed") if name in text]))
    yield server
    server.close()


def reader(server: ChatServer, model: str = "names-1") -> PromptedReader:
    return PromptedReader(ChatEndpoint(server.address, model, timeout_seconds=5).ask, model)


def test_what_the_model_names_is_redacted_beside_what_is_found_without_it(server: ChatServer) -> None:
    alone, helped = Redactor(), Redactor(reader=reader(server))
    text = f"{OVERLOOKED}, my mail is tess@mail.example"
    assert "quillon" in alone.redact([text])[0]
    assert helped.redact([text]) == ["het pakje ligt bij <PERSON_1>, niet bij mij, my mail is <EMAIL_1>"]


def test_a_model_that_overlooks_a_name_takes_none_away(server: ChatServer) -> None:
    server.reply = lambda text, _: "[]"
    assert Redactor(reader=reader(server)).redact(["my name is Harriet Ashdown"]) == ["my name is <PERSON_1>"]
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "reply",
    [
        '["quillon vorb"]',
        'Here you are: ["Quillon Vorb"]\n',
        '```json\n[{"text": "quillon vorb", "label": "person", "score": 0.9}]\n```',
        '{"entities": [{"text": "quillon vorb"}]}',
        '["quillon vorb", "Somebody Else", 7, null, ""]',
    ],
)
def test_a_reply_is_read_in_the_forms_that_models_give_it(server: ChatServer, reply: str) -> None:
    server.reply = lambda text, _: reply
    start = OVERLOOKED.index("quillon")
    assert reader(server).people([OVERLOOKED]) == [[(start, start + len("quillon vorb"))]]


def test_a_name_counts_where_it_is_a_whole_word_and_everywhere(server: ChatServer) -> None:
    assert reader(server).people(["Zed asked for Zed, not for Zedd"]) == [[(0, 3), (14, 17)]]


@pytest.mark.parametrize("reply", ["I cannot help with that.", "[quillon", "{}", '"quillon vorb"'])
def test_a_model_that_never_gives_a_list_stops_the_text_without_telling_of_it(server: ChatServer, reply: str) -> None:
    server.reply = lambda text, _: reply
    with pytest.raises(ReadingError, match="redaction_endpoint") as caught:
        Redactor(reader=reader(server)).redact([OVERLOOKED])
    assert "quillon" not in str(caught.value)
    assert len(server.requests) == ATTEMPTS


def test_a_reply_without_a_list_is_asked_for_again(server: ChatServer) -> None:
    server.reply = lambda text, number: "Sure!" if number == 1 else '["quillon vorb"]'
    assert reader(server).people([OVERLOOKED]) != [[]]


def test_an_endpoint_that_fails_stops_the_text(server: ChatServer) -> None:
    server.status = 503
    with pytest.raises(ChatError, match="503"):
        Redactor(reader=reader(server)).redact([OVERLOOKED])


def test_a_long_text_is_read_in_parts_cut_between_words(server: ChatServer) -> None:
    text = "lamp " * (LONGEST // 5 - 1) + OVERLOOKED + " lamp" * LONGEST
    (found,) = reader(server).people([text])
    assert [text[start:end] for start, end in found] == ["quillon vorb"]
    parts = [request["messages"][-1]["content"] for request in server.requests]
    assert max(map(len, parts)) <= LONGEST
    assert sorted("".join(sorted(parts))) == sorted(text)


@pytest.mark.parametrize("told", ["the", "lamp 3", "please send it back to us today again"])
def test_usual_words_numbers_and_sentences_are_no_names_whatever_the_model_says(server: ChatServer, told: str) -> None:
    server.reply = lambda text, _: json.dumps([told])
    text = "Maybe the lamp 3: please send it back to us today again, Harriet"
    redacted = Redactor(reader=reader(server)).redact([text])[0]
    assert told in redacted


def test_the_company_s_own_words_stay(server: ChatServer) -> None:
    assert Redactor(allow=["Zed"], reader=reader(server)).redact(["the new Zed is dim"]) == ["the new Zed is dim"]


def test_another_model_is_another_redactor(server: ChatServer) -> None:
    digests = {Redactor(key=b"k").digest, *(Redactor(key=b"k", reader=reader(server, m)).digest for m in ("a", "b"))}
    assert len(digests) == 3


@pytest.mark.slow
def test_workers_read_with_it_too(server: ChatServer) -> None:
    found = list(Redactor(reader=reader(server)).redact_many([[OVERLOOKED]] * 3, batch=1, processes=2))
    assert [one.texts[0] for one in found] == ["het pakje ligt bij <PERSON_1>, niet bij mij"] * 3
