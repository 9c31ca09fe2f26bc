"""Strict schemas: an unknown field, a wrong type or an API that a version has not is an error.

Kubernetes' own schemas come from the package kubernetes-validate (whose command lets unknown and removed APIs pass);
those of operators are small ones of ours in k8s/schemas. Standard: https://json-schema.org/draft/2020-12.
"""

import functools
import importlib.util
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from llmops_assets.lib.cluster.objects import Object

VERSIONS = ("1.34", "1.35", "1.36", "1.37")
"""Versions of Kubernetes that the manifests are written for."""
PACKAGE = "kubernetes_validate"


class Schemas:
    """The schemas of one version of Kubernetes, and those of operators in a folder."""

    def __init__(self, version: str, operators: Path) -> None:
        found = importlib.util.find_spec(PACKAGE)
        if found is None or found.origin is None:
            raise ModuleNotFoundError(f"the schemas are in the package {PACKAGE.replace('_', '-')}: make install")
        self.version = version
        self._folder = Path(found.origin).parent / "kubernetes-json-schema" / f"v{version}.0-local-strict"
        self._operators = operators
        self._made: dict[str, Any] = {}

    def problems(self, objects: Sequence[Object]) -> Iterator[str]:
        """What does not fit, field by field."""
        for one in objects:
            validator = self._validator(one.api_version, one.kind)
            if validator is None:
                yield f"{one.place}: Kubernetes {self.version} has no {one.kind} of {one.api_version}"
                continue
            for error in validator.iter_errors(_plain(one.data)):
                where = ".".join(str(part) for part in error.instance_path)
                yield f"{one.place}: {where or 'it'}: {_said(error)}"

    def _validator(self, api_version: str, kind: str) -> Any:
        key = f"{kind.lower()}-{api_version.replace('/', '-')}.json"
        if key not in self._made:
            self._made[key] = self._make(api_version, kind, self._operators / key)
        return self._made[key]

    def _make(self, api_version: str, kind: str, own: Path) -> Any:
        import jsonschema_rs

        if own.exists():
            return jsonschema_rs.Draft202012Validator(json.loads(own.read_text()))
        # rbac.authorization.k8s.io/v1 is rbac-v1 there.
        short = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", api_version)
        file = self._folder / f"{kind.lower()}-{short}.json"
        if not file.exists():
            return None
        return jsonschema_rs.Draft202012Validator(json.loads(file.read_text()), registry=self._registry)

    @functools.cached_property
    def _registry(self) -> Any:
        import jsonschema_rs

        definitions = json.loads((self._folder / "_definitions.json").read_text())
        return jsonschema_rs.Registry([("json-schema:///_definitions.json", definitions)])


def _said(error: Any) -> str:
    message = re.sub(
        r"^Additional properties are not allowed \((.*) (?:was|were) unexpected\)", r"unknown: \1", error.message
    )
    return " ".join(message.split())[:200]


def _plain(data: Any) -> Any:
    """The data with texts as keys, as JSON has them."""
    return json.loads(json.dumps(data, default=str))
