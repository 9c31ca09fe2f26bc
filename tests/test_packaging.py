"""What a wheel carries: every file of data that the code opens."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "llmops_assets"


def carried() -> set[Path]:
    globs = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["llmops_assets"]
    return {file for pattern in globs for file in PACKAGE.glob(pattern) if file.is_file()}


def test_every_file_of_data_is_in_the_wheel():
    data = {file for file in PACKAGE.rglob("*") if file.is_file() and file.suffix not in (".py", ".pyc")}
    assert len(data) > 10
    assert {str(file.relative_to(PACKAGE)) for file in data - carried()} == set()


def test_no_pattern_is_left_of_files_that_went():
    globs = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["llmops_assets"]
    assert [pattern for pattern in globs if not any(PACKAGE.glob(pattern))] == []
