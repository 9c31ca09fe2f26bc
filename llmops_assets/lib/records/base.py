"""What every hand-over is: immutable, hashed by its canonical form, able to grow; and an address of the lake."""

import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_serializer, model_validator

from llmops_assets.lib.hashing import hash_json

Share = Annotated[float, Field(ge=0.0, le=1.0)]
_PATH = re.compile(r"(file:/*|~|\.{0,2})/[^/\s]")

LATER = "later"
EVERYWHERE = "found_everywhere"


def later(default: Any, **options: Any) -> Any:
    """A pydantic field that came to a record after its first version.

    It is part of the record's hash only where it differs from its default, so that what was made before keeps its name.
    """
    return Field(default, json_schema_extra={LATER: True}, **options)


def found_everywhere(**options: Any) -> Any:
    """A pydantic field that may name a path: one of the settings or of the image, so that every machine has it."""
    return Field(json_schema_extra={EVERYWHERE: True}, **options)


class Record(BaseModel):
    """Base of every hand-over: immutable, and strict about unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    @property
    def content_hash(self) -> str:
        """sha256 of the record's canonical form."""
        return hash_json(self.canonical())

    def canonical(self) -> dict[str, Any]:
        """The record as JSON values without later fields that stand at their defaults, unknown fields included."""
        return _canonical(self, self.model_dump(mode="json"))


class Growing(Record):
    """A record that newer versions may have added to: unknown fields are kept, and are part of its hash.

    The way of python-tuf (`unrecognized_fields`): what an older reader does not know it still verifies and hands on.
    """

    model_config = ConfigDict(frozen=True, extra="allow", defer_build=True)


def _canonical(value: Any, dumped: Any) -> Any:
    if isinstance(value, BaseModel) and isinstance(dumped, dict):
        fields = type(value).model_fields
        left_out = {
            name
            for name, field in fields.items()
            if isinstance(field.json_schema_extra, dict)
            and field.json_schema_extra.get(LATER)
            and getattr(value, name) == field.get_default(call_default_factory=True)
        }
        return {k: _canonical(getattr(value, k, v), v) for k, v in dumped.items() if k not in left_out}
    if isinstance(value, Mapping) and isinstance(dumped, dict):
        return {str(k): _canonical(v, dumped[str(k)]) for k, v in value.items()}
    if isinstance(value, tuple | list) and isinstance(dumped, list):
        return [_canonical(v, d) for v, d in zip(value, dumped, strict=True)]
    return dumped


def paths_in(value: Any, where: str = "") -> dict[str, str]:
    """Where in a record, or in a mapping of figures, a text looks like a path of one machine; to the text.

    A hand-over names places in the lake: steps in pods of their own share no disk.
    """
    if isinstance(value, LakeRef):
        return {}
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        marked = {
            n for n, f in fields.items() if isinstance(f.json_schema_extra, dict) and EVERYWHERE in f.json_schema_extra
        }
        value = {name: inner for name, inner in value if name not in marked}
    if isinstance(value, Mapping):
        parts = list(value.items())
    elif type(value) in (tuple, list):
        parts = list(enumerate(value))
    else:
        text = str(value) if isinstance(value, str | PurePath) else ""
        return {where: text} if isinstance(value, PurePath) or _PATH.match(text) else {}
    found: dict[str, str] = {}
    for name, inner in parts:
        found |= paths_in(inner, f"{where}.{name}" if where else str(name))
    return found


class LakeRef(Record):
    """An immutable address in the lake: `lake://<repository>/<commit>/<path>` (`lakefs://` on lakeFS).

    Serialised as that string. `path` may be empty (the whole commit).
    """

    scheme: Literal["lake", "lakefs"] = "lake"
    repository: str
    commit: str
    path: str = ""

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        match = re.fullmatch(r"(lake|lakefs)://([a-z0-9][a-z0-9-]{2,62})/([0-9a-f]{8,64})(?:/(.*))?", value)
        if match is None:
            raise ValueError(f"not a lake ref: {value!r}; expected lake://<repository>/<commit>/<path>")
        return dict(zip(("scheme", "repository", "commit", "path"), (*match.groups()[:3], match[4] or ""), strict=True))

    @model_serializer
    def _as_text(self) -> str:
        return str(self)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.repository}/{self.commit}/{self.path}"
