"""A person's word on the candidate at the gate: written into the audit log first, then a run of the graph's own job."""

import getpass
from datetime import UTC, datetime

import dagster as dg
from rich.console import Console

from llmops_assets.commands.releases import deployed
from llmops_assets.commands.runs import Runner
from llmops_assets.definitions import build_defs
from llmops_assets.gateway.identity.keys import KeyStore
from llmops_assets.gateway.interaction_log import InteractionLog
from llmops_assets.handover.reading import recorded
from llmops_assets.lib.gate import GateError
from llmops_assets.lib.judging import approvals
from llmops_assets.lib.records import Approval, Deployment, GateDecision
from resources import home_folder
from resources.workspace import Workspace


def approve(release: str, reason: str, name: str, key: str, days: int | None, console: Console) -> Deployment:
    """Let the candidate pass that waits at the gate, and roll it out: a run of the job approve."""
    return _let_pass(release, "approved", reason, name, key, days, console)


def override(release: str, reason: str, key: str, days: int | None, console: Console) -> Deployment:
    """Let a candidate pass that the gate stopped, by a key whose role the policy names, and roll it out."""
    return _let_pass(release, "overridden", reason, "", key, days, console)


def reject(release: str, reason: str, name: str, key: str, console: Console) -> Approval:
    """Reject the candidate at the gate: a run of the job reject; the incumbent serves on."""
    with dg.DagsterInstance.get() as instance:
        word = _say(instance, release, "rejected", reason, name, key, None)
        _run(instance, "reject", word, console)
    return word


def _let_pass(
    release: str, verdict: approvals.Verdict, reason: str, name: str, key: str, days: int | None, console: Console
) -> Deployment:
    with dg.DagsterInstance.get() as instance:
        _run(instance, "approve", _say(instance, release, verdict, reason, name, key, days), console)
        return deployed(instance)


def _run(instance: dg.DagsterInstance, job: str, word: Approval, console: Console) -> None:
    """Run a job that takes the word from the audit log."""
    runner = Runner(build_defs(), instance, console)
    runner.release_leftovers()
    runner.must_run(job, config={"approval": {"entry": word.entry}})


def _say(
    instance: dg.DagsterInstance,
    release: str,
    verdict: approvals.Verdict,
    reason: str,
    name: str,
    key: str,
    days: int | None,
) -> Approval:
    """The word, as an entry of the audit log. GateError where it cannot be given."""
    url = Workspace(home_folder()).log_url
    decision = recorded(instance, "gate", GateDecision)
    if decision is None:
        raise GateError("the gate has judged nothing yet: run `llmops build` first")
    if decision.candidate != release:
        raise GateError(f"the gate judged {decision.candidate} last, not {release}: only that one can be decided about")
    owner, role = _proven(url, key)
    # A key says who it is; without one it is whoever works on this machine, or says another name.
    who = owner or name or getpass.getuser()
    word = approvals.given(decision, verdict, who, reason, datetime.now(UTC), role=role, days=days)
    log = InteractionLog(url)
    try:
        entry = log.audit(approvals.ACTIONS[verdict], approvals.detail(word))
    finally:
        log.close()
    return approvals.recorded(entry, entry["number"])


def _proven(url: str, key: str) -> tuple[str, str]:
    """(owner, role) of a key's token; ("", "") without one. GateError for one that opens nothing."""
    if not key:
        return "", ""
    store = KeyStore(url)
    try:
        found = store.find(key)
    finally:
        store.close()
    if found is None or not found.valid(datetime.now(UTC)):
        raise GateError("this key opens nothing: `llmops keys list` shows those that do")
    return found.owner, found.role
