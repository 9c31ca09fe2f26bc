"""Conversations: what was said before counts, small talk is answered, and what is a person's goes to one."""

import pytest
from gateway_support import GENERATED, HANDOVER, KNOWN, post, said, streamed, user
from support import WordEmbedder, article

from llmops_assets.lib.answering.acts import Acts
from llmops_assets.lib.answering.wordings import BUILT_IN
from llmops_assets.lib.records import GenerationSettings, RouterPolicy

EN = BUILT_IN["en"]
RETURNS = "Returns are free within 30 days."


def talk(*turns):
    """Messages of a conversation, the customer first."""
    return [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(turns)]


@pytest.fixture(scope="module")
def acts():
    return Acts.fit(WordEmbedder(), ["how long does delivery take", "how can i return a lamp"])


@pytest.fixture
def release(gateway):
    """Serve a release with the given parts."""

    def serve(**parts):
        gateway.serve(1, live=gateway.files.bundle(gateway.root, "one", **parts).release_id)
        return gateway

    return serve


def about(gateway, *turns, **body):
    answer = post(gateway, messages=talk(*turns), **body)
    assert answer.status_code == 200, answer.text
    return answer.json()["llmops"]


# -- what was said before -------------------------------------------------------------------------------------------


def test_a_follow_up_is_read_with_the_turns_before_it(release):
    one = release(router=RouterPolicy(answer_above=0.4, hand_over_below=0.2, margin=0.05))
    alone = about(one, "and how?")
    after = about(one, "can i return it", "Yes, return a lamp.", "and how?")
    assert alone["article"] is None
    assert (after["path"], after["article"], after["ignored"]) == ("matched", "returns", [])
    assert [row["turn"] for row in one.rows()] == [0, 1]


def test_the_engine_reads_the_turns_before_a_follow_up(one):
    post(one, messages=talk(KNOWN, "Delivery takes 3 to 5 days.", "and what of my lamp there?"))
    (prompt,) = one.engines[0].asked
    assert f"user\n{KNOWN}<|im_end|>\n<|im_start|>assistant\nDelivery takes 3 to 5 days." in prompt


def test_of_a_long_conversation_the_newest_turns_are_read(release):
    gateway = release(generation=GenerationSettings(max_tokens=96, history_tokens=60))
    turns = [text for n in range(6) for text in (f"question {n} about the lamp", f"answer {n} about the lamp")]
    post(gateway, messages=talk(*turns, f"and {GENERATED}"))
    (prompt,) = gateway.engines[0].asked
    assert "answer 5" in prompt
    assert "question 0" not in prompt
    positions = [prompt.find(text) for text in turns]
    kept = [position for position in positions if position >= 0]
    assert kept == positions[-len(kept) :] == sorted(kept)


def test_no_history_is_read_where_the_release_allows_it_no_token(release):
    gateway = release(generation=GenerationSettings(max_tokens=96, history_tokens=0))
    post(gateway, messages=talk("my lamp", "Mauve.", "and what of my lamp there?"))
    assert "Mauve" not in gateway.engines[0].asked[0]


def test_a_conversation_is_redacted_as_one_thing(one):
    body = post(one, messages=talk("i am at kim@mail.example", "Thanks.", f"kim@mail.example {GENERATED}")).json()
    assert "kim" not in one.engines[0].asked[0]
    assert "<EMAIL_1>" in one.engines[0].asked[0]
    assert "kim@" not in str(one.rows()) + str(body)


def test_history_of_more_than_is_read_is_named(one):
    turns = [text for n in range(12) for text in (f"question {n}", f"answer {n}")]
    assert about(one, *turns, KNOWN)["ignored"] == ["messages.history"]
    assert about(one, *turns[:8], KNOWN)["ignored"] == []
    assert [row["turn"] for row in one.rows()] == [12, 4]


