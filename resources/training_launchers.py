"""Who starts the processes of a training that has several: this machine, or Kubeflow Trainer on several nodes.

Inside a step of the graph there is a third, which tells progress in the step's log (llmops_assets/training/tuning.py).
"""

import os
import subprocess
import sys
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

from llmops_assets.lib.cluster.placement import Placement, Profile, placement
from llmops_assets.lib.cluster.trainjobs import API_VERSION, KIND, outcome, train_job
from llmops_assets.lib.errors import LlmopsError
from llmops_assets.lib.records import Recipe
from resources.cluster import Cluster, ClusterError
from resources.workspace import SettingsError

NODES, RUNTIME, FOLDER = "LLMOPS_TRAINING_NODES", "LLMOPS_TRAINING_RUNTIME", "LLMOPS_TRAINING_FOLDER"
NAMESPACE, IMAGE, PARAMETERS = "LLMOPS_TRAINING_NAMESPACE", "LLMOPS_TRAINING_IMAGE", "LLMOPS_MODEL_PARAMETERS"


class TrainingLostError(LlmopsError):
    """The processes of a training ended without a result; the message says which job, and what is known of it."""


class Launcher(ABC):
    """Starts the processes of a training and waits for their end."""

    nodes = 1
    """Machines that the processes are spread over."""
    folder: Path | None = None
    """A folder that all of them see; None where every folder of this machine is one."""

    @abstractmethod
    def launch(self, processes: int, arguments: Sequence[str]) -> None:
        """Run torchrun's `arguments` in so many processes. An error where one of them fails."""


def standalone(processes: int, arguments: Sequence[str]) -> list[str]:
    """The command that runs torchrun's arguments in processes of this machine."""
    return [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        str(processes),
        *arguments,
    ]


class HereLauncher(Launcher):
    """Children of this process."""

    def launch(self, processes: int, arguments: Sequence[str]) -> None:
        """subprocess.CalledProcessError."""
        subprocess.run(standalone(processes, arguments), check=True)


class TrainJobLauncher(Launcher):
    """A TrainJob, looked at every `look_seconds` until it has ended or `seconds` are over.

    A job that has ended stays for its pods' logs; its runtime says for how long.
    """

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        runtime: str,
        nodes: int,
        folder: Path,
        place: Placement,
        *,
        image: str = "",
        seconds: float = 86_400.0,
        look_seconds: float = 5.0,
    ) -> None:
        self.nodes, self.folder = nodes, folder
        self._cluster, self._namespace, self._runtime = cluster, namespace, runtime
        self._place, self._image = place, image
        self._seconds, self._look_seconds = seconds, look_seconds

    def launch(self, processes: int, arguments: Sequence[str]) -> None:
        """TrainingLostError for a job that failed, was deleted or takes too long; ClusterError where it is refused."""
        name = f"training-{uuid.uuid4().hex[:12]}"
        job = train_job(
            name,
            self._namespace,
            arguments,
            runtime=self._runtime,
            nodes=self.nodes,
            processes=processes,
            place=self._place,
            image=self._image,
        )
        if self._cluster.api(API_VERSION, KIND) is None:
            raise ClusterError(f"the cluster knows no {KIND} of {API_VERSION}: install Kubeflow Trainer", 404)
        self._cluster.apply(job)
        deadline = time.monotonic() + self._seconds
        while time.monotonic() < deadline:
            found = self._cluster.get(API_VERSION, KIND, name, self._namespace)
            if found is None:
                raise TrainingLostError(f"TrainJob {self._namespace}/{name} was deleted before it ended")
            if (ended := outcome(found)) is not None:
                good, why = ended
                if good:
                    return
                raise TrainingLostError(f"TrainJob {self._namespace}/{name} failed: {why or 'see its pods'}")
            time.sleep(self._look_seconds)
        raise TrainingLostError(
            f"TrainJob {self._namespace}/{name} has not ended after {self._seconds:.0f} s; it was left running"
        )


def nodes_of_environment(
    recipe: Recipe, environment: Mapping[str, str] = os.environ, cluster: Cluster | None = None
) -> TrainJobLauncher | None:
    """Several nodes for a recipe of several processes, as the environment names them; None where it names none.

    LLMOPS_TRAINING_NODES is their number, LLMOPS_TRAINING_RUNTIME the TrainJob's runtime, LLMOPS_TRAINING_FOLDER a
    folder that the step's pod and the runtime's pods mount. SettingsError where one of them is missing or no number.
    """
    if recipe.processes == 1 or not environment.get(NODES):
        return None
    if not environment[NODES].isdecimal() or int(environment[NODES]) < 1:
        raise SettingsError(f"{NODES}={environment[NODES]}: write the number of nodes")
    if missing := [name for name in (RUNTIME, FOLDER) if not environment.get(name)]:
        raise SettingsError(f"{NODES} needs {' and '.join(missing)} too")
    if not Path(environment[FOLDER]).is_dir():
        raise SettingsError(f"{FOLDER}={environment[FOLDER]}: there is no such folder in this pod; mount the volume")
    nodes = int(environment[NODES])
    one = placement(recipe, Profile.model_validate({"parameters": environment.get(PARAMETERS) or 135_000_000}))
    each = max(1, recipe.processes // nodes)
    return TrainJobLauncher(
        cluster or Cluster(),
        environment.get(NAMESPACE) or "llmops",
        environment[RUNTIME],
        nodes,
        Path(environment[FOLDER]),
        Placement(gpus=0, cpu=one.cpu * each, memory=one.memory * each),
        image=environment.get(IMAGE, ""),
    )
