"""A person's word on the candidate at the gate, from the Dagster UI or the command line, bound to the audit log."""

from datetime import UTC, datetime
from typing import Literal

import dagster as dg
from pydantic import Field

from llmops_assets.evaluation.gate import gate
from llmops_assets.handover.publishing import materialized
from llmops_assets.handover.reading import read
from llmops_assets.lib.gate import GateError
from llmops_assets.lib.judging import approvals
from llmops_assets.lib.records import Approval, GateDecision
from resources.interaction_log import InstalledLog

NAME = "approval"


class ApprovalConfig(dg.Config):
    """What a person says. An override needs a key: `llmops override` proves it and names the entry it made."""

    release: str = Field("", description="the candidate it is about; it must be the one that the gate judged last")
    verdict: Literal["approved", "rejected"] = Field("approved", description="whether it may be released")
    name: str = Field("", description="who says so")
    reason: str = Field("", description="why; it stands in the audit log and with the release for ever")
    entry: int = Field(0, ge=0, description="entry of the audit log that says all this already; 0: none does yet")


@dg.asset(deps=[gate], kinds={"json"}, owners=["team:operations"], code_version="1")
def approval(
    context: dg.AssetExecutionContext, config: ApprovalConfig, interaction_log: dg.ResourceParam[InstalledLog]
) -> dg.MaterializeResult:
    """Who approved, rejected or overrode the gate's last decision, and why; it stands in the audit log first."""
    decision = read(context, "gate", GateDecision)
    try:
        word = said(config, decision, interaction_log)
    except GateError as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    return materialized(
        context,
        word,
        candidate=word.release,
        verdict=word.verdict,
        by=word.name,
        role=word.role,
        reason=word.reason,
        expires=str(word.expires),
        audit_entry=word.entry,
        inputs={"gate": word.decision},
    )


def said(config: ApprovalConfig, decision: GateDecision, log: InstalledLog) -> Approval:
    """The word as the audit log has it, written there where it is not yet. GateError for one that cannot be."""
    if config.entry:
        word = approvals.recorded(log.audit_entry(config.entry), config.entry)
        approvals.insist_recorded(word, log.audit_entry(config.entry), log.broken_audit_entry())
        if word.decision != decision.digest:
            raise GateError(f"entry {config.entry} is about {word.release}, at the gate is {decision.candidate} now")
        return word
    if config.release != decision.candidate:
        raise GateError(
            f"the gate judged {decision.candidate} last, not {config.release or 'a release without a name'}: "
            "name the release that the decision is about"
        )
    word = approvals.given(decision, config.verdict, config.name, config.reason, datetime.now(UTC))
    entry = log.audit(approvals.ACTIONS[word.verdict], approvals.detail(word))
    return approvals.recorded(entry, entry["number"])
