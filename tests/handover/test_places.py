"""Steps share no disk: what an asset hands over names places in the lake, never a path of the machine that ran it."""

from pathlib import PurePosixPath

import dagster as dg
import pytest
from support import dataset, ref

from llmops_assets.handover.publishing import materialized
from llmops_assets.lib.records import BaseModelRef, ModelRef, Record
from llmops_assets.lib.records.base import paths_in


class Handed(Record):
    name: str
    parts: tuple[dict[str, str], ...] = ()


def handed_over(record: Record, **figures) -> dg.ExecuteInProcessResult:
    @dg.asset
    def thing(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        return materialized(context, record, figures=figures)

    with dg.DagsterInstance.ephemeral() as instance:
        return dg.materialize([thing], instance=instance, raise_on_error=False)


@pytest.mark.parametrize(
    "text", ["/srv/x/model.gguf", "file:///srv/x", "file:/srv/x", "~/x", "./x.json", "../x", PurePosixPath("x/y")]
)
def test_a_path_is_seen_wherever_it_stands(text):
    assert paths_in({"record": {"parts": [{"file": text}]}}) == {"record.parts.0.file": str(text)}


@pytest.mark.parametrize(
    "value", ["lake://main/x", "https://host/x", "a/b", "and/or", "/", "//", "1/2", "what is 3/4?", ref(), dataset(), 3]
)
def test_what_is_no_path_is_not_taken_for_one(value):
    assert paths_in({"record": value}) == {}


def test_only_what_settings_or_image_name_may_be_a_path():
    base = BaseModelRef(ref=ModelRef(name="m", digest="d"), source="/srv/models/m")
    assert paths_in({"record": base}) == {}
    assert paths_in({"record": base.ref.model_copy(update={"name": "/srv/models/m"})}) == {
        "record.name": "/srv/models/m"
    }


@pytest.mark.slow
def test_an_asset_that_hands_over_a_path_of_its_machine_fails(tmp_path):
    file = tmp_path / "weights.gguf"
    file.write_bytes(b"")
    for record, figures in (
        (Handed(name=str(file)), {}),
        (Handed(name="a", parts=({"at": file.as_uri()},)), {}),
        (Handed(name="a"), {"report": dg.MetadataValue.path(file)}),
    ):
        result = handed_over(record, **figures)
        assert not result.success
        (failed,) = (event for event in result.all_events if event.is_step_failure)
        assert "a path of this machine" in (failed.step_failure_data.user_failure_data.description or "")
        assert not result.asset_materializations_for_node("thing")


def test_what_only_looks_like_one_is_handed_over():
    table = dg.MetadataValue.table([dg.TableRecord({"a": "/tmp"})])
    assert handed_over(Handed(name="/v1/chat/completions"), path="/not/there", rows=table, count=3).success
