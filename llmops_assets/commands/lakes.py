"""Looks after the lake of an installation: check, garbage collection, differences, its web page."""

from datetime import timedelta

from pydantic import ValidationError

from llmops_assets.lib import tables
from llmops_assets.lib.corpus import provenance_diff
from llmops_assets.lib.errors import LlmopsError, in_a_sentence
from llmops_assets.lib.records import LakeRef
from resources import home_folder, open_lake
from resources.lake.base import Lake
from resources.workspace import Workspace


def opened() -> Lake:
    """The lake of this installation."""
    return open_lake(Workspace(home_folder()))


def check() -> list[str]:
    """Every problem of the embedded lake's objects. LlmopsError on a server, which checks its own store."""
    from resources.lake.embedded import EmbeddedLake

    lake = opened()
    if not isinstance(lake, EmbeddedLake):
        raise LlmopsError("a lakeFS server checks its own store: see `llmops lineage verify` for the links")
    return lake.fsck()


def collect(days: int) -> str:
    """Remove what nothing names and nobody used for so many days; what was removed, as a line."""
    from resources.lake.embedded import EmbeddedLake
    from resources.lake.lakefs import LakeFSLake

    lake = opened()
    if isinstance(lake, EmbeddedLake):
        return f"removed: {lake.gc(timedelta(days=days))}"
    assert isinstance(lake, LakeFSLake)
    return f"dropped branches: {', '.join(lake.drop_abandoned(timedelta(days=days))) or 'none'}"


def diff(before: str, after: str, limit: int) -> provenance_diff.DatasetDiff:
    """The difference of two training datasets, each a lake ref or a tag."""
    lake = opened()
    data = (
        lake.read(_ref(name)) if "://" in name else lake.get(name, tables.TRAINING_ROWS) for name in (before, after)
    )
    return provenance_diff.compare(*map(tables.from_parquet, data), limit=limit)


def _ref(text: str) -> LakeRef:
    try:
        return LakeRef.model_validate(text)
    except ValidationError as error:
        raise LlmopsError(in_a_sentence(error)) from None


def serve_page() -> None:
    """Serve the lake's web page until interrupted."""
    import uvicorn

    from resources.lake.browser import create_app

    settings = Workspace(home_folder()).settings
    served = create_app(opened(), dagster=f"http://127.0.0.1:{settings.dagster_port}")
    uvicorn.run(served, host="127.0.0.1", port=settings.lake_port, log_level="warning")
