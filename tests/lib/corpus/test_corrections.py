import random

from support import article

from llmops_assets.lib.corpus.corrections import Correction, revise

ARTICLES = (
    article("delivery", "Delivery takes three to five working days", "how long is delivery"),
    article("returns", "You can return a lamp within thirty days", "can i return a lamp"),
)
RECALL = "The halo lamp is recalled because its battery can overheat"


def vectors(words, corrections):
    return words.vectors([t for c in corrections for t in (c.question, c.answer)] + [a.answer for a in ARTICLES])


def revised(words, corrections):
    return revise(ARTICLES, corrections, vectors(words, corrections))


def test_three_agreeing_corrections_of_nothing_known_make_an_article(words):
    corrections = [Correction(f"is the halo dangerous {n}", RECALL) for n in range(3)]
    revision = revised(words, corrections)
    assert len(revision.added) == 1
    added = revision.articles[-1]
    assert added.answer == RECALL
    assert set(added.questions) == {c.question for c in corrections}


def test_two_are_an_opinion(words):
    revision = revised(words, [Correction(f"is the halo dangerous {n}", RECALL) for n in range(2)])
    assert (revision.added, revision.ignored, revision.articles) == ((), 2, ARTICLES)


def test_corrections_that_agree_with_an_article_extend_its_questions(words):
    corrections = [Correction(f"when will it come {n}", ARTICLES[0].answer, "returns") for n in range(3)]
    revision = revised(words, corrections)
    assert revision.extended == ("delivery",)
    assert (revision.added, revision.replaced) == ((), ())
    assert "when will it come 1" in revision.articles[0].questions


def test_corrections_against_the_article_they_correct_replace_its_answer_and_drop_its_facts(words):
    changed = "Since March every parcel needs about two weeks"
    corrections = [Correction(f"how long is delivery {n}", changed, "delivery") for n in range(4)]
    revision = revised(words, corrections)
    assert revision.replaced == ("delivery",)
    assert revision.articles[0].answer == changed
    assert revision.articles[0].facts == ()
    assert revision.articles[1] == ARTICLES[1]


def test_the_order_of_corrections_does_not_matter(words):
    corrections = [Correction(f"halo {n}", RECALL) for n in range(4)]
    corrections += [Correction(f"where is it {n}", ARTICLES[0].answer) for n in range(3)]
    corrections += [Correction("odd one", "Something else entirely was said here")]
    first = revised(words, corrections)
    for seed in range(5):
        shuffled = corrections[:]
        random.Random(seed).shuffle(shuffled)
        assert revised(words, shuffled) == first
    assert first.ignored == 1
