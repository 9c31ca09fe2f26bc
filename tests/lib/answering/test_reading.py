from dataclasses import replace
from typing import ClassVar

import pytest
from support import article

from llmops_assets.lib.answering.acts import Told
from llmops_assets.lib.answering.conversation import Said
from llmops_assets.lib.answering.deciding import courtesy, decide
from llmops_assets.lib.answering.knowledge import KnowledgeIndex
from llmops_assets.lib.answering.reading import BEFORE_WORDS, GIVEN, Turn, follow_up, looser, read
from llmops_assets.lib.answering.wordings import BUILT_IN
from llmops_assets.lib.records import RouterPolicy

ARTICLES = (
    article("sending", "Sending costs 4 euros.", "what does sending cost", "price of sending", intent="delivery"),
    article("abroad", "We send to 9 countries.", "do you send abroad", "countries you send to", intent="delivery"),
    article("opening", "We open at nine.", "when do you open", "opening hours of the shop", intent="shop"),
    article("repair", "Bring it to the shop.", "how do i get a repair", "where is a repair done", intent="shop"),
)
POLICY = RouterPolicy(answer_above=0.5, hand_over_below=0.4, margin=0.06, passages=2)


@pytest.fixture
def index(words):
    return KnowledgeIndex.build(ARTICLES, words)


def said(*turns):
    return [Said(("user", "assistant")[n % 2], text) for n, text in enumerate(turns)]


def answered(index, words, question, *turns):
    history = said(*turns)
    return decide(read(question, history, index, words, POLICY, "en"), history, "en")


def test_a_follow_up_is_about_what_was_asked_before(index, words):
    alone = read("and the price of it?", [], index, words, POLICY, "en")
    after = read(
        "and the price of it?", said("do you send abroad", "We send to 9 countries."), index, words, POLICY, "en"
    )
    assert (alone.leaning, after.leaning) == (False, True)
    assert after.found.hits[0].article == "sending"
    assert after.found.policy.margin < POLICY.margin


def test_an_article_that_leads_clearly_answers_a_follow_up_that_is_like_no_known_question(index, words):
    history = ("what does sending cost", "Sending costs 4 euros.")
    found = follow_up("countries tho", *history, index, words, POLICY)
    assert found.hits[0].article == "abroad"
    assert found.hits[0].similarity < looser(POLICY).answer_above
    assert found.hits[0].similarity - found.hits[1].similarity >= POLICY.margin
    assert found.sure
    close = follow_up("hours tho", *history, index, words, POLICY)
    assert close.hits[0].similarity - close.hits[1].similarity < POLICY.margin
    assert not close.sure


def test_a_question_that_stands_alone_is_not_pulled_back(index, words):
    turn = read(
        "when do you open", said("what does sending cost", "Sending costs 4 euros."), index, words, POLICY, "en"
    )
    assert (turn.found.hits[0].article, turn.leaning) == ("opening", False)


def test_the_article_just_given_is_given_again_only_when_it_is_asked_for(index, words):
    asked, told = "do you send abroad", "We send to 9 countries."

    def first(question):
        return follow_up(question, asked, told, index, words, POLICY).hits[0].article

    assert first("to which countries did you say you send") == "abroad"
    assert first("is there a price of it") == "sending"

    def score(question):
        found = follow_up(question, asked, told, index, words, POLICY).hits
        return next(hit.similarity for hit in found if hit.article == "abroad")

    # Nearly the same words, asked for again or not.
    assert score("countries you send to, once more") - score("countries you send to, often less") > 1.5 * GIVEN


def test_two_questions_get_both_answers(index, words):
    found = answered(index, words, "when do you open and how do i get a repair?")
    assert (found.path, [hit.article for hit in found.cited]) == ("matched", ["opening", "repair"])


def test_a_question_beside_a_without_is_answered_too(index, words):
    found = answered(index, words, "how do i get a repair without a bill? when do you open")
    assert [hit.article for hit in found.cited] == ["repair", "opening"]


def test_a_message_of_many_questions_is_not_looked_up_apart(index, words):
    asked = " ".join(f"when do you open on day {n}?" for n in range(40))
    assert read(asked, [], index, words, POLICY, "en").parts == ()


def test_a_follow_up_is_among_the_words_that_are_embedded_however_long_what_stands_before_it_is(index, words):
    class Listening(type(words)):
        heard: ClassVar[list[str]] = []

        def embed(self, texts):
            self.heard.extend(texts)
            return super().embed(texts)

    embedder, long = Listening(), "opening hours of the shop " * 60
    read("and the price of it?", said(long, long), index, embedder, POLICY, "en")
    behind = [text for text in embedder.heard if text.endswith("and the price of it?")]
    assert len(behind) >= 3
    assert all(len(text.split()) <= BEFORE_WORDS + 5 for text in embedder.heard)


def test_what_shall_not_be_done_is_not_looked_up(index, words):
    found = answered(index, words, "do not send abroad, i want opening hours of the shop")
    assert [hit.article for hit in found.cited] == ["opening"]


