"""The one truth about what serves: the release of the last materialization of `deployment`.

A rollout and a rollback are both runs that materialize `deployment`, so drift, KPIs, a warm start, the incumbent of a
judgement and the sensor follow either at once. What an asset reads here is no declared upstream (the loop would close
on itself); it is noted, and lineage draws it.
"""

from dataclasses import dataclass

import dagster as dg

from llmops_assets.handover import reading
from llmops_assets.lib.records import Deployment, Release
from resources.lake.base import Lake

ASSET = "deployment"
FOLDER = "releases"


@dataclass(frozen=True)
class Serving:
    """The release that serves, with the materialization of `deployment` that says so (its storage id)."""

    release: Release
    deployment: Deployment
    event: int


def folder_of(release_id: str) -> str:
    """Where a release lies in the lake."""
    return f"{FOLDER}/{release_id}"


def published(lake: Lake, release_id: str) -> Release:
    """A published release. NotFoundError when there is none of that name."""
    return Release.model_validate_json(lake.get("main", f"{folder_of(release_id)}/release.json"))


def recorded(instance: dg.DagsterInstance, lake: Lake) -> Serving | None:
    """What serves, or None before the first release: for sensors and commands."""
    stored = reading.last(instance, dg.AssetKey(ASSET))
    if stored is None:
        return None
    deployed = reading.parse(stored.asset_materialization, Deployment)
    return Serving(published(lake, deployed.release_id), deployed, stored.storage_id)


def find(context: dg.AssetExecutionContext, lake: Lake) -> Serving | None:
    """What serves, or None before the first release; noted as an edge of the lineage."""
    found = recorded(context.instance, lake)
    if found is not None:
        reading.look_back(context, found.event)
    return found


def read(context: dg.AssetExecutionContext, lake: Lake) -> Serving:
    """What serves. Failure before the first release."""
    found = find(context, lake)
    if found is None:
        raise dg.Failure("nothing was deployed yet: run the job build_release first")
    return found
