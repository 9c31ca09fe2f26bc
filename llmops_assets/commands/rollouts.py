"""The rollout under way on the command line: how it stands, and a person's word on it as a run of the job roll_out."""

import getpass
from datetime import UTC, datetime

import dagster as dg
from rich.console import Console
from rich.table import Table

from llmops_assets.commands.releases import deployed
from llmops_assets.commands.runs import Runner
from llmops_assets.definitions import build_defs
from llmops_assets.deployment import staged
from llmops_assets.handover import serving
from llmops_assets.lib.records import Deployment, Rollout
from resources import home_folder, open_lake, open_target
from resources.interaction_log import InstalledLog
from resources.workspace import Workspace
from sensors.roll_back_on_regression import decide

NONE = "no rollout is under way: one begins with `llmops build` where the use case has `rollout: steps`"


def status(console: Console) -> None:
    """Show the step, every metric with its interval, and what follows from it."""
    workspace = Workspace(home_folder())
    lake = open_lake(workspace)
    with dg.DagsterInstance.get() as instance:
        way = staged.under_way(serving.recorded(instance, lake))
        if way is None:
            console.print(NONE)
            return
        at = staged.place(open_target(workspace, lake=lake).routed(), way)
        log = InstalledLog(workspace.log_url)
        try:
            decision = decide(instance, log, way, datetime.now(UTC))
        finally:
            log.close()
    step = f"step {way.step + 1} of {len(way.policy.steps)}"
    console.print(
        f"{way.release_id} answers {way.share:.0%} of conversations beside {way.incumbent}: {step}, since "
        f"{way.began:%Y-%m-%d %H:%M} UTC{', held' if way.held else ''}",
        highlight=False,
    )
    shown = Table("metric", "candidate", "incumbent", "points more", "interval", "tolerated", "always-valid p", "level")
    for f in decision.figures:
        shown.add_row(
            f.metric,
            f"{f.candidate} of {f.candidate_of}",
            f"{f.incumbent} of {f.incumbent_of}",
            f"{100 * f.loss:+.1f}",
            f"{100 * f.low:+.1f} to {100 * f.high:+.1f}",
            f"{100 * f.tolerated:.1f}",
            f"{f.p:.2g}",
            f"{f.level:.2g}",
        )
    console.print(shown)
    console.print(f"{decision.verdict}: {decision.reason}", highlight=False)
    if at is None:
        console.print("the target serves something else than this rollout: roll back, or deploy again")
    elif at != way.step:
        console.print("the route was moved already; the run that did so ended before it recorded it")


def say(action: str, reason: str, name: str, console: Console) -> Rollout:
    """Let the rollout go on a step, hold it, resume it or end it: a run of the job roll_out. RolloutError without one.

    The word stands in the audit log with who said it.
    """
    with dg.DagsterInstance.get() as instance:
        way = staged.under_way(serving.recorded(instance, open_lake(Workspace(home_folder()))))
        if way is None:
            raise staged.RolloutError(NONE)
        runner = Runner(build_defs(), instance, console)
        runner.release_leftovers()
        config = {"action": action, "reason": reason, "name": name or getpass.getuser()}
        runner.must_run("roll_out", config={"deployment": config})
        return _way(deployed(instance))


def _way(record: Deployment) -> Rollout:
    assert record.rollout is not None
    return record.rollout
