"""llama.cpp's server as the child process that `engine` starts: `python -m llmops_assets.gateway.llamacpp`.

It imports nothing of ours: a release is served as soon as this process has loaded its weights.
"""

import argparse
import ctypes
import os
import signal
from pathlib import Path


def main() -> None:
    """Run llama.cpp's server until killed; ends when its parent ends."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--adapter", type=Path)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--slots", type=int, default=4)
    parser.add_argument("--context", type=int, required=True, help="tokens per slot")
    arguments = parser.parse_args()
    # PR_SET_PDEATHSIG: a gateway that is killed must not leave an engine behind.
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() == 1:
        return
    # By default OpenMP's threads wait for each other by spinning, which beside other work on the same cores takes the
    # time from whom they wait for. It reads this when it is loaded, with what comes next.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(arguments.model)
    parameters.n_ctx = arguments.context * arguments.slots
    parameters.n_parallel = arguments.slots
    parameters.cpuparams.n_threads = arguments.threads
    parameters.cpuparams_batch.n_threads = arguments.threads
    parameters.port = arguments.port
    parameters.endpoint_metrics = True
    # A release that is called back must serve at once; what a first answer would wait for was read for its hash.
    parameters.warmup = False
    if arguments.adapter:
        adapter = xllamacpp.CommonAdapterLoraInfo()
        adapter.path = str(arguments.adapter)
        adapter.scale = 1.0
        parameters.lora_adapters = [adapter]
    server = xllamacpp.Server(parameters)
    print(server.listening_address, flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
