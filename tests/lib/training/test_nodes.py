"""A training on several nodes, asked of an API server in memory; its pods are torchrun's agents on this machine."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from kubernetes_server import KubernetesServer
from safetensors.numpy import load_file

from llmops_assets.lib.cluster.objects import Object
from llmops_assets.lib.cluster.permissions import excessive
from llmops_assets.lib.cluster.placement import Placement, PlacementError
from llmops_assets.lib.cluster.trainjobs import API_VERSION, KIND, outcome, train_job
from llmops_assets.lib.ports import find_free
from llmops_assets.lib.records import Recipe
from resources.cluster import Cluster, ClusterError
from resources.trainer import trainer_for
from resources.training_launchers import TrainingLostError, TrainJobLauncher, nodes_of_environment
from resources.workspace import SettingsError

NAMESPACE = "llmops"
PLACE = Placement(gpus=0, cpu=4, memory=6)
RECIPE = Recipe(rank=4, alpha=8, learning_rate=5e-3, epochs=1, batch_tokens=200, processes=2)
ENVIRONMENT = {"LLMOPS_TRAINING_NODES": "2", "LLMOPS_TRAINING_RUNTIME": "torch", "LLMOPS_TRAINING_FOLDER": "/"}


@pytest.fixture
def server() -> Iterator[KubernetesServer]:
    running = KubernetesServer().start()
    running.put("v1", "Namespace", NAMESPACE)
    yield running
    running.stop()


def launcher(server: KubernetesServer, folder: Path, nodes: int = 2, **options) -> TrainJobLauncher:
    cluster = Cluster(server.address, pause=0.01)
    return TrainJobLauncher(cluster, NAMESPACE, "torch", nodes, folder, PLACE, look_seconds=0.02, **options)


def follow(server: KubernetesServer, act) -> threading.Thread:
    """Do something with the first TrainJob that comes."""

    def wait() -> None:
        while not (jobs := server.all(KIND, NAMESPACE)):
            time.sleep(0.01)
        act(jobs[0])

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


def end(server: KubernetesServer, job: dict, kind: str, message: str = "") -> None:
    conditions = [{"type": "Suspended", "status": "False"}, {"type": kind, "status": "True", "message": message}]
    server.report(KIND, job["metadata"]["name"], NAMESPACE, {"conditions": conditions})


@pytest.mark.slow
def test_processes_on_two_nodes_make_the_adapter_of_one(server, tiny_model, examples, tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()

    def run(job: dict) -> None:
        """What a runtime for torch does: a pod for each node, which find each other by variables."""
        trainer = job["spec"]["trainer"]
        assert trainer["command"] == ["torchrun"]
        several = {"PET_NNODES": str(trainer["numNodes"]), "PET_NPROC_PER_NODE": str(trainer["numProcPerNode"])}
        several |= {"PET_MASTER_ADDR": "127.0.0.1", "PET_MASTER_PORT": str(find_free()), "GLOO_SOCKET_IFNAME": "lo"}
        pods = [
            subprocess.Popen(
                [sys.executable, "-m", "torch.distributed.run", *trainer["args"]],
                env={**os.environ, **several, "PET_NODE_RANK": str(node)},
            )
            for node in range(trainer["numNodes"])
        ]
        end(server, job, "Failed" if {pod.wait() for pod in pods} != {0} else "Complete")

    (tmp_path / "one").mkdir()
    one = trainer_for(RECIPE.model_copy(update={"processes": 1})).train(
        tiny_model, RECIPE, examples, examples[:2], tmp_path / "one"
    )
    follow(server, run)
    (tmp_path / "two").mkdir()
    trainer = trainer_for(RECIPE, launcher(server, shared))
    two = trainer.train(tiny_model, RECIPE, examples, examples[:2], tmp_path / "two")
    assert two.losses == pytest.approx(one.losses, rel=1e-5)
    weights = [load_file(folder / "adapter_model.safetensors") for folder in (one.folder, two.folder)]
    assert all(np.abs(weights[0][name] - weights[1][name]).max() < 1e-6 for name in weights[0])
    assert not list(shared.iterdir())


def test_what_is_asked_of_the_cluster_is_what_the_recipe_needs(server, tmp_path):
    asked = []
    thread = follow(server, lambda job: (asked.append(job["spec"]), end(server, job, "Complete")))
    launcher(server, tmp_path, image="registry.example/llmops:1").launch(6, ["-m", "module", "folder"])
    thread.join()
    assert asked == [
        {
            "runtimeRef": {"name": "torch"},
            "trainer": {
                "command": ["torchrun"],
                "args": ["-m", "module", "folder"],
                "image": "registry.example/llmops:1",
                "numNodes": 2,
                "numProcPerNode": 3,
                "resourcesPerNode": {"requests": {"cpu": "4", "memory": "6Gi"}, "limits": {"memory": "6Gi"}},
            },
        }
    ]


def test_a_training_that_failed_is_told_with_what_its_job_says(server, tmp_path):
    follow(server, lambda job: end(server, job, "Failed", "jobset failed due to one or more job failures"))
    with pytest.raises(TrainingLostError, match=r"TrainJob llmops/training-\w+ failed: jobset failed due to one"):
        launcher(server, tmp_path).launch(2, [])


def test_a_job_that_somebody_deleted_is_told(server, tmp_path):
    follow(server, lambda job: Cluster(server.address)._request("DELETE", path_of(job)))
    with pytest.raises(TrainingLostError, match="was deleted before it ended"):
        launcher(server, tmp_path).launch(2, [])


def path_of(job: dict) -> str:
    return f"/apis/{job['apiVersion']}/namespaces/{NAMESPACE}/trainjobs/{job['metadata']['name']}"


def test_a_job_that_never_ends_is_left_and_told(server, tmp_path):
    with pytest.raises(TrainingLostError, match=r"has not ended after 0 s; it was left running"):
        launcher(server, tmp_path, seconds=0.1).launch(2, [])
    assert len(server.all(KIND, NAMESPACE)) == 1


def test_a_cluster_without_the_operator_is_told(server, tmp_path):
    del server.kinds[API_VERSION]
    with pytest.raises(ClusterError, match="install Kubeflow Trainer"):
        launcher(server, tmp_path).launch(2, [])


def test_processes_that_do_not_spread_evenly_are_refused():
    with pytest.raises(PlacementError, match="3 processes do not spread evenly over 2 nodes"):
        train_job("one", NAMESPACE, [], runtime="torch", nodes=2, processes=3, place=PLACE)


@pytest.mark.parametrize("conditions", [[], [{"type": "Complete", "status": "False"}], [{"type": "Suspended"}]])
def test_a_job_goes_on_until_a_condition_says_that_it_ended(conditions):
    assert outcome({"status": {"conditions": conditions}}) is None
    assert outcome({}) is None


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"LLMOPS_TRAINING_NODES": "two"}, "LLMOPS_TRAINING_NODES=two: write the number of nodes"),
        ({"LLMOPS_TRAINING_NODES": "0"}, "write the number of nodes"),
        ({"LLMOPS_TRAINING_RUNTIME": ""}, "LLMOPS_TRAINING_NODES needs LLMOPS_TRAINING_RUNTIME too"),
        ({"LLMOPS_TRAINING_FOLDER": "/no/such"}, "LLMOPS_TRAINING_FOLDER=/no/such: there is no such folder"),
    ],
)
def test_half_of_the_settings_of_nodes_is_refused(changed, told):
    with pytest.raises(SettingsError, match=told):
        nodes_of_environment(RECIPE, ENVIRONMENT | changed)


def test_nodes_are_for_recipes_of_several_processes_and_only_where_they_are_named():
    assert nodes_of_environment(RECIPE, {}) is None
    assert nodes_of_environment(RECIPE.model_copy(update={"processes": 1}), ENVIRONMENT) is None
    found = nodes_of_environment(RECIPE, ENVIRONMENT)
    assert found is not None
    assert (found.nodes, found.folder) == (2, Path("/"))


def test_a_role_may_grant_what_a_launcher_calls_and_no_more(server, tmp_path):
    def role(*verbs: str) -> Object:
        rule = {"apiGroups": ["trainer.kubeflow.org"], "resources": ["trainjobs"], "verbs": list(verbs)}
        metadata = {"name": "trainings", "namespace": NAMESPACE}
        return Object(
            {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata, "rules": [rule]}
        )

    follow(server, lambda job: end(server, job, "Complete"))
    launcher(server, tmp_path).launch(2, [])
    asked = {method for method, path, _ in server.requests if "/trainjobs/" in path}
    assert asked == {"PATCH", "GET"}
    # Applying creates what is not there yet.
    assert not list(excessive([role("get", "create", "patch")]))
    assert list(excessive([role("get", "delete")])) == [
        "Role llmops/trainings: delete on trainjobs of group 'trainer.kubeflow.org' is not needed"
    ]
