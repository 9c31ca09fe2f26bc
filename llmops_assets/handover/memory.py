"""Work that is unchanged is not done again: one mechanism for results, and for files that outlive one result.

What determines a result is named by a digest: the asset's code version and the parts given. Why, and what invalidates:
docs/decisions/unchanged.md.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
from dagster import AssetRecordsFilter

from llmops_assets.handover.claims import Claims
from llmops_assets.handover.publishing import CLAIMS, INPUTS_DIGEST
from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.records import LakeRef
from resources.lake.base import GoneError, Lake, NotFoundError


def inputs_digest(context: dg.AssetExecutionContext, *parts: object) -> str:
    """Name of everything that determines a result: code version of the asset, config, and the parts given."""
    return hash_json([context.assets_def.code_versions_by_key[context.asset_key], *map(str, parts)])


class Memory:
    """What an asset, or this partition of it, made of the same inputs before.

    `result` is the last materialization once more (its figures, links and record) when it was made of the same parts
    and every byte it names is still in the lake, else None. `repeat` gives its checks again, too.
    """

    def __init__(self, context: dg.AssetExecutionContext, lake: Lake, *parts: object) -> None:
        key = context.asset_key
        self.digest = inputs_digest(context, *parts)
        self.result: dg.MaterializeResult | None = None
        self._context = context
        self._metadata: Mapping[str, Any] = {}
        # A job for a day has assets in it that have no days.
        daily = context.assets_def.specs_by_key[key].partitions_def is not None
        partitions = [context.partition_key] if daily and context.has_partition_key else None
        wanted = AssetRecordsFilter(asset_key=key, asset_partitions=partitions)
        records = context.instance.fetch_materializations(wanted, limit=1).records
        if not records or records[0].asset_materialization is None:
            return
        metadata = records[0].asset_materialization.metadata
        if _value(metadata, INPUTS_DIGEST) != self.digest:
            return
        # A check that came with a newer version was not computed then.
        stated = _value(metadata, CLAIMS) or {}
        if any(spec.name not in stated for spec in context.assets_def.check_specs):
            return
        if not all(still_there(lake, ref) for ref in {_value(metadata, "lake_ref"), *refs(_value(metadata, "record"))}):
            context.log.info("inputs are unchanged, but bytes of the last result are gone: it is made again")
            return
        context.log.info("code, config and inputs are unchanged: the last result is kept")
        version = dg.DataVersion(str(_value(metadata, "content_hash"))[:32])
        self.result = dg.MaterializeResult(metadata={"unchanged": True, **metadata}, data_version=version)
        self._metadata = metadata

    def kept(self, name: str) -> Any:
        """A value of the kept result's metadata."""
        return _value(self._metadata, name)

    def repeat(self) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:
        """The checks as they were recorded with the kept result, then the result."""
        assert self.result is not None
        claims = Claims(self._context)
        claims.restate(_value(self._metadata, CLAIMS) or {})
        yield from claims.results()
        yield self.result


def kept_file(lake: Lake, path: str) -> tuple[str, bytes] | None:
    """(commit, bytes) of a file of main whose path names everything that it was made of; None to make it (again).

    Put `inputs_digest` into the path. Erased bytes count as never made.
    """
    commit = lake.resolve("main")
    try:
        return commit, lake.get(commit, path)
    except (NotFoundError, GoneError):
        return None


def still_there(lake: Lake, ref: object) -> bool:
    """Whether the bytes of a file, or every file of a folder, can be read; True for a result without any."""
    if not isinstance(ref, str):
        return True
    where = LakeRef.model_validate(ref)
    try:
        lake.open(where.commit, where.path).close()
        return True
    except GoneError:
        return False
    except NotFoundError:
        files = list(lake.list(where.commit, f"{where.path.rstrip('/')}/"))
    try:
        for file in files:
            lake.open(where.commit, file.path).close()
    except (GoneError, NotFoundError):
        return False
    return bool(files)


def refs(value: object) -> Iterator[str]:
    """Every lake ref in a record's JSON."""
    if isinstance(value, Mapping):
        for part in value.values():
            yield from refs(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from refs(part)
    elif isinstance(value, str) and value.startswith(("lake://", "lakefs://")):
        yield value


def _value(metadata: Mapping[str, Any], name: str) -> Any:
    return metadata[name].value if name in metadata else None