def test_another_language_is_handed_over_with_the_article_for_the_colleague(index, words):
    found = answered(index, words, "Wann sind die opening hours of the shop, bitte?")
    assert (found.path, found.reason, found.cited[0].article) == ("handover", "language", "opening")


@pytest.mark.parametrize(
    ("act", "likely", "numbered", "path", "reason", "say"),
    [
        ("question", 0.9, False, "matched", "", None),
        ("own_case", 0.9, False, "matched", "", None),
        ("own_case", 0.6, True, "handover", "own_case", None),
        ("negated", 0.6, False, "matched", "", None),
        ("negated", 0.9, False, "handover", "negated", None),
        ("person", 0.9, False, "matched", "", None),
        ("chatter", 0.9, False, "matched", "", None),
        ("elsewhere", 0.9, False, "matched", "", None),
    ],
)
def test_an_article_that_answers_it_outweighs_what_a_turn_only_sounds_like(
    index, words, act, likely, numbered, path, reason, say
):
    turn = read("when do you open", [], index, words, POLICY, "en")
    found = decide(_told(turn, act, likely, numbered), [], "en")
    assert (found.path, found.reason, found.say) == (path, reason, say)


@pytest.mark.parametrize(
    ("act", "likely", "path", "reason", "say"),
    [
        ("question", 0.9, "handover", "", None),
        ("own_case", 0.6, "handover", "own_case", None),
        ("own_case", 0.4, "handover", "", None),
        ("negated", 0.6, "handover", "negated", None),
        ("person", 0.6, "handover", "person", None),
        ("sorry", 0.6, "small_talk", "", "sorry"),
        ("sorry", 0.4, "handover", "", None),
        ("chatter", 0.6, "small_talk", "", "greeting"),
    ],
)
def test_where_no_article_answers_a_turn_gets_what_it_sounds_like(index, words, act, likely, path, reason, say):
    turn = read("zyx wvu tsr qpo", [], index, words, POLICY, "en")
    found = decide(_told(turn, act, likely), [], "en")
    assert (found.path, found.reason, found.say) == (path, reason, say)


@pytest.mark.parametrize(
    ("likely", "similarity", "path"), [(0.9, 0.5, "handover"), (0.9, 0.7, "matched"), (0.6, 0.5, "matched")]
)
def test_a_question_that_is_not_for_support_is_answered_only_by_an_article_that_is_near(
    index, words, likely, similarity, path
):
    turn = read("when do you open", [], index, words, POLICY, "en")
    policy = POLICY.model_copy(update={"answer_above": 0.4, "margin": 0.0})
    found = replace(turn.found, hits=[replace(turn.found.hits[0], similarity=similarity)], policy=policy)
    assert decide(_told(replace(turn, found=found, parts=()), "elsewhere", likely), [], "en").path == path


@pytest.mark.parametrize(
    ("apart", "similarity", "leaning", "path"),
    [
        (0.5, 0.5, False, "handover"),
        (0.3, 0.5, False, "matched"),
        (0.5, 0.7, False, "matched"),
        (0.5, 0.5, True, "matched"),
    ],
)
def test_what_may_be_a_persons_own_case_is_answered_only_by_an_article_that_is_near(
    index, words, apart, similarity, leaning, path
):
    turn = read("when do you open", [], index, words, POLICY, "en")
    found = replace(turn.found, hits=[replace(turn.found.hits[0], similarity=similarity)])
    told = Told("question", 0.45, apart=apart)
    assert decide(replace(turn, found=found, told=told, leaning=leaning, parts=()), [], "en").path == path


def test_after_a_question_of_the_assistant_nothing_is_small_talk(index, words):
    history = said("it hums", "Which one do you have?")
    turn = read("zyx wvu tsr qpo", history, index, words, POLICY, "en")
    assert decide(_told(turn, "chatter", 0.8), history, "en").path == "handover"
    assert decide(_told(turn, "sorry", 0.8), history, "en").path == "handover"
    assert courtesy("yes", history, "en").path == "handover"
    assert courtesy("ok", said("hallo", BUILT_IN["de"]["greeting"]), "en").path == "small_talk"
    assert courtesy("yes", said("it hums", "Done. Anything else I can do for you?"), "en").path == "small_talk"


def test_small_talk_is_answered_in_its_language():
    assert (courtesy("thanks!", [], "en").say, courtesy("thanks!", [], "en").language) == ("thanks", "en")
    assert (courtesy("Vielen Dank", [], "en").say, courtesy("Vielen Dank", [], "en").language) == ("thanks", "de")
    assert courtesy("ok", [], "fr").language == "fr"
    assert courtesy("thanks, and where is the shop?", [], "en") is None


def _told(turn, act, likely, numbered=False):
    return Turn(
        turn.language, Told(act, likely, numbered), turn.found, turn.leaning, turn.asks, turn.parts, turn.wanted
    )
