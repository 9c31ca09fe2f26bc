"""Becomes another program that ends when its parent ends: `python child.py PROGRAM …`.

It stands alone: vLLM runs on a Python of its own, which must not find our packages.
"""

import ctypes
import os
import signal
import sys


def main() -> None:
    """Run the program in this process's place."""
    # PR_SET_PDEATHSIG, kept by exec: a gateway that is killed must not leave vLLM behind. SIGTERM, not SIGKILL: vLLM
    # ends the processes that it started itself.
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
    if os.getppid() == 1:
        return
    try:
        os.execv(sys.argv[1], sys.argv[1:])
    except OSError as error:
        raise SystemExit(f"{sys.argv[1]} cannot be run: {error.strerror}") from None


if __name__ == "__main__":
    main()
