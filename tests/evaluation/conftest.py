"""An installation on hand-made upstreams. The registry's store is shared: making one takes seconds."""

import dagster as dg
import pytest
from release_support import World
from scripted_target import ScriptedTarget

from resources.models import Models
from resources.registry import Registry


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mlflow")
    return Registry(f"sqlite:///{folder / 'mlflow.db'}", ui="http://mlflow.example", artifacts=folder / "artifacts")


@pytest.fixture
def world(lake, registry, tmp_path, root):
    with dg.DagsterInstance.ephemeral() as instance:
        yield World(instance, lake, registry, ScriptedTarget(lake, Models(tmp_path / "models")), root)
