"""Which conversations a file has on which days: hashes only, kept beside the index of files.

A conversation may go on in another file, days later. Its rows belong to the day on which it began, so all files of a
folder are looked at together; twelve bytes a conversation and day are held for that.
"""

import hashlib
import uuid
from array import array
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any


class Talks:
    """Conversations (64-bit hashes) of one file with their days, in the order in which they stand there."""

    def __init__(self) -> None:
        self.keys, self.days = array("Q"), array("i")

    def add(self, key: int, day: date) -> None:
        """A row of a conversation on a day."""
        ordinal = day.toordinal()
        if not self.keys or (self.keys[-1], self.days[-1]) != (key, ordinal):
            self.keys.append(key)
            self.days.append(ordinal)

    def clear(self) -> None:
        """Forget all."""
        del self.keys[:], self.days[:]


def key_of(conversation: str) -> int:
    """The hash of a conversation's name."""
    return int.from_bytes(hashlib.blake2b(conversation.encode("utf-8", "replace"), digest_size=8).digest())


def first_days(talks: Mapping[str, Talks]) -> dict[str, dict[str, str]]:
    """File -> hash of a conversation (hexadecimal) -> its first day, where the file has it on a later day."""
    import numpy as np

    moved: dict[str, dict[str, str]] = {file: {} for file in talks}
    keys = np.concatenate([np.zeros(0, np.uint64), *(np.frombuffer(t.keys, np.uint64) for t in talks.values())])
    days = np.concatenate([np.zeros(0, np.intc), *(np.frombuffer(t.days, np.intc) for t in talks.values())])
    owners = np.repeat(np.arange(len(talks)), [len(t.keys) for t in talks.values()])
    order = np.lexsort((days, keys))
    keys, days, owners = keys[order], days[order], owners[order]
    begins = np.append(True, keys[1:] != keys[:-1])[: len(keys)]
    first = days[np.flatnonzero(begins)][np.cumsum(begins) - 1]
    names = list(talks)
    for place in np.flatnonzero(days != first):
        moved[names[owners[place]]][f"{int(keys[place]):x}"] = str(date.fromordinal(int(first[place])))
    return moved


def save_talks(folder: Path, talks: Mapping[str, Talks]) -> None:
    """Keep what was found in some files; nothing is kept of files without conversations of several rows."""
    for file, found in talks.items():
        target = folder / f"{key_of(file):016x}"
        if not found.keys:
            target.unlink(missing_ok=True)
            continue
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = folder / f".{uuid.uuid4().hex}"
        unfinished.write_bytes(found.keys.tobytes() + found.days.tobytes())
        unfinished.replace(target)


def load_talks(folder: Path, files: Iterable[str]) -> dict[str, Talks]:
    """What was kept of some files; what is kept of others is removed."""
    loaded: dict[str, Talks] = {}
    names = {f"{key_of(file):016x}": file for file in files}
    for kept in folder.iterdir() if folder.is_dir() else ():
        if kept.name not in names:
            kept.unlink(missing_ok=True)
            continue
        found: Any = Talks()
        data = kept.read_bytes()
        count = len(data) // (found.keys.itemsize + found.days.itemsize)
        found.keys.frombytes(data[: count * found.keys.itemsize])
        found.days.frombytes(data[count * found.keys.itemsize :])
        loaded[names[kept.name]] = found
    return loaded
