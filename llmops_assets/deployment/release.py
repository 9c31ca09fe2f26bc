"""The atomic tuple that is served, named by the hash of its manifest; made only of what the gate has judged, and
signed together with the gate's evidence and its bill of materials."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from llmops_assets.evaluation import evidence
from llmops_assets.handover import serving
from llmops_assets.handover.claims import Claims
from llmops_assets.handover.display import address
from llmops_assets.handover.publishing import materialized, publish
from llmops_assets.handover.reading import find, read
from llmops_assets.lib import bom, signing
from llmops_assets.lib.answering.wordings import knows
from llmops_assets.lib.auditing import purposes
from llmops_assets.lib.gate import GateError
from llmops_assets.lib.hashing import canonical_json
from llmops_assets.lib.judging import approvals
from llmops_assets.lib.records import Approval, Candidate, DataTerms, GateDecision, Release
from resources.lake.base import Lake
from resources.signer import Signer

NAME = "release"
PURPOSE = "support"


@dg.asset(
    deps=["candidate", "gate", "approval"],
    kinds={"json"},
    owners=["team:operations"],
    code_version="6",
    check_specs=[
        dg.AssetCheckSpec(
            "every_row_allows_serving",
            asset=NAME,
            blocking=True,
            description="No row that the model learned from speaks against using it for support today.",
        ),
        dg.AssetCheckSpec(
            "carries_an_ai_notice",
            asset=NAME,
            blocking=True,
            description="It can tell people in its language that they talk to a machine (EU AI Act, Article 50).",
        ),
    ],
)
def release(
    context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake], signer: dg.ResourceParam[Signer]
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:
    """The release: its manifest in the lake, signed with the gate's evidence and its bill of materials. Refused when
    the gate judged something else."""
    decision, entering = read(context, "gate", GateDecision), read(context, "candidate", Candidate)
    word = find(context, "approval", Approval)
    try:
        approvals.insist(decision, word, datetime.now(UTC))
    except GateError as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    if decision.candidate != entering.release_id:
        raise dg.Failure(
            f"the gate judged {decision.candidate}, but the candidate is {entering.release_id} now: "
            "materialize quality_report, safety_report and gate again",
            allow_retries=False,
        )
    claims, terms = Claims(context), entering.tuned.terms if entering.tuned else DataTerms()
    refused = purposes.refuses(terms, PURPOSE, datetime.now(UTC).date())
    claims.hold_terms("every_row_allows_serving", refused, terms)
    manifest = entering.manifest
    told = f"the use case's `replies` need a `notice` in {manifest.language!r}"
    claims.hold("carries_an_ai_notice", knows("notice", manifest.language, manifest.replies), told)
    yield from claims.results()
    claims.insist(f"{entering.release_id} is not released")
    folder = serving.folder_of(entering.release_id)
    word = None if decision.passed else word
    bill = bom.bill(manifest, entering.tuned, entering.training, entering.knowledge, bom.installed())
    told = evidence.files(lake, decision.evidence[0])
    sealed = signing.sealed(manifest, canonical_json(bill).encode(), told, word, signer.sign)
    files = {f"{folder}/{name}": data for name, data in sealed.items()}
    commit = publish(context, lake, files, release=manifest.release_id)
    record = Release(
        release_id=manifest.release_id,
        manifest=manifest,
        manifest_ref=lake.uri(commit, f"{folder}/manifest.json"),
        gate=decision.evidence[0],
        incumbent=decision.incumbent,
        tuned=entering.tuned,
        training=entering.training,
        approval=word,
    )
    publish(context, lake, {f"{folder}/release.json": record.model_dump_json().encode()}, release=record.release_id)
    yield materialized(
        context,
        record,
        lake=lake,
        ref=record.manifest_ref,
        digest=manifest.content_hash,
        claims=claims,
        release_id=record.release_id,
        evidence=address(lake, record.gate),
        findings=list(entering.training.findings),
        replaces=record.incumbent or "",
        approval=told_of(record.approval),
        signed_by=signer.key().id,
        bill_of_materials=address(lake, lake.uri(commit, f"{folder}/{signing.BOM}")),
        figures=bom.counted(bill),
        inputs={
            "gate": record.gate,
            "model": entering.tuned.digest if entering.tuned else "",
            "index": manifest.knowledge_index.sha256 if manifest.knowledge_index else "",
        },
    )


def told_of(word: Approval | None) -> str:
    """Whose word let a release pass, for its metadata."""
    if word is None:
        return "the gate let it pass"
    who = f"{word.name} ({word.role})" if word.role else word.name
    return f"{word.verdict} by {who}, audit entry {word.entry}: {word.reason}"
