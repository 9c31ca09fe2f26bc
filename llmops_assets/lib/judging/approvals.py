"""A person's word on a candidate: when it lets one pass that the gate did not, and how it stands in the audit log.

Who may say it is decided where it is said; here it is held against the decision, the policy and the clock.
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from llmops_assets.lib.gate import GateError, stopped
from llmops_assets.lib.hashing import canonical_json
from llmops_assets.lib.records import Approval, GateDecision

Verdict = Literal["approved", "rejected", "overridden"]
ACTIONS: Mapping[Verdict, str] = {
    "approved": "release approved",
    "rejected": "release rejected",
    "overridden": "gate overridden",
}
"""Verdict to the action's name in the audit log."""
SKEW = timedelta(minutes=5)
"""By how much clocks of two machines may differ."""


def given(
    decision: GateDecision,
    verdict: Verdict,
    name: str,
    reason: str,
    at: datetime,
    *,
    role: str = "",
    days: int | None = None,
) -> Approval:
    """A person's word, good for `days` (none: the policy's). GateError where the decision takes no such word."""
    policy = decision.policy
    if not name.strip() or not reason.strip():
        raise GateError("who says it, and why? It takes a name and a reason")
    if decision.passed and verdict != "rejected":
        raise GateError(f"{decision.candidate} passed the gate by itself: it needs nobody's word")
    if verdict == "approved" and decision.status != "waiting":
        raise GateError(f"{stopped(decision)}. What is stopped takes no approval, only an override")
    if verdict == "overridden" and role not in policy.override_roles:
        raise GateError(
            f"a key of the role {' or '.join(policy.override_roles)} may let a stopped candidate pass, "
            f"not {role or 'somebody without one'}"
        )
    if days is not None and days < 1:
        raise GateError(f"{days} days: it must be good for at least one")
    return Approval(
        release=decision.candidate,
        decision=decision.digest,
        verdict=verdict,
        name=name.strip(),
        role=role,
        reason=reason.strip(),
        at=at,
        expires=at + timedelta(days=days or policy.approval_days),
    )


def insist(decision: GateDecision, word: Approval | None, now: datetime | None) -> None:
    """GateError unless the decision passed, or a person's word on exactly this decision lets it pass at `now`.

    Without `now` nobody asks whether it has expired: what serves already may go on.
    """
    about_this = word is not None and word.release == decision.candidate
    if word is None or not about_this:
        if not decision.passed:
            raise GateError(stopped(decision))
        return
    when = f"{word.at:%Y-%m-%d %H:%M} UTC"
    if word.decision != decision.digest:
        if decision.passed:
            return
        raise GateError(
            f"what {word.name} {word.verdict} on {when} was another decision on {word.release}: approve it again"
        )
    if word.verdict == "rejected":
        raise GateError(f"{word.name} rejected {word.release} on {when}: {word.reason}")
    if word.verdict == "approved" and decision.status == "blocked":
        raise GateError(f"{stopped(decision)}. What is stopped takes no approval, only an override")
    if word.verdict == "overridden" and word.role not in decision.policy.override_roles:
        raise GateError(f"{word.name} overrode the gate as {word.role or 'nobody'}, which the policy does not allow")
    if now is not None and now < word.at - SKEW:
        raise GateError(f"{word.release} was {word.verdict} on {when}, which is yet to come: check the clock")
    if now is not None and now >= word.expires:
        raise GateError(
            f"{word.release} was {word.verdict} by {word.name} on {when}, which ended on {word.expires:%Y-%m-%d}: "
            "approve it again"
        )


def detail(word: Approval) -> str:
    """What the audit log keeps of it."""
    return canonical_json(word.model_dump(mode="json", exclude={"entry", "hash"}))


def recorded(entry: Mapping[str, Any] | None, number: int) -> Approval:
    """The word that an entry of the audit log holds. GateError where it is none."""
    if entry is None or entry["action"] not in ACTIONS.values():
        raise GateError(f"entry {number} of the audit log is no approval")
    word = Approval.model_validate({**json.loads(entry["detail"]), "entry": entry["number"], "hash": entry["hash"]})
    if entry["action"] != ACTIONS[word.verdict]:
        raise GateError(f"entry {number} of the audit log contradicts itself")
    return word


def insist_recorded(word: Approval, entry: Mapping[str, Any] | None, broken: int | None) -> None:
    """GateError unless the audit log holds exactly this word, and no entry of it is `broken`."""
    if broken is not None:
        raise GateError(f"entry {broken} of the audit log was changed: nobody's word counts until that is cleared up")
    if recorded(entry, word.entry) != word:
        raise GateError(f"the approval of {word.release} is not what entry {word.entry} of the audit log says")
