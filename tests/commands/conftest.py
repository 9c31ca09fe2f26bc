"""An installation of its own for every test: an empty home and an empty Dagster instance."""

from pathlib import Path

import pytest
from commands_support import DAGSTER


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home that commands of this process find."""
    (tmp_path / "dagster.yaml").write_text(DAGSTER)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("LLMOPS_HOME", str(home))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.delenv("LAKE", raising=False)
    return home
