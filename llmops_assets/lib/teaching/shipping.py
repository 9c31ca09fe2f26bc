"""Writes the vectors of the sentences that ship with the package (lib/answering/shipped.py)."""

from pathlib import Path

from llmops_assets.lib.answering import acts, shipped
from llmops_assets.lib.answering.embedding import Embedder, find_embedder_folder
from llmops_assets.lib.teaching.learned import examples, taught_by


def texts() -> list[str]:
    """All that is learned from at run time: what teaches what may be taught, and what teaches what a turn does."""
    return [*taught_by(examples())[0], *(line for line, _ in acts.lines())]


def write() -> None:
    """Write the file beside the code that reads it."""
    embedder = Embedder(find_embedder_folder())
    Path(str(shipped.FILE)).write_bytes(shipped.to_bytes(embedder, texts()))