@pytest.mark.slow
@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "piece", [" ", "\n", "\t ", ".", "?!", ", ", "and ", "is it 0? ", "ok, ", "hi ", "don't ", "x. "]
)
def test_a_question_of_anything_eight_thousand_times_is_read_soon(one, piece):
    question = ("delivery " + piece * 8000)[:7990] + " a?"
    assert post(one, messages=user(question)).status_code in (200, 400)


# -- what is no question --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind", "language"),
    [
        ("hello", "greeting", "en"),
        ("thanks!", "thanks", "en"),
        ("ok", "nod", "en"),
        ("👍", "nod", "en"),
        ("Danke", "thanks", "de"),
        ("au revoir", "goodbye", "fr"),
    ],
)
@pytest.mark.parametrize("streaming", [False, True])
def test_small_talk_gets_a_kind_word_in_its_language(one, text, kind, language, streaming):
    answer = post(one, messages=user(text), stream=streaming)
    assert (streamed(answer.text).text if streaming else said(answer)) == BUILT_IN[language][kind]
    (row,) = one.rows()
    assert (row["path"], row["article"], row["answer"]) == ("small_talk", None, BUILT_IN[language][kind])
    assert one.engines[0].asked == []


def test_a_use_case_words_it_in_its_own_way(release):
    gateway = release(replies={"en": {"greeting": "Ahoy!"}})
    assert said(post(gateway, messages=user("hi"))) == "Ahoy!"
    assert said(post(gateway, messages=user("bye"))) == EN["goodbye"]


@pytest.mark.slow
def test_who_wants_a_person_or_asks_about_their_own_case_is_handed_over_and_told_why(release, acts):
    gateway = release(acts=acts)
    assert said(post(gateway, messages=user("i want to speak to a human agent please"))) == f"{EN['person']} {HANDOVER}"
    own = "did you receive the payment for my order <ORDER_NUMBER_1> yet"
    assert said(post(gateway, messages=user(own))) == f"{EN['own_case']} {HANDOVER}"
    assert said(post(gateway, messages=user(KNOWN))) == "Delivery takes 3 to 5 days."
    assert [row["path"] for row in gateway.rows()] == ["handover", "handover", "matched"]


def test_another_language_is_handed_over_in_it_and_names_the_article(one):
    body = post(one, messages=user("Wie lange dauert bei euch die delivery denn so")).json()
    assert body["choices"][0]["message"]["content"] == BUILT_IN["de"]["handover"]
    assert (body["llmops"]["language"], body["llmops"]["path"]) == ("de", "handover")
    assert body["llmops"]["citations"][0]["article"] == "delivery"


def test_two_questions_get_both_articles(release):
    articles = (
        article("delivery", "Three days.", "how long does delivery take"),
        article("returns", "Send it back.", "how can i return a lamp"),
    )
    gateway = release(articles=articles)
    body = post(gateway, messages=user("how long does delivery take and how can i return a lamp?")).json()
    assert body["choices"][0]["message"]["content"] == "Three days.\n\nSend it back."
    assert [cited["article"] for cited in body["llmops"]["citations"]] == ["delivery", "returns"]
    # A correction of it would be of neither.
    assert body["llmops"]["article"] is None


def test_who_reads_json_gets_no_small_talk(one):
    one.engines[0].answer = "{}"
    body = post(one, messages=user("hello"), response_format={"type": "json_object"}).json()
    assert body["llmops"]["path"] in ("generated", "handover")


# -- generated answers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made_up", "path"),
    [
        ("Delivery of your lamp takes 3 to 5 days.", "generated"),
        ("A unicorn brings it through purple clouds tomorrow morning.", "handover"),
        ("", "handover"),
    ],
)
def test_an_answer_that_the_articles_do_not_carry_is_not_sent(release, made_up, path):
    gateway = release(router=RouterPolicy(answer_above=0.7, hand_over_below=0.2, passages=2, grounded_above=0.5))
    gateway.engines[0].answer = made_up or " "
    body = post(gateway, messages=user(GENERATED)).json()
    assert body["llmops"]["path"] == path
    assert ("unicorn" in body["choices"][0]["message"]["content"]) is False
    gateway.engines[0].answer = '{"unicorn": true}'
    asked = post(gateway, messages=user(GENERATED), response_format={"type": "json_object"})
    assert said(asked) == '{"unicorn": true}'


