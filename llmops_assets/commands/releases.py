"""Builds a release and takes one back, each a run of a job of the graph; what was released, and what is in it."""

from datetime import date

import dagster as dg
from rich.console import Console
from rich.table import Table

from llmops_assets.commands.runs import Runner
from llmops_assets.definitions import build_defs
from llmops_assets.handover import serving
from llmops_assets.handover.reading import recorded
from llmops_assets.lib import signing
from llmops_assets.lib.errors import LlmopsError
from llmops_assets.lib.records import Deployment
from llmops_assets.lib.signing.keys import SHOWN
from llmops_assets.lib.sources import told
from llmops_assets.partitions import DAILY, outside
from llmops_assets.samples import generator
from resources import home_folder
from resources.conversations import Conversations
from resources.deployment_target.base import read_seal
from resources.lake.base import Lake, NotFoundError
from resources.models import ModelNotFoundError
from resources.use_case import UseCaseFiles
from resources.wiring import open_lake, open_models, open_signer
from resources.workspace import SettingsError, Workspace

SAMPLE_CONVERSATIONS = 1500
DEPLOYMENTS = "deployments"
"""Folder of the lake: a file a deployment, named by its time (UTC) and its release."""


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


def listing(console: Console) -> None:
    """Every release: when it was deployed last, whether it serves, and who signed it or what is wrong with it."""
    workspace = Workspace(home_folder())
    lake = open_lake(workspace)
    released = {stat.path.split("/")[1] for stat in lake.list("main", f"{serving.FOLDER}/")}
    if not released:
        console.print("Nothing was released yet: `llmops build` makes the first release.")
        return
    with dg.DagsterInstance.get() as instance:
        live = serving.recorded(instance, lake)
    state = {live.deployment.previous: "before", live.release.release_id: "serves"} if live else {}
    # Named by time and release: the last one of a release is kept.
    times: dict[str, str] = {}
    for stat in lake.list("main", f"{DEPLOYMENTS}/"):
        moment, _, name = stat.path.removeprefix(f"{DEPLOYMENTS}/").removesuffix(".json").partition("-")
        times[name] = moment
    table = Table("release", "deployed last", "", "signed by")
    for name in sorted(released, key=lambda name: times.get(name, ""), reverse=True):
        table.add_row(name, times.get(name, "never"), state.get(name, ""), signature(lake, workspace, name))
    console.print(table)


def signature(lake: Lake, workspace: Workspace, name: str) -> str:
    """The key that signed a release, or why it would be refused."""
    try:
        return signing.insist_sealed(
            read_seal(lake, name), serving.published(lake, name).manifest, open_signer(workspace).keys()
        )[:SHOWN]
    except (signing.RefusedError, signing.KeyFileError, NotFoundError) as error:
        return str(error)


def bill_of_materials(name: str) -> str:
    """The signed CycloneDX bill of a release, as JSON. LlmopsError where it is missing or not what was signed."""
    workspace = Workspace(home_folder())
    lake = open_lake(workspace)
    try:
        manifest = serving.published(lake, name).manifest
    except NotFoundError:
        raise LlmopsError(f"{name} was never released: `llmops releases list` shows those that were") from None
    seal = read_seal(lake, name)
    try:
        signing.insist_sealed(seal, manifest, open_signer(workspace).keys())
    except signing.RefusedError as error:
        raise LlmopsError(str(error)) from error
    return seal[signing.BOM].decode()
