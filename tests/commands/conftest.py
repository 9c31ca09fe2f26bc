"""An installation of its own for every test: an empty home and an empty Dagster instance."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from commands_support import DAGSTER

from resources import open_target
from resources.workspace import Workspace


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The home that commands of this process find; a gateway that they started ends with the test."""
    (tmp_path / "dagster.yaml").write_text(DAGSTER)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("LLMOPS_HOME", str(home))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.delenv("LAKE", raising=False)
    yield home
    if (home / "gateway").exists():
        monkeypatch.delenv("LAKE", raising=False)
        open_target(Workspace(home)).stop()
