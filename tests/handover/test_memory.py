"""What assets hand over, and when work is not done again."""

import dagster as dg
import pytest

from llmops_assets.handover.memory import Memory
from llmops_assets.handover.publishing import materialized, publish
from llmops_assets.lib.records import DatasetRef
from llmops_assets.partitions import DAILY
from resources.lake.base import Lake

pytestmark = pytest.mark.slow


class Length(dg.Config):
    """How much is written."""

    letters: int = 3


def remembering(version: str, made: list[int]) -> dg.AssetsDefinition:
    @dg.asset(code_version=version, name="remembered")
    def asset(context: dg.AssetExecutionContext, config: Length, lake: dg.ResourceParam[Lake]) -> dg.MaterializeResult:
        memory = Memory(context, lake, config)
        if memory.result is not None:
            return memory.result
        made.append(config.letters)
        commit = publish(context, lake, {"made/letters": b"x" * config.letters})
        ref = lake.uri(commit, "made/letters")
        record = DatasetRef(name="remembered", ref=ref, digest="0" * 64, rows=config.letters)
        return materialized(context, record, lake=lake, ref=ref, memory=memory, letters=config.letters)

    return asset


@pytest.fixture
def run(lake):
    with dg.DagsterInstance.ephemeral() as instance:

        def run(asset: dg.AssetsDefinition, letters: int = 3) -> dg.AssetMaterialization:
            config = dg.RunConfig(ops={"remembered": Length(letters=letters)})
            result = dg.materialize([asset], instance=instance, resources={"lake": lake}, run_config=config)
            return result.asset_materializations_for_node("remembered")[0]

        yield run


def test_equal_inputs_are_computed_once_and_hand_over_the_same(run):
    made: list[int] = []
    first, second = run(remembering("1", made)), run(remembering("1", made))
    assert made == [3]
    assert second.metadata["record"] == first.metadata["record"]
    assert second.metadata["lake_ref"] == first.metadata["lake_ref"]
    assert second.metadata["unchanged"].value is True
    assert first.tags is not None
    assert second.tags is not None
    assert second.tags["dagster/data_version"] == first.tags["dagster/data_version"]


def test_other_config_or_other_code_is_computed_again(run):
    made: list[int] = []
    run(remembering("1", made))
    run(remembering("1", made), letters=4)
    run(remembering("2", made), letters=4)
    assert made == [3, 4, 4]


def test_a_result_whose_bytes_were_erased_is_computed_again(run, lake):
    made: list[int] = []
    run(remembering("1", made))
    lake.erase("made/letters")
    run(remembering("1", made))
    assert made == [3, 3]


def test_in_a_job_for_a_day_an_asset_without_days_is_kept_and_one_with_days_is_remembered_per_day(lake):
    made: list[str] = []

    @dg.asset(code_version="1", name="whole")
    def whole(context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]) -> dg.MaterializeResult:
        return answer(context, lake, "whole")

    @dg.asset(code_version="1", name="daily", partitions_def=DAILY)
    def daily(context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]) -> dg.MaterializeResult:
        return answer(context, lake, f"daily {context.partition_key}")

    def answer(context: dg.AssetExecutionContext, lake: Lake, name: str) -> dg.MaterializeResult:
        memory = Memory(context, lake, "the same")
        if memory.result is not None:
            return memory.result
        made.append(name)
        commit = publish(context, lake, {f"made/{name.partition(' ')[0]}": name.encode()})
        record = DatasetRef(name="n", ref=lake.uri(commit, f"made/{name.partition(' ')[0]}"), digest="0" * 64, rows=1)
        return materialized(context, record, memory=memory)

    with dg.DagsterInstance.ephemeral() as instance:
        for day in ("2026-03-02", "2026-03-03", "2026-03-02"):
            dg.materialize([whole, daily], instance=instance, resources={"lake": lake}, partition_key=day)
    assert sorted(made) == ["daily 2026-03-02", "daily 2026-03-03", "whole"]
