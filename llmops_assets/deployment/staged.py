"""The steps of a rollout: how one begins, and what is done about the route when it goes on, back, or is held.

Decided is it by the sensor `roll_back_on_regression` or by a person; the decision stands in the audit log before the
route is moved, and the move is refused where another state is served than it was decided on. A run that is killed at
any point may be run again: what it finds said, or moved, it does not say or move twice.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from llmops_assets.gateway.state import ServingState
from llmops_assets.handover import serving
from llmops_assets.handover.display import table
from llmops_assets.lib.errors import LlmopsError
from llmops_assets.lib.hashing import canonical_json
from llmops_assets.lib.records import Release, Rollout, RolloutDecision, RolloutPolicy
from resources.deployment_target import DeploymentError, DeploymentTarget
from resources.interaction_log import InstalledLog
from resources.lake.base import Lake, NotFoundError

ACTIONS: Mapping[str, str] = {
    "advance": "rollout advanced",
    "withdraw": "rollout withdrawn",
    "hold": "rollout held",
    "resume": "rollout resumed",
}
"""What can be done about a rollout, and its name in the audit log."""
MOVES = ("advance", "withdraw")
"""Actions that change what is served."""
FILE = "rollout.json"
"""In a release's folder: how its last rollout stands or ended."""


class RolloutError(LlmopsError):
    """A rollout cannot be changed so; the message says why."""


@dataclass(frozen=True)
class Word:
    """What is to be done and why: a decision's, or with `name` a person's. `generation` is that of the recorded state
    that it was decided on; -1: whichever it is."""

    action: str
    generation: int = -1
    reason: str = ""
    name: str = ""
    decision: RolloutDecision | None = None


def begun(record: Release, incumbent: str, policy: RolloutPolicy, target: DeploymentTarget) -> Rollout:
    """The rollout whose first step the target serves now."""
    return Rollout(
        release_id=record.release_id,
        incumbent=incumbent,
        policy=policy,
        step=0,
        generation=target.routed().generation,
        began=datetime.now(UTC),
    )


def insist_free(live: serving.Serving | None, release_id: str) -> None:
    """Failure while another candidate is on its way: two would be measured against each other's traffic."""
    running = under_way(live)
    if running is not None and running.release_id != release_id:
        raise dg.Failure(
            f"{running.release_id} is being rolled out ({running.share:.0%} of conversations): end that first, with "
            "`llmops rollout advance` or `llmops rollout abort`",
            allow_retries=False,
        )


def insist_not_withdrawn(lake: Lake, release_id: str) -> None:
    """Failure for a candidate that was taken back: the same would happen again."""
    found = last(lake, release_id)
    if found is not None and found.state == "withdrawn":
        why = found.decision.reason if found.decision else "no reason was recorded"
        raise dg.Failure(
            f"{release_id} was withdrawn from its rollout: {why}. To try it all the same, set `again: true` in the "
            "configuration of deployment",
            allow_retries=False,
        )


def last(lake: Lake, release_id: str) -> Rollout | None:
    """How the last rollout of a release stands or ended; None where it had none."""
    try:
        return Rollout.model_validate_json(lake.get("main", f"{serving.folder_of(release_id)}/{FILE}"))
    except NotFoundError:
        return None


def under_way(live: serving.Serving | None) -> Rollout | None:
    """The rollout that runs beside what serves, or None."""
    found = live.deployment.rollout if live else None
    return found if found is not None and found.state == "running" else None


def shown(way: Rollout | None) -> dict[str, Any]:
    """A rollout as the metadata of `deployment` shows it; nothing without one."""
    if way is None:
        return {}
    told: dict[str, Any] = {
        "rollout": f"{way.release_id}: {way.state}{', held' if way.held else ''}",
        "rollout_share": way.share,
        "rollout_step": f"{way.step + 1} of {len(way.policy.steps)}",
    }
    if way.decision is not None:
        told["rollout_reason"] = way.decision.reason
        if way.decision.figures:
            told["rollout_figures"] = table([figure.model_dump(mode="json") for figure in way.decision.figures])
    return told


