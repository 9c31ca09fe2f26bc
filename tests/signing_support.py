"""Releases as the graph leaves them in a lake: judged, signed by a key of ours, with everything beside the manifest."""

from collections.abc import Mapping
from pathlib import Path

from support import COMMIT, ref

from llmops_assets.lib import signing
from llmops_assets.lib.records import (
    DatasetRef,
    EvalReport,
    GateDecision,
    GatePolicy,
    QualityReport,
    ReleaseManifest,
    SafetyReport,
    SliceScore,
)
from llmops_assets.lib.signing import SigningKey, Statement
from llmops_assets.lib.signing.keys import TrustedKey, write_trusted
from llmops_assets.lib.signing.statement import write
from resources.lake.base import Lake

KEY = SigningKey.new()
"""By which everything is signed that a test does not sign itself."""


def trusted_file(file: Path, *keys: SigningKey, revoked: Mapping[str, str] | None = None) -> Path:
    """A file of trusted keys, `KEY` alone where none are given; `revoked` is id to day."""
    days = revoked or {}
    write_trusted(file, {k.id: TrustedKey(k.id, k.public, "2026-03-01", days.get(k.id, "")) for k in keys or (KEY,)})
    return file


def judged(name: str, **fields) -> dict[str, bytes]:
    """The gate's evidence for a release that passed, by its names in the lake."""
    suite = DatasetRef(name="suite", ref=ref("suite.jsonl", COMMIT), digest="d" * 64, rows=1)
    score = SliceScore(right=1, total=1)
    report = EvalReport(subject=name, suite=suite, overall=score, slices={"faq": score})
    values = {
        "passed": True,
        "candidate": name,
        "incumbent": None,
        "policy": GatePolicy(),
        "slices": (),
        "failed_slices": (),
        "reasons": (),
        "evidence": (),
        "status": "passed",
        "rules": 2,
    }
    place = ref("report.html", COMMIT)
    safety = SafetyReport(candidate=name, probes={}, answers=place, knowledge=place, prompt="Be brief.", report=place)
    return {
        "decision.json": GateDecision.model_validate({**values, **fields}).model_dump_json().encode(),
        "report.json": QualityReport(candidate=report, incumbent=None, report=place).model_dump_json().encode(),
        "safety.json": safety.model_dump_json().encode(),
    }


def seal_of(
    manifest: ReleaseManifest, key: SigningKey = KEY, evidence: Mapping[str, bytes] | None = None
) -> dict[str, bytes]:
    """What is signed with a release, and its signature."""

    def sign(name: str, files: Mapping[str, str]) -> bytes:
        return write(Statement(name, files), key, signing.SIGNATURE)

    return signing.sealed(manifest, b"{}", evidence or judged(manifest.release_id), None, sign)


def publish_seal(lake: Lake, manifest: ReleaseManifest, seal: Mapping[str, bytes] | None = None) -> None:
    """Put a release's sealed files where a target looks for them."""
    with lake.transaction("release", {}, name="release") as transaction:
        for file, data in (seal or seal_of(manifest)).items():
            transaction.put(f"releases/{manifest.release_id}/{file}", data)
