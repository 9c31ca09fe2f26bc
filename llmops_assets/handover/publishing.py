"""What an asset writes down: files in the lake in one transaction, and its result with figures and its record."""

import functools
import os
import subprocess
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from llmops_assets.handover.days import PARTITION_TAG
from llmops_assets.handover.reading import looked_back
from llmops_assets.lib.records import LakeRef, Record
from llmops_assets.lib.records.base import paths_in
from resources.lake.base import Lake

if TYPE_CHECKING:
    from llmops_assets.handover.claims import Claims
    from llmops_assets.handover.memory import Memory

PACKAGES = ("dagster", "mlflow", "torch", "transformers", "peft", "evidently")
READ_BACK = "read_back"
"""Metadata: storage ids of earlier materializations that this one rests on beside its upstreams."""
CLAIMS = "claims"
"""Metadata: the checks that were stated with a result, so that a kept one states them again."""
INPUTS_DIGEST = "inputs_digest"
TEXTS = (dg.TextMetadataValue, dg.UrlMetadataValue, dg.PathMetadataValue, dg.JsonMetadataValue)


def publish(
    context: dg.AssetExecutionContext,
    lake: Lake,
    files: Mapping[str, bytes | Path],
    *,
    branch: str = "main",
    **metadata: object,
) -> str:
    """Put files into the lake in one transaction of this asset and return the commit of the branch that holds them.

    Files that stand there already with equal bytes change nothing. `metadata` (row counts and the like) goes into
    the commit beside the run's tags.
    """
    name = context.asset_key.to_user_string()
    about = run_tags(context, **{key: str(value) for key, value in metadata.items()})
    with lake.transaction(f"Materialize {name}", about, name=name, base=branch) as transaction:
        for path, source in sorted(files.items()):
            transaction.put(path, source)
    assert transaction.merged is not None
    return transaction.merged


def materialized(
    context: dg.AssetExecutionContext,
    record: Record,
    *,
    lake: Lake | None = None,
    ref: LakeRef | None = None,
    digest: str | None = None,
    inputs: Mapping[str, object] | None = None,
    figures: Mapping[str, Any] | None = None,
    memory: "Memory | None" = None,
    claims: "Claims | None" = None,
    **more: Any,
) -> dg.MaterializeResult:
    """The result of an asset: links and figures first, then what it read, where its bytes lie, and its record.

    `digest` is the content hash and the data version; without it, the record's own hash. `inputs` names the versions
    that were read, `memory` lets the next run with the same inputs keep this result, `claims` are the checks that go
    with it. Figures, as a mapping or by name, may be plain values or Dagster metadata values; they are counts, ids and
    links: rows and texts of customers belong into the lake, where erasure reaches them. Failure for a path of this
    machine: the next step may run on another.
    """
    digest = digest or record.content_hash
    shown = {**(figures or {}), **more}
    _insist_on_refs(context, {"record": record, **shown})
    metadata: dict[str, Any] = {}
    if ref is not None and lake is not None and (link := lake.link(ref)) is not None:
        metadata["lake"] = dg.MetadataValue.url(link)
    metadata |= dict(sorted(shown.items(), key=_rank))
    metadata["inputs"] = dg.MetadataValue.json({name: str(value) for name, value in (inputs or {}).items()})
    metadata["code"] = dg.MetadataValue.json({"git_sha": git_sha(), "versions": package_versions()})
    if ref is not None:
        metadata["lake_ref"] = str(ref)
    metadata["content_hash"] = digest
    if memory is not None:
        metadata[INPUTS_DIGEST] = memory.digest
    if back := looked_back(context):
        metadata[READ_BACK] = dg.MetadataValue.json(back)
    if claims is not None:
        metadata[CLAIMS] = dg.MetadataValue.json(claims.stored())
    metadata["record"] = dg.MetadataValue.json(record.model_dump(mode="json"))
    return dg.MaterializeResult(metadata=metadata, data_version=dg.DataVersion(digest[:32]))


def _insist_on_refs(context: dg.AssetExecutionContext, handed_over: Mapping[str, Any]) -> None:
    plain = {name: given.value if isinstance(given, TEXTS) else given for name, given in handed_over.items()}
    for where, text in paths_in(plain).items():
        if os.path.lexists(text.removeprefix("file://")):
            raise dg.Failure(
                f"{context.asset_key.to_user_string()}: {where} is {text}, a path of this machine, and steps share no "
                "disk: put it into the lake and hand over its ref",
                allow_retries=False,
            )


def _rank(entry: tuple[str, Any]) -> int:
    """Links, then figures, then pictures and tables; within each the order given."""
    kinds: tuple[type, ...] = (dg.UrlMetadataValue, dg.MarkdownMetadataValue, dg.TableMetadataValue)
    position = next((n for n, kind in enumerate(kinds) if isinstance(entry[1], kind)), None)
    return {0: 0, None: 1, 1: 2, 2: 3}[position]


def run_tags(context: dg.AssetExecutionContext, **more: str) -> dict[str, str]:
    """What ties a lake commit or an MLflow run to this materialization: run, asset, partition, code, versions."""
    tags = {
        "dagster_run": context.run.run_id,
        "asset": context.asset_key.to_user_string(),
        "partition": context.run.tags.get(PARTITION_TAG, ""),
        "git_sha": git_sha(),
        "findings": context.run.tags.get("findings", ""),
        "package": f"llmops-assets {version('llmops-assets')}" if _installed() else "llmops-assets (source tree)",
    }
    return {key: value for key, value in {**tags, **more}.items() if value}


@functools.cache
def git_sha() -> str:
    """Commit of the code this process runs, with `+changes` when the tree differs; empty outside a clone."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return ""
    sha = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, timeout=10, check=False
    )
    state = subprocess.run(
        ["git", "status", "--porcelain", "-uno"], cwd=root, capture_output=True, text=True, timeout=30, check=False
    )
    if sha.returncode != 0:
        return ""
    return sha.stdout.strip() + ("+changes" if state.stdout.strip() else "")


@functools.cache
def package_versions() -> dict[str, str]:
    """Versions of the libraries that shape results, read inside the run."""
    return {name: version(name) for name in PACKAGES}


@functools.cache
def _installed() -> bool:
    try:
        version("llmops-assets")
    except ImportError:
        return False
    return True