def place(route: ServingState, rollout: Rollout) -> str | int | None:
    """Where the route has a rollout: at a step, `live`, `withdrawn`; None where it serves something else."""
    if route.canary is None:
        return {rollout.release_id: "live", rollout.incumbent: "withdrawn"}.get(route.live or "")
    if (route.live, route.canary) != (rollout.incumbent, rollout.release_id):
        return None
    steps = rollout.policy.steps
    return steps.index(route.canary_share) if route.canary_share in steps else None


def carried_out(
    rollout: Rollout, word: Word, target: DeploymentTarget, log: InstalledLog, candidate: Release
) -> Rollout:
    """The rollout after a word was written down and the route moved, where neither had been done. RolloutError."""
    if word.action not in ACTIONS:
        raise RolloutError(f"{word.action!r}: there is {', '.join(ACTIONS)}")
    route = target.routed()
    at = place(route, rollout)
    if at is None:
        raise RolloutError(
            f"the target serves {route.live} with {route.canary or 'nothing'} beside it, and not the rollout of "
            f"{rollout.release_id} that was recorded last: look at it and roll back"
        )
    if at != rollout.step:
        # A run that was killed before it could record it had moved the route.
        return _stood(rollout, at, route, _said(log, rollout))
    if word.generation not in (-1, rollout.generation):
        raise RolloutError(
            f"this was decided on generation {word.generation} of what is served, and the rollout has gone on to "
            f"{rollout.generation} meanwhile"
        )
    if rollout.held and word.action == "advance" and not word.name:
        raise RolloutError(f"a person holds the rollout of {rollout.release_id}: it goes on when they say so")
    entry = log.audit(ACTIONS[word.action], _detail(rollout, word), once=_beginning(rollout, word))
    if word.action not in MOVES:
        return rollout.model_copy(update={"held": word.action == "hold", "entry": entry["number"]})
    try:
        _move(rollout, word, target, candidate, route.generation)
    except DeploymentError as error:
        raise RolloutError(str(error)) from error
    after = target.routed()
    reached = place(after, rollout)
    assert reached is not None, "the target serves what it was told"
    return _stood(rollout, reached, after, entry)


def _move(rollout: Rollout, word: Word, target: DeploymentTarget, candidate: Release, generation: int) -> None:
    if word.action == "withdraw":
        target.abort_canary(generation)
        return
    share = rollout.policy.steps[rollout.step + 1]
    stage = "live" if share == 1 else "canary"
    target.apply(candidate.manifest, stage, share=share, expected=generation)


def _stood(rollout: Rollout, at: str | int, route: ServingState, entry: Mapping[str, Any] | None) -> Rollout:
    """The rollout where the route has it, with the decision that brought it there."""
    told = json.loads(entry["detail"].split(" ", 2)[2]) if entry else {}
    steps = rollout.policy.steps
    decision = told.get("decision") or {"verdict": _verdict(at), "reason": _by(told)}
    return rollout.model_copy(
        update={
            "step": at if isinstance(at, int) else len(steps) - 1 if at == "live" else rollout.step,
            "state": "running" if isinstance(at, int) else at,
            "generation": route.generation,
            "held": False,
            "began": datetime.now(UTC),
            "decision": RolloutDecision.model_validate(decision),
            "entry": entry["number"] if entry else 0,
        }
    )


def _verdict(at: str | int) -> str:
    return "roll_back" if at == "withdrawn" else "advance"


def _by(told: Mapping[str, Any]) -> str:
    """A person's word in a sentence."""
    return f"{told['name']}: {told['reason']}" if told else "found so on the target, and nobody said why"


def _beginning(rollout: Rollout, word: Word) -> str:
    """What an entry about this state begins with; a person may say the same of one state twice."""
    return "" if word.name else f"{rollout.release_id} {rollout.generation} "


def _detail(rollout: Rollout, word: Word) -> str:
    decision = word.decision.model_dump(mode="json") if word.decision else None
    told = {"name": word.name, "reason": word.reason, "share": rollout.share, "decision": decision}
    return f"{rollout.release_id} {rollout.generation} {canonical_json(told)}"


def _said(log: InstalledLog, rollout: Rollout) -> dict[str, Any] | None:
    """The word that moved the route from the state in which the rollout was recorded."""
    return log.last_audit([ACTIONS[action] for action in MOVES], f"{rollout.release_id} ")
