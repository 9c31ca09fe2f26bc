"""Releases for benchmarks that serve some: signed as the graph does it, with evidence of no judgement."""

from collections.abc import Mapping
from pathlib import Path

from llmops_assets.lib import bom, signing
from llmops_assets.lib.hashing import canonical_json
from llmops_assets.lib.records import (
    DatasetRef,
    EvalReport,
    GateDecision,
    GatePolicy,
    LakeRef,
    QualityReport,
    ReleaseManifest,
    SafetyReport,
    SliceScore,
)
from llmops_assets.lib.signing import SigningKey, Statement
from llmops_assets.lib.signing.keys import TrustedKey, write_trusted
from llmops_assets.lib.signing.statement import write

KEY = SigningKey.new()
PLACE = LakeRef(repository="lake", commit="c" * 40, path="somewhere")


def trusted(root: Path) -> Path:
    """The file of the key that signs here."""
    file = root / "trusted.pem"
    write_trusted(file, {KEY.id: TrustedKey(KEY.id, KEY.public)})
    return file


def seal(manifest: ReleaseManifest) -> dict[str, bytes]:
    """What is signed with a release, and its signature."""
    name, score = manifest.release_id, SliceScore(right=1, total=1)
    suite = DatasetRef(name="suite", ref=PLACE, digest="d" * 64, rows=1)
    report = EvalReport(subject=name, suite=suite, overall=score, slices={"faq": score})
    decision = GateDecision(
        passed=True,
        candidate=name,
        incumbent=None,
        policy=GatePolicy(),
        slices=(),
        failed_slices=(),
        reasons=(),
        evidence=(),
        status="passed",
    )
    safety = SafetyReport(candidate=name, probes={}, answers=PLACE, knowledge=PLACE, prompt="", report=PLACE)
    evidence = {
        "decision.json": decision,
        "report.json": QualityReport(candidate=report, incumbent=None, report=PLACE),
        "safety.json": safety,
    }

    def sign(release: str, files: Mapping[str, str]) -> bytes:
        return write(Statement(release, files), KEY, signing.SIGNATURE)

    bill = canonical_json(bom.bill(manifest, None, None, None, bom.installed())).encode()
    told = {file: record.model_dump_json().encode() for file, record in evidence.items()}
    return signing.sealed(manifest, bill, told, None, sign)
