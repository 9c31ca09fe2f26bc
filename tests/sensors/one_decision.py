"""A code location with `retrain_on_drift` as it is and a job in place of `retrain`; $LAKE_FOLDER names the lake."""

import inspect
import os
from pathlib import Path

import dagster as dg

from llmops_assets.jobs import retrain
from llmops_assets.partitions import DAILY
from resources.lake.embedded import EmbeddedLake
from sensors.retrain_on_drift import retrain_on_drift

MINUTE = 60


@dg.job(name=retrain.name, partitions_def=DAILY)
def standing_in() -> None:
    """Nothing: what is looked at is whether it is requested."""


defs = dg.Definitions(
    jobs=[standing_in],
    sensors=[
        dg.sensor(
            name=retrain_on_drift.name,
            job=standing_in,
            minimum_interval_seconds=MINUTE,
            default_status=dg.DefaultSensorStatus.RUNNING,
        )(inspect.unwrap(retrain_on_drift))
    ],
    resources={"lake": EmbeddedLake(Path(os.environ["LAKE_FOLDER"]))},
)
