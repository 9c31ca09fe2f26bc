"""The bill of materials of a release: models, data and packages with their licences, as CycloneDX 1.6 in JSON.

It has no time and no random number in it: the same release, made with the same packages, has the same bill
(https://cyclonedx.org/docs/1.6/json/; what a machine learning one holds: https://cyclonedx.org/capabilities/mlbom/).
"""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from llmops_assets.lib.hashing import canonical_json, hash_bytes
from llmops_assets.lib.records import DatasetRef, ReleaseManifest, TrainingSet, TunedModel

SPEC = "1.6"
LONGEST_LICENCE = 80
"""Characters: a longer field of a package's metadata is the text of a licence, not its name."""


@dataclass(frozen=True)
class Package:
    """An installed distribution. `licence` is an SPDX expression where `spdx`, a name in its own words otherwise."""

    name: str
    version: str
    licence: str = ""
    spdx: bool = False


def installed() -> tuple[Package, ...]:
    """Every package of this process's environment, by name."""
    found = {}
    for distribution in metadata.distributions():
        about = distribution.metadata
        name = about["Name"]
        if name and name.lower() not in found:
            found[name.lower()] = Package(name, distribution.version, *_licence(about))
    return tuple(found[name] for name in sorted(found))


def bill(
    manifest: ReleaseManifest,
    tuned: TunedModel | None,
    training: TrainingSet | None,
    knowledge: DatasetRef | None,
    packages: Iterable[Package] | None,
) -> dict[str, Any]:
    """The bill of a release, as JSON values; `packages` None where nobody noted them when it was made."""
    subject: dict[str, Any] = {
        "type": "application",
        "bom-ref": "release",
        "name": manifest.release_id,
        "hashes": [_sha256(manifest.content_hash)],
        "properties": _properties(packages="not recorded" if packages is None else ""),
    }
    base: dict[str, Any] = {
        "type": "machine-learning-model",
        "bom-ref": "base-model",
        "name": manifest.base.name,
        "hashes": [_sha256(manifest.base.digest)],
        **_licences(manifest.base.license, spdx=False),
        "properties": _properties(parameters=manifest.base.parameters),
    }
    models: list[dict[str, Any]] = [base]
    data: list[dict[str, Any]] = []
    needs: dict[str, list[str]] = {"release": ["base-model", "prompt"], "base-model": []}
    if manifest.engine_model is not None:
        models.append(_file("engine-model", "machine-learning-model", "model.gguf", manifest.engine_model.sha256))
        needs |= {"release": [*needs["release"], "engine-model"], "engine-model": ["base-model"]}
    if tuned is not None:
        sets = {"training-rows": tuned.dataset} | ({"held-out-rows": training.held_out} if training else {})
        model: dict[str, Any] = {
            "type": "machine-learning-model",
            "bom-ref": "tuned-model",
            "name": tuned.name,
            "version": tuned.model_version or "0",
            "hashes": [_sha256(tuned.digest)],
            "modelCard": {
                "modelParameters": {
                    "approach": {"type": "supervised"},
                    "datasets": [{"ref": name} for name in sorted(sets)],
                }
            },
            "properties": _properties(
                kind=tuned.kind,
                method=tuned.recipe.method,
                recipe=tuned.recipe.content_hash,
                warm_start=tuned.warm_start,
                mlflow_run=tuned.mlflow_run,
            ),
        }
        models.append(model)
        licence = ", ".join(tuned.terms.licences)
        data += [_data(name, dataset, licence) for name, dataset in sorted(sets.items())]
        needs["tuned-model"] = ["base-model", *sorted(sets)]
        needs["release"].append("tuned-model")
    if knowledge is not None:
        data.append(_data("articles", knowledge))
        needs["release"].append("articles")
    prompt = manifest.prompt
    text: dict[str, Any] = {
        "type": "data",
        "bom-ref": "prompt",
        "name": prompt.name,
        "version": str(prompt.version),
        "data": [{"type": "configuration", "name": prompt.name}],
        "hashes": [_sha256(hash_bytes(prompt.template.encode()))],
    }
    libraries = [_library(package) for package in packages or ()]
    for component in (text, *data, *libraries):
        needs.setdefault(component["bom-ref"], [])
    needs["release"] += [component["bom-ref"] for component in libraries]
    made: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": SPEC,
        "version": 1,
        "metadata": {"component": subject},
        "components": [*models, text, *data, *libraries],
        "dependencies": [{"ref": name, "dependsOn": sorted(needs[name])} for name in sorted(needs)],
    }
    return {**made, "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, canonical_json(made))}"}


def counted(made: Mapping[str, Any]) -> dict[str, int]:
    """How many models, sets of data and packages a bill holds, and how many packages of no known licence."""
    kinds = [component["type"] for component in made["components"]]
    unknown = [c for c in made["components"] if c["type"] == "library" and "licenses" not in c]
    return {
        "models": kinds.count("machine-learning-model"),
        "data": kinds.count("data"),
        "packages": kinds.count("library"),
        "packages of no known licence": len(unknown),
    }


def _library(package: Package) -> dict[str, Any]:
    # As the package URL's specification spells names of PyPI.
    name = package.name.lower().replace("_", "-")
    purl = f"pkg:pypi/{name}@{package.version.replace('+', '%2B')}"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": package.name,
        "version": package.version,
        "purl": purl,
        **_licences(package.licence, spdx=package.spdx),
    }


def _data(name: str, dataset: DatasetRef, licence: str = "") -> dict[str, Any]:
    return {
        "type": "data",
        "bom-ref": name,
        "name": dataset.name,
        "data": [{"type": "dataset", "name": dataset.name}],
        "hashes": [_sha256(dataset.digest)],
        **_licences(licence, spdx=False),
        "properties": _properties(rows=dataset.rows, lake=dataset.ref),
    }


def _file(ref: str, kind: str, name: str, sha256: str) -> dict[str, Any]:
    return {"type": kind, "bom-ref": ref, "name": name, "hashes": [_sha256(sha256)]}


def _sha256(digest: str) -> dict[str, str]:
    return {"alg": "SHA-256", "content": digest}


def _licences(licence: str, *, spdx: bool) -> dict[str, Any]:
    if not licence:
        return {}
    return {"licenses": [{"expression": licence} if spdx else {"license": {"name": licence}}]}


def _properties(**values: object) -> list[dict[str, str]]:
    return [{"name": f"llmops:{name}", "value": str(value)} for name, value in values.items() if value not in ("", 0)]


def _licence(about: Any) -> tuple[str, bool]:
    """(licence, whether it is an SPDX expression): the field of PEP 639, else the old field, else the classifiers."""
    if expression := about.get("License-Expression"):
        return expression, True
    told = (about.get("License") or "").strip()
    if told and told.upper() != "UNKNOWN" and "\n" not in told and len(told) <= LONGEST_LICENCE:
        return told, False
    names = [c.split(" :: ")[-1] for c in about.get_all("Classifier") or () if c.startswith("License :: ")]
    return ", ".join(name for name in names if name != "OSI Approved"), False
