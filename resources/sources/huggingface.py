"""Conversations in a Hugging Face dataset: a folder that `save_to_disk` wrote, or an id on the hub where there is a
network."""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.sources import (
    Changes,
    RawRow,
    Rejected,
    Shape,
    Source,
    SourceError,
    changes,
    dated,
    rows_of,
    states_of,
)

_BATCH = 1000


class HuggingFace(Source):
    """One split of a dataset. Rows without a time are of `day`; the dataset is streamed, never held."""

    def __init__(
        self, name: str, dataset: str, shape: Shape, *, split: str = "train", config: str = "", day: date | None = None
    ) -> None:
        self.name = name
        self._dataset = dataset
        self._shape = shape
        self._split = split
        self._config = config
        self._day = day

    def changed_since(self, cursor: str) -> Changes:
        """Days whose content differs from the cursor's. The dataset is read only when it is another version."""
        known = json.loads(cursor) if cursor else {"version": "", "days": ""}
        version = self._version()
        if known["version"] == version:
            return Changes({}, cursor)
        found = changes(states_of(self._dated()), known["days"])
        return Changes(found.days, json.dumps({"version": version, "days": found.cursor}))

    def read(self, day: date) -> Iterator[RawRow | Rejected]:
        """The rows of a day."""
        return (item for its_day, item in self._dated() if its_day == day)

    def _dated(self) -> Iterator[tuple[date, RawRow | Rejected]]:
        return dated(rows_of(self._records(), self.name, self._shape), self.name, self._day)

    def _records(self) -> Iterator[tuple[str, dict[str, Any]]]:
        number = 0
        for batch in self._opened().iter(batch_size=_BATCH):
            for values in zip(*batch.values(), strict=True):
                number += 1
                yield f"row {number}", dict(zip(batch, values, strict=True))

    def _opened(self) -> Any:
        """The split, memory-mapped from a folder or streamed from the hub."""
        import datasets

        try:
            if not self._is_folder():
                return datasets.load_dataset(self._dataset, self._config or None, split=self._split, streaming=True)
            found = datasets.load_from_disk(self._dataset)
            if isinstance(found, datasets.DatasetDict):
                return found[self._split]
            return found
        except KeyError:
            raise SourceError(f"{self.name}: {self._dataset} has no split {self._split!r}") from None
        except (OSError, ValueError) as error:
            said = str(error).splitlines()[0][:300]
            raise SourceError(f"{self.name}: the dataset {self._dataset} cannot be read ({said})") from None

    def _version(self) -> str:
        """A folder's files with size and time, or the commit on the hub."""
        if self._is_folder():
            files = sorted(path for path in Path(self._dataset).rglob("*") if path.is_file())
            return hash_json([[str(f), f.stat().st_size, f.stat().st_mtime_ns] for f in files])[:16]
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

        try:
            return str(HfApi().dataset_info(self._dataset).sha)
        except (HfHubHTTPError, OfflineModeIsEnabled, OSError, ValueError) as error:
            said = str(error).splitlines()[0][:300]
            raise SourceError(
                f"{self.name}: {self._dataset} is no folder, and the hub does not answer ({said})"
            ) from None

    def _is_folder(self) -> bool:
        return Path(self._dataset).is_dir()