def test_where_the_release_does_not_ask_for_it_any_answer_is_sent(one):
    one.engines[0].answer = "A unicorn brings it."
    assert said(post(one, messages=user(GENERATED))) == "A unicorn brings it."


# -- the notice of an AI --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("streaming", [False, True])
def test_the_first_answer_says_that_a_machine_writes_and_the_log_keeps_the_answer_alone(release, streaming):
    gateway = release(ai_notice="first_answer")

    def text(*turns):
        answer = post(gateway, messages=talk(*turns), stream=streaming)
        assert answer.headers["x-ai-generated"] == "true"
        return streamed(answer.text).text if streaming else said(answer)

    assert text(KNOWN) == f"{EN['notice']}\n\nDelivery takes 3 to 5 days."
    assert text(KNOWN, "Delivery takes 3 to 5 days.", "how can i return a lamp") == RETURNS
    assert text("Danke").startswith(BUILT_IN["de"]["notice"])
    assert [row["answer"] for row in gateway.rows()] == [
        "Delivery takes 3 to 5 days.",
        RETURNS,
        BUILT_IN["de"]["thanks"],
    ]


def test_who_asks_whether_a_machine_writes_is_told_once_and_in_their_language(release):
    gateway = release(ai_notice="first_answer")
    assert said(post(gateway, messages=user("are you a bot?"))) == EN["notice"]
    assert said(post(gateway, messages=talk(KNOWN, "So.", "Are you human?"))) == EN["notice"]
    assert said(post(gateway, messages=user("Bist du ein Mensch?"))) == BUILT_IN["de"]["notice"]
    assert [row["answer"] for row in gateway.rows()] == [EN["notice"], EN["notice"], BUILT_IN["de"]["notice"]]


def test_where_the_client_tells_it_the_answer_carries_it_beside(release):
    gateway = release(ai_notice="client")
    first = about(gateway, KNOWN)
    assert (first["ai_generated"], first["notice"], first["noticed"]) == (True, EN["notice"], False)
    assert about(gateway, KNOWN, "So.", "how can i return a lamp")["notice"] is None


def test_a_callers_limits_cut_the_answer_and_not_the_notice(release):
    gateway = release(ai_notice="first_answer")
    told = EN["notice"] + "\n\n"
    assert said(post(gateway, messages=user(KNOWN), stop=["\n"])) == f"{told}Delivery takes 3 to 5 days."
    body = post(gateway, messages=user(KNOWN), max_tokens=4).json()
    assert body["usage"]["completion_tokens"] == 4
    assert body["choices"][0]["finish_reason"] == "length"
    cut = body["choices"][0]["message"]["content"].removeprefix(told)
    assert KNOWN.startswith(cut) or "Delivery takes 3 to 5 days.".startswith(cut)
    assert [row["answer"] for row in gateway.rows()] == ["Delivery takes 3 to 5 days.", cut]


def test_a_release_of_before_that_says_no_language_reads_every_question_as_its_own(release):
    gateway = release(
        language="", articles=(article("offen", "Um neun.", "wann habt ihr denn offen", "öffnungszeiten"),)
    )
    body = post(gateway, messages=user("Wann habt ihr denn offen?")).json()
    assert (body["llmops"]["path"], body["llmops"]["article"]) == ("matched", "offen")


def test_nobody_who_reads_json_or_tests_a_release_is_told(release):
    gateway = release(ai_notice="first_answer")
    gateway.engines[0].answer = "{}"
    assert said(post(gateway, messages=user(GENERATED), response_format={"type": "json_object"})) == "{}"
    gateway.serve(2, live=gateway.releases.state.live, preview=gateway.releases.state.live)
    assert said(post(gateway, messages=user(KNOWN), model="assistant-preview")) == "Delivery takes 3 to 5 days."
