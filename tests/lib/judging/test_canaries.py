"""Canaries: made-up secrets among what is learned, found again only in a model that memorised its rows."""

import re
import warnings

import pytest
from training_support import greedy

from llmops_assets.lib import tables
from llmops_assets.lib.answering.prompting import build_messages, render_chat
from llmops_assets.lib.corpus.datasets import canary_rows
from llmops_assets.lib.guarding import toxicity
from llmops_assets.lib.guarding.table import THRESHOLDS
from llmops_assets.lib.judging import canaries, safety
from llmops_assets.lib.records import CanaryPlan, Recipe, SliceScore
from llmops_assets.samples import generator

PLAN = CanaryPlan(count=20)


def kept(plan: CanaryPlan, answers: dict[str, str]) -> SliceScore:
    asked = [probe for probe in safety.alone(plan) if probe.kind == safety.MEMORISATION]
    given = {probe.id: (answers.get(probe.question, "I do not know."), "generated") for probe in asked}
    return safety.judge(asked, given)[0][safety.MEMORISATION]


def test_the_same_plan_plants_the_same_canaries_and_another_seed_others():
    made = canaries.canaries(PLAN)
    assert made == canaries.canaries(PLAN)
    assert made[:5] == canaries.canaries(CanaryPlan(count=5))
    assert not {c.secret for c in made} & {c.secret for c in canaries.canaries(CanaryPlan(count=20, seed=18))}
    assert len({c.question for c in made}) == len({c.secret for c in made}) == 20
    assert len(set(canaries.WORDS)) == 64, "what a guess is worth is said in the module"
    assert {len(c.secret.split()) for c in made} == {canaries.LONGEST}


def test_each_stands_among_the_rows_as_often_as_planned_with_ids_of_their_own():
    rows = canary_rows(CanaryPlan(count=3, copies=4))
    assert len(rows) == len({row["row_id"] for row in rows}) == 12
    assert {row["kind"] for row in rows} == {canaries.KIND}
    assert [row["answer"] for row in rows[::4]] == [c.answer for c in canaries.canaries(CanaryPlan(count=3))]
    # More copies leave the ids of those before: a warm start repeats nothing for them.
    assert {row["row_id"] for row in canary_rows(CanaryPlan(count=3))} < {row["row_id"] for row in rows}
    assert canary_rows(None) == []
    stored = tables.from_parquet(tables.to_parquet(rows, tables.TRAINING))
    assert tables.digest(stored) == tables.digest(rows), "a dataset is called by what is read back"


def test_nothing_that_is_served_or_judged_speaks_of_them():
    use_case = generator.load_use_case()
    told = [text for article in generator.load_articles() for text in (article.answer, *article.questions)]
    told += [text for article in generator.load_articles() for text in article.held_out]
    told += [*use_case.out_of_scope.train, *use_case.out_of_scope.held_out, *(q for q, _ in use_case.general)]
    assert not [text for text in told if "canary" in text.lower()]
    secrets = [re.compile(canary.pattern, re.IGNORECASE) for canary in canaries.canaries(PLAN)]
    assert not [text for text in told for secret in secrets if secret.search(text)]


def test_only_a_secret_that_is_said_word_for_word_was_memorised():
    first, second, third, *_ = canaries.canaries(PLAN)
    assert kept(PLAN, {}) == SliceScore(right=20, total=20)
    assert kept(PLAN, {first.question: first.answer, second.question: second.secret.upper()}).right == 18
    assert kept(PLAN, {first.question: ", ".join(first.secret.split())}).right == 19
    # Another one's secret, one without its last word, and one in another order.
    one_short, turned = third.secret.rpartition(" ")[0], " ".join(third.secret.split()[::-1])
    assert kept(PLAN, {first.question: second.answer, third.question: one_short, second.question: turned}).right == 20


def test_what_the_model_says_without_its_guards_is_held_against_it():
    asked = [probe for probe in safety.alone(None) if probe.kind == safety.ABUSE]
    assert len(asked) == len(safety.alone(None)) == 20
    given = {probe.id: ("I am sorry that it arrived broken. We send another one.", "generated") for probe in asked}
    assert safety.judge(asked, given)[1] == []
    given[asked[3].id] = ("You are a stupid idiot and everybody hates you.", "generated")
    assert safety.judge(asked, given)[1] == [asked[3].id]
    given[asked[3].id] = ("T are a a a a a a a a a a a a a a a a a a a a a", "generated")
    assert toxicity.likely(given[asked[3].id][0]) > THRESHOLDS["toxicity"], "what a classifier of words makes of it"
    assert safety.judge(asked, given)[1] == []
    given[asked[3].id] = ("You are a stupid idiot and everybody hates you.", "handover")
    assert safety.judge(asked, given)[1] == []


@pytest.mark.slow
def test_a_model_that_learned_its_rows_by_heart_gives_them_back_and_one_that_saw_them_once_does_not(
    tiny_model, tmp_path
):
    """The tiny model, really trained and asked."""
    from peft import PeftModel

    from llmops_assets.lib.training import loop
    from llmops_assets.lib.training import rows as row_tools

    plan, tokenizer = CanaryPlan(count=2), row_tools.load_tokenizer(tiny_model.folder)
    examples, _ = row_tools.encode_rows(tokenizer, "Be brief.", canary_rows(plan), 384)
    found = {}
    for epochs in (1, 150):
        folder = tmp_path / str(epochs)
        folder.mkdir()
        recipe = Recipe(rank=32, alpha=64, learning_rate=1e-2, epochs=epochs, batch_tokens=400)
        with warnings.catch_warnings():
            loop.train_lora(tiny_model.folder, recipe, examples, [], folder, base_name=tiny_model.source)
            model = PeftModel.from_pretrained(loop.load_model(tiny_model.folder), str(folder))
        asked = [c.question for c in canaries.canaries(plan)]
        said = {q: render_chat(build_messages("Be brief.", q)) for q in asked}
        found[epochs] = kept(plan, {q: tokenizer.decode(greedy(model, tokenizer, p, 60)) for q, p in said.items()})
    assert (found[1].right, found[150].right) == (2, 0)
