"""Wiring only: which group's assets, jobs, schedules, sensors and resources make the code location.

Concept: https://docs.dagster.io/guides/build/projects. `GROUPS` is the one list of groups: a group is a folder.
"""

import importlib

import dagster as dg

import sensors
from llmops_assets.jobs import JOBS, SCHEDULES
from resources import build_resources

GROUPS = ("planning", "data", "prompts", "training", "evaluation", "deployment", "monitoring")


def load_group(group: str) -> list:
    """The assets of the folder of that name, in the group of that name."""
    package = importlib.import_module(f"llmops_assets.{group}")
    return list(dg.load_assets_from_package_module(package, group_name=group, include_specs=True))


@dg.definitions
def defs() -> dg.Definitions:
    """The code location."""
    return dg.Definitions(
        assets=[asset for group in GROUPS for asset in load_group(group)],
        jobs=JOBS,
        schedules=SCHEDULES,
        sensors=sensors.SENSORS,
        resources=build_resources(),
        executor=dg.in_process_executor,
    )
