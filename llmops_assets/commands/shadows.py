"""A release in the shadow: live questions are put to it too, nobody sees its answers, and they are compared here."""

import csv
import getpass
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import dagster as dg
from rich.console import Console
from rich.table import Table

from llmops_assets.gateway.interaction_log import InteractionLog
from llmops_assets.handover import reading, serving
from llmops_assets.lib.errors import LlmopsError
from llmops_assets.lib.records import Candidate, ReleaseManifest, UseCase
from llmops_assets.lib.watching.rollout_pairs import Pairs, compare
from resources import home_folder, open_lake, open_target
from resources.lake.base import Lake, NotFoundError
from resources.workspace import Workspace

COLUMNS = ("id", "time", "question", "path", "answer", "shadow_path", "shadow_answer", "shadow_status")
Result = TypeVar("Result")


class ShadowError(LlmopsError):
    """There is no such release, or none in the shadow; the message says which there are."""


def start(release_id: str, share: float) -> str:
    """Put a release, or the candidate that was judged last, into the shadow; the address of its target."""
    workspace = Workspace(home_folder())
    lake = open_lake(workspace)
    target = open_target(workspace, lake=lake)
    with dg.DagsterInstance.get() as instance:
        manifest = _manifest(instance, lake, release_id)
    status = target.apply(manifest, "shadow", share=share)
    _noted(workspace, "shadow started", f"{release_id} {share:g} by {getpass.getuser()}")
    return status.address


def stop() -> str:
    """End the shadow; its name. ShadowError without one."""
    workspace = Workspace(home_folder())
    target = open_target(workspace)
    shadow = _insist(target.routed().shadow)
    target.end_shadow()
    _noted(workspace, "shadow ended", f"{shadow} by {getpass.getuser()}")
    return shadow


def report(release_id: str, days: int, file: Path | None, console: Console) -> None:
    """Show paired figures of a release (none: the one in the shadow); `file` gets the answers that differ."""
    workspace = Workspace(home_folder())
    with dg.DagsterInstance.get() as instance:
        case = reading.recorded(instance, "use_case", UseCase)
    name = release_id or _insist(open_target(workspace).routed().shadow)
    since = datetime.now(UTC) - timedelta(days=days)
    rows = _of_log(workspace, lambda log: log.shadowed(name, since))
    if not rows:
        raise ShadowError(f"{name} answered nothing in the shadow in the last {days} days")
    slow = (case.rollout.slow_seconds or case.maximum_latency_p95_seconds) if case else float("inf")
    found = compare(rows, slow)
    _show(name, found, console)
    if file is not None:
        _write(file, found)


def _show(name: str, found: Pairs, console: Console) -> None:
    said = f"{found.same_answer} answers are the same text, {found.same_path} take the same path"
    console.print(f"{name} answered {found.total} live questions in the shadow: {said}", highlight=False)
    shown = Table("metric", "shadow only", "live only", "points more", "interval (90 %)", "p")
    for f in found.figures:
        points = 100 * (f.shadow_only - f.live_only) / f.total
        interval = f"{100 * f.low:+.1f} to {100 * f.high:+.1f}"
        shown.add_row(f.metric, str(f.shadow_only), str(f.live_only), f"{points:+.1f}", interval, f"{f.p:.2g}")
    console.print(shown)


def _write(file: Path, found: Pairs) -> None:
    try:
        with file.open("w", newline="") as out:
            writer = csv.DictWriter(out, COLUMNS, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(found.differing)
    except OSError as error:
        raise ShadowError(f"{file} cannot be written: {error.strerror}") from error


def _manifest(instance: dg.DagsterInstance, lake: Lake, release_id: str) -> ReleaseManifest:
    try:
        return serving.published(lake, release_id).manifest
    except NotFoundError:
        pass
    judged = reading.recorded(instance, "candidate", Candidate)
    if judged is None or judged.release_id != release_id:
        there = f"the candidate {judged.release_id}" if judged else "no candidate"
        raise ShadowError(f"{release_id} was never released; beside the releases there is {there}")
    return judged.manifest


def _insist(shadow: str | None) -> str:
    if shadow is None:
        raise ShadowError("no release is in the shadow: `llmops shadow start RELEASE` puts one there")
    return shadow


def _noted(workspace: Workspace, action: str, detail: str) -> None:
    _of_log(workspace, lambda log: log.audit(action, detail))


def _of_log(workspace: Workspace, ask: Callable[[InteractionLog], Result]) -> Result:
    log = InteractionLog(workspace.log_url)
    try:
        return ask(log)
    finally:
        log.close()
