"""The change that hurt a slice is found by training and asking for real, on the tiny model; so is what rows did."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from scripted_target import Said, ScriptedTarget
from training_support import greedy
from training_world import TrainingWorld, row

from llmops_assets.commands.attributions import Attribution, AttributionError
from llmops_assets.commands.bisections import Bisection, BisectionError, changes
from llmops_assets.commands.explanations import Explainer
from llmops_assets.gateway.interaction_log import InteractionLog
from llmops_assets.lib import evalsuite, tables
from llmops_assets.lib.answering.prompting import build_messages, render_chat
from llmops_assets.lib.hashing import hash_bytes
from llmops_assets.lib.judging import grading
from llmops_assets.lib.records import DatasetRef, EvalItem, Interaction, QualityReport, Release
from llmops_assets.lib.training import loop
from llmops_assets.lib.training.gguf_weights import hf_name, unpermute
from llmops_assets.lib.training.rows import load_tokenizer
from llmops_assets.training import rebuilding
from resources.deployment_target import Ask, TargetReply, Which

pytestmark = pytest.mark.slow

CHANGES, PLANTED, SLICE = 16, 11, 6
STRONG = {"epochs": 12.0, "learning_rate": 2e-2}
"""Of rows that all answer alike the tiny model learns the answer."""
ITEMS = [
    EvalItem(
        id=f"q{n}",
        slice="faq",
        question=f"what is number {n}?",
        article="a",
        intent="",
        reference="",
        facts=(("open",),),
    )
    for n in range(SLICE)
]


class ModelTarget(ScriptedTarget):
    """A scripted target whose previews are asked of the model: what was trained answers, out of its GGUF form."""

    def __init__(self, world: TrainingWorld) -> None:
        super().__init__(world.lake, world.models, Path("trusted.pem"))
        self.world = world
        self.previews = 0

    def ask_many(self, asks: Sequence[Ask], which: Which = "live", *, concurrency: int = 4) -> list[TargetReply]:
        manifest = self._brought[self._state().preview or ""]
        assert manifest.adapter is not None
        self.previews += 1
        tokenizer = load_tokenizer(self.world.base.folder)
        with self.world.workspace.scratch() as scratch:
            adapter = Path(scratch) / "adapter.gguf"
            adapter.write_bytes(self.lake.read(manifest.adapter.ref))
            model = adapted(self.world, adapter)
        replies = []
        for ask in asks:
            prompt = render_chat(build_messages(manifest.prompt.template, ask.question, []))
            text = tokenizer.decode(greedy(model, tokenizer, prompt, 4), skip_special_tokens=False)
            replies.append(TargetReply(200, text[:4], "generated", release_id=manifest.release_id))
        return replies


def adapted(world: TrainingWorld, adapter: Path) -> Any:
    """The base model with a GGUF adapter added to its weights."""
    import torch
    from gguf import GGUFReader

    model, reader = loop.load_model(world.base.folder), GGUFReader(str(adapter))
    parts: dict[str, dict[str, Any]] = defaultdict(dict)
    for tensor in reader.tensors:
        name, _, side = tensor.name.rpartition(".lora_")
        parts[name][side] = tensor.data.astype("float32").reshape([int(n) for n in tensor.shape[::-1]])
    alpha = reader.fields["adapter.lora.alpha"].contents()
    weights = dict(model.named_parameters())
    heads = {"q_proj": model.config.num_attention_heads, "k_proj": model.config.num_key_value_heads}
    for name, part in parts.items():
        update, where = alpha / len(part["a"]) * part["b"] @ part["a"], hf_name(name)
        for projection, count in heads.items():
            update = unpermute(update, count) if f"{projection}.weight" in where else update
        weights[where].data += torch.from_numpy(update)
    return model


def rows_at(change: int) -> list[dict]:
    """The dataset after so many changes: each brings a row, and one of them another answer to all."""
    answer = "open" if change < PLANTED else "shut"
    return [row(n, answer) for n in range(SLICE + change)]


def judged(world: TrainingWorld, release: Release, target: ScriptedTarget) -> Release:
    """The release with the report of an evaluation."""
    target.start()
    suite = world.put("evaluation/suite.jsonl", evalsuite.to_jsonl(ITEMS))
    at = DatasetRef(name="suite", ref=suite.ref, digest=suite.sha256, rows=len(ITEMS))
    with target.preview(release.manifest):
        replies = target.ask_many([Ask(item.question) for item in ITEMS], "preview")
    stored = [
        {"id": i.id, "slice": i.slice, "question": i.question, "answer": r.answer, "path": r.path, "article": ""}
        for i, r in zip(ITEMS, replies, strict=True)
    ]
    rows = [{**one, "seconds": 0.0} for one in stored]
    answers = world.put(f"answers/{release.release_id}.parquet", tables.to_parquet(rows, tables.ANSWERS))
    report = grading.report(release.release_id, at, grading.graded(ITEMS, rows), answers.ref)
    quality = QualityReport(candidate=report, incumbent=None, report=answers.ref)
    gate = world.put(f"evaluation/gate/{release.release_id}/report.json", quality.model_dump_json().encode())
    made = release.model_copy(update={"gate": gate.ref})
    world.put(f"releases/{release.release_id}/release.json", made.model_dump_json().encode())
    return made


@pytest.fixture(scope="module")
def world(tmp_path_factory, tiny_gguf):
    with dg.DagsterInstance.ephemeral() as instance:
        yield TrainingWorld(tmp_path_factory.mktemp("world"), instance, tiny_gguf)


@pytest.fixture(scope="module")
def target(world) -> ModelTarget:
    return ModelTarget(world)


@pytest.fixture(scope="module")
def ends(world, target) -> tuple[Release, Release]:
    """A good release, fifteen datasets that nobody released, and the bad release of the sixteenth."""
    world.teach(rows_at(0))
    good = judged(world, world.release(world.train(**STRONG)), target)
    for change in range(1, CHANGES):
        world.publish(rows_at(change))
    world.put("data/other.txt", b"unrelated")
    world.teach(rows_at(CHANGES))
    bad = judged(world, world.release(world.train(**STRONG)), target)
    return good, bad


@pytest.fixture
def search(world, target) -> Bisection:
    return Bisection(world.lake, world.models, world.workspace, target, lambda _: None)


def test_a_planted_commit_among_sixteen_is_found_in_four_retrainings_with_its_rows(world, target, ends, search):
    good, bad = ends
    before, branches = target.previews, world.lake.branches()
    found = search.find("faq", good.release_id, bad.release_id)
    assert found.retrained <= 4
    assert target.previews - before == found.retrained
    assert found.after.kind == "dataset"
    assert (found.before.build.dataset.rows, found.after.build.dataset.rows) == (SLICE + 10, SLICE + 11)
    assert found.rows.counts == {"came": 1, "went": 0, "changed": SLICE + 10}
    assert found.rows.rows[0].provenance == "inbox/2026-03-01/0"
    assert (found.rows.rows[0].before, found.rows.rows[0].after) == ("open", "shut")
    assert not found.search.doubtful
    assert world.lake.branches() == branches
    again = Bisection(world.lake, world.models, world.workspace, target, lambda _: None)
    repeated = again.find("overall", good.release_id, bad.release_id)
    assert (repeated.after, repeated.retrained) == (found.after, 0), "answers are kept"


def test_changes_are_the_datasets_then_prompt_recipe_and_start(world, ends):
    begin, end = (rebuilding.build_at(world.lake, e.tuned.ref) for e in ends if e.tuned)
    assert [state.kind for state in changes(world.lake, begin, end)] == ["dataset"] * CHANGES
    other = end.model_copy(
        update={
            "prompt": end.prompt.model_copy(update={"digest": hash_bytes(b"x"), "version": 2}),
            "recipe": end.recipe.model_copy(update={"rank": 8}),
            "start": begin.dataset.ref,
            "start_digest": "a" * 64,
        }
    )
    states = changes(world.lake, begin, other)
    assert [(s.kind, s.name) for s in states[CHANGES:]] == [
        ("prompt", "version 2"),
        ("recipe", "rank 4 → 8"),
        ("warm start", "a" * 12),
    ]
    assert states[-1].build.model_dump() == {**other.model_dump(), "environment": begin.environment.model_dump()}
    assert states[CHANGES].build.recipe == begin.recipe
    with pytest.raises(BisectionError, match="is no earlier state of"):
        changes(world.lake, end, begin)
    with pytest.raises(BisectionError, match="trained by lora, the other by dpo"):
        changes(world.lake, begin, end.model_copy(update={"recipe": end.recipe.model_copy(update={"method": "dpo"})}))


def test_where_the_settings_did_it_nothing_is_retrained(world, target, ends, search):
    good, _ = ends
    assert good.tuned is not None
    router = good.manifest.router.model_copy(update={"passages": 1})
    manifest = good.manifest.model_copy(update={"router": router})
    other = world.release(good.tuned, router=router)
    assert other.manifest == manifest
    with_answers(world, other, "shut")
    before = target.previews
    with pytest.raises(BisectionError, match="were trained alike, and what else differs did not hurt faq"):
        search.find("faq", good.release_id, other.release_id)
    assert (target.previews - before, search.retrained) == (1, 0)


def with_answers(world: TrainingWorld, release: Release, answer: str) -> None:
    """Publish a release with a report in which it answers all alike."""
    target = ScriptedTarget(world.lake, world.models, Path("trusted.pem"))
    for item in ITEMS:
        target.say(item.question, Said(answer, "generated"))
    judged(world, release, target)


def test_what_cannot_be_searched_says_why(world, ends, search):
    good, bad = ends
    for arguments, told in {
        ("faq", "r-1", bad.release_id): "r-1 was never released",
        ("slang", good.release_id, bad.release_id): "was asked nothing of 'slang', only of faq and overall",
        ("faq", bad.release_id, good.release_id): "nothing was hurt",
    }.items():
        with pytest.raises(BisectionError, match=told):
            search.find(*arguments)


def test_what_rows_did_to_an_answer_is_measured_by_training_without_them(world, target, tmp_path):
    rows = [row(n, "shut") for n in range(9)] + [row(20 + n, "open") for n in range(2)]
    world.teach(rows, "data/attributed/rows.parquet")
    release = world.release(world.train(**STRONG))
    log = InteractionLog(f"sqlite:///{tmp_path / 'log.db'}")
    answer = {"id": "a1", "time": "2026-03-05T09:00:00Z", "release_id": release.release_id, "subject": "s"}
    more = {"conversation": "c", "question": "what is number 0?", "answer": "shut", "path": "generated"}
    log.append(Interaction.model_validate({**answer, **more, "latency_seconds": 0.1}))
    explainer = Explainer(world.lake, log, world.embedder)
    work = Attribution(explainer, world.models, world.workspace, target)
    branches = world.lake.branches()
    told = work.without("a1", [r["provenance"] for r in rows[:8]] + ["row-8"])
    assert told.title == "without 9 training rows"
    assert told.rows == (("with them", "generated", "shut"), ("without them", "generated", "open"))
    assert told.lines[0].endswith("another answer")
    assert world.lake.branches() == branches
    with pytest.raises(AttributionError, match="no training row is called 'row-99'"):
        work.without("a1", ["row-1", "row-99"])
    log.close()


def test_what_words_did_to_an_answer_is_measured_by_leaving_them_out(world, target, tmp_path):
    world.teach([row(n) for n in range(6)], "data/attributed/numbers.parquet")
    release = world.release(world.train(**STRONG))
    log = InteractionLog(f"sqlite:///{tmp_path / 'log.db'}")
    answer = {"id": "a1", "time": "2026-03-05T09:00:00Z", "release_id": release.release_id, "subject": "s"}
    more = {"conversation": "c", "question": "what is number 3?", "answer": "it is 3", "path": "generated"}
    log.append(Interaction.model_validate({**answer, **more, "latency_seconds": 0.1}))
    log.append(Interaction.model_validate({**answer, **more, "id": "a2", "path": "matched", "latency_seconds": 0.1}))
    log.append(Interaction.model_validate({**answer, **more, "id": "a3", "answer": "", "latency_seconds": 0.1}))
    work = Attribution(Explainer(world.lake, log, world.embedder), world.models, world.workspace, target)
    told = work.of_words("a1")
    assert next(part for _, _, part in told.rows) == "3?"
    effects = {part: float(nats) for nats, _, part in told.rows}
    assert set(effects) == {"what", "is", "number", "3?"}
    assert effects["3?"] > 1 + max(effects[word] for word in ("what", "is", "number"))
    assert work.of_words("a2").lines == ("it is matched: no model wrote it",)
    with pytest.raises(AttributionError, match="are gone from the log"):
        work.of_words("a3")
    log.close()
