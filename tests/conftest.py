"""Fixtures of all tests. Nothing here is replaced by a mock: stores are real ones in temporary folders."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from llmops_assets.cli import QUIET

# What the caller has set for an installation of their own must not reach the tests' own.
for name in [name for name in os.environ if name.startswith("LLMOPS_") or name == "DAGSTER_HOME"]:
    del os.environ[name]
# Read by libraries at their import, so set before any other.
os.environ.update({**QUIET, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"})

import pytest
from postgres_server import PostgreSQL
from support import WordEmbedder, shuffled, write_tiny_gguf

from resources.lake.base import Lake
from resources.lake.embedded import EmbeddedLake
from resources.models import Models, ResolvedModel

ROOT = Path(__file__).resolve().parent.parent
ORDER = "TEST_ORDER"
"""Environment variable with the seed of the order of tests, else the day; 0: as they stand."""


def pytest_configure(config: pytest.Config) -> None:
    """Another order every day, the same all day: what fails where a change is checked, fails at its author's."""
    os.environ.setdefault(ORDER, str(datetime.now(UTC).toordinal()))


def pytest_report_header() -> str:
    return f"order of tests: {ORDER}={os.environ[ORDER]} (0: as they stand)"


def module_of(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules in another order each time, and the tests within each; modules stay together for what they share.

    Those with slow tests come first: begun last, one of them keeps a single process busy for minutes.
    """
    if seed := int(os.environ[ORDER]):
        items[:] = shuffled(items, seed, module_of)
    slow = {module_of(item) for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: module_of(item) not in slow)


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return EmbeddedLake(tmp_path / "lake")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgreSQL]:
    """A server for all tests; each makes databases of its own."""
    with PostgreSQL() as server:
        yield server


DATABASES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.cluster)]
"""What stores of rows are held to, one like the other: PostgreSQL by `make test-cluster`."""


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The SQLAlchemy URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'database.db'}"
    return request.getfixturevalue("postgres").schema()


@pytest.fixture(scope="session")
def words() -> WordEmbedder:
    return WordEmbedder()


@pytest.fixture(scope="session")
def tiny_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a llama model of 0.1 M parameters."""
    folder = tmp_path_factory.mktemp("tiny")
    write_tiny_gguf(folder / "tiny.gguf")
    return folder


@pytest.fixture(scope="session")
def tiny_model(tiny_gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> ResolvedModel:
    return Models(tmp_path_factory.mktemp("models")).resolve(str(tiny_gguf))
