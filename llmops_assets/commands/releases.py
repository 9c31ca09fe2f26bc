"""Builds a release and takes one back: each is a run of a job of the graph."""

from datetime import date

import dagster as dg
from rich.console import Console

from llmops_assets.commands.runs import Runner
from llmops_assets.definitions import build_defs
from llmops_assets.handover.reading import recorded
from llmops_assets.lib.records import Deployment
from llmops_assets.lib.sources import told
from llmops_assets.partitions import DAILY, outside
from llmops_assets.samples import generator
from resources import home_folder
from resources.conversations import Conversations
from resources.models import ModelNotFoundError
from resources.use_case import UseCaseFiles
from resources.wiring import open_models
from resources.workspace import SettingsError, Workspace

SAMPLE_CONVERSATIONS = 1500


def build(wanted: date | None, console: Console) -> Deployment:
    """Run the job build_release as of a day (none: the last one), after the days before it that were not ingested."""
    workspace = Workspace(home_folder())
    check_inputs(workspace)
    days = days_to_build(workspace, wanted, console)
    with dg.DagsterInstance.get() as instance:
        runner = Runner(build_defs(), instance, console)
        runner.release_leftovers()
        known = instance.get_materialized_partitions(dg.AssetKey("labelled_conversations"))
        for missing in days[:-1]:
            if str(missing) not in known:
                runner.must_run("ingest_day", missing, brief=True)
        runner.must_run("build_release", wanted or days[-1])
        return deployed(instance)


def check_inputs(workspace: Workspace) -> None:
    """SettingsError or SliceError, before anything runs, when use case, slices or base model cannot be used."""
    files = UseCaseFiles(workspace.settings)
    files.read()
    files.slices()
    try:
        open_models(workspace).resolve(workspace.settings.base_model)
    except ModelNotFoundError as error:
        raise SettingsError(f"{workspace.home / 'settings.yaml'}: base_model: {error}") from error


def days_to_build(workspace: Workspace, wanted: date | None, console: Console) -> list[date]:
    """Days of conversations up to and including `wanted`; the sample's are written where there are none at all."""
    conversations = Conversations(workspace)
    found, faults = conversations.days(), conversations.faults()
    if faults:
        console.print(told(faults), highlight=False)
    if not found:
        if faults:
            raise SettingsError(f"no file of the sources can be used: {told(faults)}")
        if workspace.settings.source is not None or workspace.settings.sources:
            raise SettingsError("the sources that settings.yaml names hold no conversations")
        files = generator.write_archive(workspace.home / "inbox", SAMPLE_CONVERSATIONS)
        console.print(f"no conversations yet: the sample's two weeks are written to {files[0].parent}")
        found = conversations.days()
    partitions = set(DAILY.get_partition_keys())
    if left_out := outside(found):
        console.print(left_out)
    days = [day for day in found if str(day) in partitions and (wanted is None or day <= wanted)]
    if not days:
        raise SettingsError(f"no conversations on or before {wanted or max(DAILY.get_partition_keys())}")
    return days


def roll_back(to: str, console: Console) -> Deployment:
    """Run the job roll_back: serve the release before the live one, or the one named `to`, again."""
    with dg.DagsterInstance.get() as instance:
        runner = Runner(build_defs(), instance, console)
        runner.release_leftovers()
        runner.must_run("roll_back", config={"deployment": {"roll_back": True, "roll_back_to": to}})
        return deployed(instance)


def deployed(instance: dg.DagsterInstance) -> Deployment:
    """What the last run of `deployment` recorded."""
    found = recorded(instance, "deployment", Deployment)
    assert found is not None
    return found
