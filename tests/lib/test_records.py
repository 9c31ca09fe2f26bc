import json
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from support import COMMIT, dataset, ref

from llmops_assets.lib import tables
from llmops_assets.lib.answering.knowledge import Hit, route
from llmops_assets.lib.answering.prompting import build_messages, render_chat
from llmops_assets.lib.hashing import canonical_json, hash_bytes, hash_file, hash_json
from llmops_assets.lib.judging.manifest import ablations, generation_settings
from llmops_assets.lib.records import (
    Article,
    Candidate,
    DatasetRef,
    FileRef,
    KnowledgeBase,
    LakeRef,
    ModelRef,
    PromptRef,
    Recipe,
    Record,
    ReleaseManifest,
    RouterPolicy,
    SliceScore,
    TrainingSet,
    TunedModel,
    later,
)

STORED = Path(__file__).parent / "stored"
QUANTIZED = FileRef(ref=ref("engine_models/q.gguf"), sha256="e" * 64, size=3)


def manifest(**fields) -> ReleaseManifest:
    values = {
        "base": ModelRef(name="m", digest="d"),
        "adapter": FileRef(ref=ref("adapters/x/adapter.gguf"), sha256="a" * 64, size=3),
        "adapter_digest": "a",
        "prompt": PromptRef(name="p", version=1, template="Be brief.", digest="p"),
        "knowledge_index": FileRef(ref=ref("indexes/i.zip"), sha256="b" * 64, size=3),
        "router": RouterPolicy(answer_above=0.8, hand_over_below=0.4),
        "handover": "A colleague will help.",
    }
    return ReleaseManifest.model_validate({**values, **fields})


@given(st.sampled_from(["lake", "lakefs"]), st.text("abcdef0123456789", min_size=8, max_size=64), st.text(max_size=30))
def test_a_lake_ref_is_its_text(scheme, commit, path):
    if "\n" in path or "\r" in path:
        path = ""
    made = LakeRef(scheme=scheme, repository="llmops", commit=commit, path=path)
    assert LakeRef.model_validate(str(made)) == made


@pytest.mark.parametrize(
    "text", ["lake://llmops/main/x", "s3://llmops/abcdef0123/x", "lake://L/abcdef0123", "/tmp/x", "lake://llmops/abc"]
)
def test_what_is_not_immutable_is_no_lake_ref(text):
    with pytest.raises(ValidationError, match="not a lake ref"):
        LakeRef.model_validate(text)


def test_records_refuse_unknown_fields_and_survive_json():
    with pytest.raises(ValidationError):
        DatasetRef.model_validate({**dataset().model_dump(), "surprise": 1})
    assert DatasetRef.model_validate_json(dataset().model_dump_json()) == dataset()


def test_a_release_is_named_by_everything_in_it():
    first = manifest()
    assert first.release_id == manifest().release_id
    others = [
        manifest(handover="Somebody else will help."),
        manifest(router=RouterPolicy(answer_above=0.81, hand_over_below=0.4)),
        manifest(prompt=PromptRef(name="p", version=2, template="Be brief.", digest="p")),
        manifest(cache_namespace="b"),
    ]
    assert len({m.release_id for m in [first, *others]}) == 5


def test_a_manifest_that_version_0_1_wrote_keeps_its_name_and_its_text():
    text = (STORED / "manifest_0_1.json").read_text().strip()
    read = ReleaseManifest.model_validate_json(text)
    assert read.release_id == "r-d5c317a59f94"
    assert read.text() == text


def test_fields_of_a_newer_version_are_kept_and_are_part_of_the_name():
    newer = json.loads((STORED / "manifest_0_1.json").read_text())
    newer |= {"guardrails": {"names": ["toxicity"]}}
    newer["router"] |= {"reranker": "small"}
    newer["knowledge_index"] |= {"mapped": True}
    read = ReleaseManifest.model_validate(newer)
    assert json.loads(read.text()) == newer
    names = {read.release_id, "r-d5c317a59f94"}
    for part, changed in (("guardrails", {"names": []}), ("router", newer["router"] | {"reranker": "none"})):
        names.add(ReleaseManifest.model_validate(newer | {part: changed}).release_id)
    assert len(names) == 4


def test_a_recipe_of_one_process_keeps_the_name_that_it_had_before_there_were_several():
    assert {"processes", "sharding"}.isdisjoint(Recipe().canonical())
    assert Recipe(processes=2, sharding="full").canonical().items() >= {"processes": 2, "sharding": "full"}.items()
    with pytest.raises(ValidationError, match="one process has nobody to share the model with"):
        Recipe(sharding="full")


def test_a_field_that_came_later_is_in_the_hash_only_where_it_differs_from_its_default():
    class Part(Record):
        size: int
        colour: str = later("")

    class Whole(Record):
        parts: tuple[Part, ...]
        named: dict[str, Part]
        note: str | None = later(None)

    class Before(Record):
        parts: tuple[dict, ...]
        named: dict[str, dict]

    plain = Whole(parts=(Part(size=1),), named={"a": Part(size=2)})
    assert plain.content_hash == Before(parts=({"size": 1},), named={"a": {"size": 2}}).content_hash
    others = [
        Whole(parts=(Part(size=1, colour="red"),), named={"a": Part(size=2)}),
        Whole(parts=(Part(size=1),), named={"a": Part(size=2, colour="red")}),
        Whole(parts=(Part(size=1),), named={"a": Part(size=2)}, note="x"),
    ]
    assert len({one.content_hash for one in (plain, *others)}) == 4


