"""One process of a training that has several, as torchrun starts them (`-m llmops_assets.training.processes FOLDER`).

What is trained lies in the folder as a task, and the first process leaves the result beside it and tells its progress
through Dagster Pipes where a step of the graph launched it (https://docs.dagster.io/guides/build/external-pipelines).
Who launches it is in resources/training_launchers.py. torchrun: https://docs.pytorch.org/docs/stable/elastic/run.html.
"""

import argparse
import contextlib
import os
import sys
from collections.abc import Generator
from pathlib import Path

from llmops_assets.lib.training.loop import LOG_EVERY, Progress, World, train_lora
from resources.trainer import ADAPTER, RESULT, START, TASK, Result, Task


@contextlib.contextmanager
def told() -> Generator[Progress | None]:
    """Where the first process tells its progress; None where no step of the graph launched it."""
    from dagster_pipes import PipesEnvVarParamsLoader, open_dagster_pipes

    if not PipesEnvVarParamsLoader().is_dagster_pipes_process():
        yield None
        return
    with open_dagster_pipes() as pipes:

        def tell(step: int, steps: int, loss: float) -> None:
            if step % LOG_EVERY == 0 or step == steps:
                pipes.log.info(f"step {step} of {steps}, loss {loss:.3f}")

        yield tell


def main() -> None:
    """Train with the other processes of the group that torchrun's variables name."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    import torch
    import torch.distributed as distributed

    # Where all processes are of this machine, whatever its name resolves to.
    if sys.platform == "linux" and os.environ["LOCAL_WORLD_SIZE"] == os.environ["WORLD_SIZE"]:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    task = Task.model_validate_json((folder / TASK).read_bytes())
    torch.set_num_threads(task.threads)
    distributed.init_process_group("gloo")
    try:
        world = World(distributed.get_rank(), distributed.get_world_size())
        with contextlib.nullcontext() if world.rank else told() as progress:
            result = train_lora(
                Path(task.base),
                task.recipe,
                task.examples,
                task.held_out,
                folder / ADAPTER,
                base_name=task.base_name,
                warm_start=folder / START if (folder / START).exists() else None,
                progress=progress,
                world=world,
            )
        if not world.rank:
            found = Result(digest=result.digest, metrics=result.metrics, losses=result.losses)
            (folder / RESULT).write_text(found.model_dump_json())
        # Others wait until the first has saved: torchrun ends all when one has failed.
        distributed.barrier()
    finally:
        distributed.destroy_process_group()


if __name__ == "__main__":
    main()
