"""Wiring only: which groups' assets, jobs, schedules, sensors and resources make a code location.

Concept: https://docs.dagster.io/guides/build/projects. `GROUPS` is the one list of groups: a group is a folder, and a
later one may import an earlier one, never the other way round.
"""

import importlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import dagster as dg

import sensors as triggers
from llmops_assets.jobs import JOBS, SCHEDULES
from resources import build_resources

GROUPS = ("planning", "data", "prompts", "training", "evaluation", "deployment", "monitoring")


def load_group(package: str) -> list[Any]:
    """The assets of a package, in the group of its last name."""
    module = importlib.import_module(package)
    group = package.rpartition(".")[2]
    return list(dg.load_assets_from_package_module(module, group_name=group, include_specs=True))


def build_defs(
    home: Path | None = None,
    *,
    resources: Mapping[str, Any] | None = None,
    assets: Iterable[Any] = (),
    groups: Iterable[str] = (),
    jobs: Iterable[Any] = (),
    sensors: Iterable[dg.SensorDefinition] = (),
    own_sensors: Iterable[dg.SensorDefinition] | None = None,
    executor: dg.ExecutorDefinition = dg.in_process_executor,
) -> dg.Definitions:
    """The code location of the installation in `home` (none: `home_folder()` when a run starts), and what is added.

    `groups` are packages of your own whose assets are loaded as ours are, `assets` single ones, `jobs` and `sensors`
    come beside ours, `own_sensors` in the place of ours, `resources` take the place of ours of the same key. `executor`
    runs the jobs that name none: those that train (llmops_assets/cluster_definitions.py). An asset that reads one of
    ours names it in `deps` by its key. An executed example: docs/extending.md#a-package-of-your-own.
    """
    own = [f"llmops_assets.{group}" for group in GROUPS]
    return dg.Definitions(
        assets=[asset for package in (*own, *groups) for asset in load_group(package)] + list(assets),
        jobs=[*JOBS, *jobs],
        schedules=SCHEDULES,
        sensors=[*(triggers.SENSORS if own_sensors is None else own_sensors), *sensors],
        resources={**build_resources(home), **(resources or {})},
        executor=executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """The code location."""
    return build_defs()