def test_a_release_of_the_same_bytes_elsewhere_in_the_lake_is_the_same_release():
    elsewhere = LakeRef(repository="llmops", commit="f" * 40, path="indexes/i.zip")
    moved = manifest(knowledge_index=FileRef(ref=elsewhere, sha256="b" * 64, size=3))
    assert moved.release_id == manifest().release_id
    assert manifest(knowledge_index=FileRef(ref=elsewhere, sha256="c" * 64, size=3)).release_id != moved.release_id
    assert manifest(adapter=None, adapter_digest="").release_id != moved.release_id


def candidate(tuned: TunedModel | None) -> Candidate:
    training = TrainingSet(rows=dataset(), held_out=dataset(), reference=dataset(), until=date(2026, 3, 2))
    return Candidate(manifest=manifest(), tuned=tuned, training=training, knowledge=dataset(), base_engine=QUANTIZED)


def test_ablations_take_away_one_part_each():
    adapter = TunedModel(
        name="m", ref=ref("adapters/x"), digest="a", base=manifest().base, recipe=Recipe(), dataset=dataset()
    )
    parts = ablations(candidate(adapter))
    sure = Hit("a", 0.99, "question", "answer", "intent")
    assert set(parts) == {"base", "base_with_passages", "adapter_with_passages", "without_adapter"}
    assert parts["base"].adapter is None
    assert not parts["base"].router.retrieval
    assert parts["without_adapter"].adapter is None
    assert parts["without_adapter"].knowledge_index is not None
    assert parts["without_adapter"].router == manifest().router
    for name, adapter in (("base_with_passages", None), ("adapter_with_passages", manifest().adapter)):
        assert parts[name].adapter == adapter
        assert parts[name].knowledge_index == manifest().knowledge_index
        assert route([sure], parts[name].router) == "generated"
    for name in ("base", "base_with_passages", "without_adapter"):
        assert parts[name].engine_model == QUANTIZED, "a student must not answer for the base model"
    assert set(ablations(candidate(None))) == {"base", "base_with_passages"}


def test_generation_leaves_room_for_the_longest_answer_within_bounds():
    def settings(words: int):
        return generation_settings([Article(id="a", intent="i", title="t", answer="w " * words, questions=("q",))])

    assert settings(5).max_tokens == 48
    assert settings(40).max_tokens == 64
    assert settings(500).max_tokens == 96
    assert settings(5).temperature == 0.0


def test_an_empty_slice_has_no_accuracy():
    with pytest.raises(ValueError, match="empty slice"):
        _ = SliceScore(right=0, total=0).accuracy


def test_one_spelling_of_json_and_hash(tmp_path):
    assert canonical_json({"b": 1, "a": "ü"}) == '{"a":"ü","b":1}'
    assert hash_json({"b": 1, "a": 2}) == hash_json({"a": 2, "b": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(float("nan"))
    (tmp_path / "x").write_bytes(b"abc")
    assert hash_file(tmp_path / "x") == hash_bytes(b"abc")


def test_tables_round_trip_fill_what_is_missing_and_have_equal_bytes():
    rows = [{"row_id": "1", "kind": "closed_book", "question": "q", "answer": "a", "passages": ["p"]}]
    data = tables.to_parquet(rows, tables.TRAINING)
    assert data == tables.to_parquet(rows, tables.TRAINING)
    read = tables.from_parquet(data)
    assert read[0]["passages"] == ["p"]
    assert read[0]["parent"] == ""
    assert tables.from_parquet(tables.to_parquet([], tables.TRAINING)) == []


def test_a_digest_is_of_content_not_of_order():
    rows = [{"a": "1", "b": "x"}, {"a": "2", "b": "y"}]
    assert tables.digest(rows, ["a"]) == tables.digest(rows[::-1], ["a"])
    assert tables.digest(rows, ["a"]) != tables.digest(rows, ["a", "b"])
    assert tables.digest(rows, ["a"]) != tables.digest(rows[:1], ["a"])


def test_the_chat_is_rendered_in_one_way_with_and_without_passages():
    messages = build_messages("Be brief.", "Where?", ["One.", "Two."])
    assert render_chat(messages) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n"
        "<|im_start|>user\nKnown answers:\n- One.\n- Two.\n\nQuestion: Where?<|im_end|>\n<|im_start|>assistant\n"
    )
    assert render_chat(messages, "There.").endswith("assistant\nThere.<|im_end|>\n")
    assert build_messages("Be brief.", "Where?")[1]["content"] == "Where?"
    assert COMMIT in str(ref())


def test_articles_and_knowledge_bases_of_older_versions_are_read_and_keep_their_names():
    old = {"id": "a", "intent": "i", "title": "t", "answer": "x", "questions": ["q"]}
    found = Article.model_validate(old)
    assert found.kind == "answer"
    assert found.content_hash == hash_json({**old, "facts": [], "held_out": [], "available_from": None})
    assert found.model_copy(update={"kind": "look_up"}).content_hash != found.content_hash
    base = KnowledgeBase.model_validate({"articles": dataset(), "trusted": dataset(), "corrections": 0})
    assert base.undecided is None
