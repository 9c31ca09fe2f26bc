"""What beside a training's inputs decides its bytes: versions, threads, and the kernels that torch chooses.

Sums of floating-point numbers depend on their order, which a library, a number of threads or an instruction set changes
(https://docs.pytorch.org/docs/stable/notes/randomness.html).
"""

import contextlib
import platform
from collections.abc import Generator
from importlib.metadata import version

from llmops_assets.lib.records import Environment

PACKAGES = ("torch", "transformers", "peft", "tokenizers", "safetensors", "numpy", "gguf", "pyarrow")
"""Libraries between rows and weights."""


def environment() -> Environment:
    """What this process trains with."""
    import torch

    return Environment(
        packages={name: version(name) for name in PACKAGES},
        python=platform.python_version(),
        threads=torch.get_num_threads(),
        device=torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        cpu=torch.backends.cpu.get_cpu_capability(),
    )


@contextlib.contextmanager
def threads(count: int) -> Generator[None]:
    """Compute with so many threads in one operation, and with as many as before afterwards."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
