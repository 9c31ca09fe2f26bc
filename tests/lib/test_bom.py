"""The bill of materials: what is in it, against a strict schema of what we write of CycloneDX 1.6."""

import re

import jsonschema
import pytest
from support import COMMIT, dataset, ref

from llmops_assets.lib import bom
from llmops_assets.lib.bom import Package
from llmops_assets.lib.hashing import canonical_json
from llmops_assets.lib.records import (
    DataTerms,
    FileRef,
    ModelRef,
    PromptRef,
    Recipe,
    ReleaseManifest,
    RouterPolicy,
    TunedModel,
)

TEXT = {"type": "string", "minLength": 1}


def of(required: dict, **optional) -> dict:
    """A JSON object of these fields and no other."""
    return {
        "type": "object",
        "properties": {**required, **optional},
        "required": list(required),
        "additionalProperties": False,
    }


def many(entry: dict) -> dict:
    return {"type": "array", "items": entry, "uniqueItems": True}


LICENCES = many({"oneOf": [of({"expression": TEXT}), of({"license": of({"name": TEXT})})]})
HASHES = many(of({"alg": {"const": "SHA-256"}, "content": {"pattern": "^[0-9a-f]{64}$"}}))
COMPONENT = of(
    {
        "type": {"enum": ["application", "library", "machine-learning-model", "data"]},
        "bom-ref": TEXT,
        "name": TEXT,
    },
    version=TEXT,
    purl={"pattern": "^pkg:pypi/[a-z0-9._-]+@"},
    hashes=HASHES,
    licenses=LICENCES,
    properties=many(of({"name": {"pattern": "^llmops:"}, "value": TEXT})),
    data=many(of({"type": {"enum": ["dataset", "configuration"]}, "name": TEXT})),
    modelCard=of(
        {
            "modelParameters": of(
                {"approach": of({"type": {"const": "supervised"}}), "datasets": many(of({"ref": TEXT}))}
            )
        }
    ),
)
SCHEMA = of(
    {
        "bomFormat": {"const": "CycloneDX"},
        "specVersion": {"const": "1.6"},
        "serialNumber": {"pattern": r"^urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"},
        "version": {"const": 1},
        "metadata": of({"component": COMPONENT}),
        "components": many(COMPONENT),
        "dependencies": many(of({"ref": TEXT, "dependsOn": many(TEXT)})),
    }
)
PACKAGES = (
    Package("Torch_x", "2.13.0+cpu", "BSD-3-Clause", spdx=True),
    Package("odd", "1", "Its own"),
    Package("x", "0"),
)


def file(name: str) -> FileRef:
    return FileRef(ref=ref(name, COMMIT), sha256="f" * 64, size=1)


@pytest.fixture
def manifest() -> ReleaseManifest:
    return ReleaseManifest(
        base=ModelRef(name="base", digest="b" * 64, parameters=135, license="apache-2.0"),
        engine_model=file("model.gguf"),
        adapter=file("adapter.gguf"),
        prompt=PromptRef(name="p", version=3, template="Be brief.", digest="p"),
        router=RouterPolicy(answer_above=0.7, hand_over_below=0.2),
        handover="A colleague will help.",
    )


@pytest.fixture
def tuned(manifest) -> TunedModel:
    return TunedModel(
        name="assistant-adapter",
        ref=ref("models/adapter", COMMIT),
        digest="a" * 64,
        base=manifest.base,
        recipe=Recipe(),
        dataset=dataset(),
        terms=DataTerms(licences=("CC-BY-4.0", "own")),
        model_version="7",
    )


def test_models_data_and_packages_are_told_with_their_licences(manifest, tuned):
    made = bom.bill(manifest, tuned, None, dataset(digest="e" * 64), PACKAGES)
    jsonschema.validate(made, SCHEMA)
    found = {component["bom-ref"]: component for component in made["components"]}
    assert found["base-model"]["licenses"] == [{"license": {"name": "apache-2.0"}}]
    assert found["training-rows"]["licenses"] == [{"license": {"name": "CC-BY-4.0, own"}}]
    assert found["pkg:pypi/torch-x@2.13.0%2Bcpu"]["licenses"] == [{"expression": "BSD-3-Clause"}]
    assert found["pkg:pypi/odd@1"]["licenses"] == [{"license": {"name": "Its own"}}]
    assert made["metadata"]["component"]["hashes"][0]["content"] == manifest.content_hash
    needs = {entry["ref"]: entry["dependsOn"] for entry in made["dependencies"]}
    assert needs["tuned-model"] == ["base-model", "training-rows"]
    assert needs["engine-model"] == ["base-model"]
    assert set(needs["release"]) == set(found) - {"training-rows"}
    assert bom.counted(made) == {"models": 3, "data": 3, "packages": 3, "packages of no known licence": 1}


def test_the_same_release_has_the_same_bill_and_another_one_another(manifest, tuned):
    first = canonical_json(bom.bill(manifest, tuned, None, None, PACKAGES))
    assert canonical_json(bom.bill(manifest, tuned, None, None, PACKAGES)) == first
    assert canonical_json(bom.bill(manifest, tuned, None, None, PACKAGES[:2])) != first


def test_a_bare_base_model_has_a_bill_too_and_packages_nobody_noted_are_said_so(manifest):
    made = bom.bill(manifest.model_copy(update={"engine_model": None}), None, None, None, None)
    jsonschema.validate(made, SCHEMA)
    assert {"name": "llmops:packages", "value": "not recorded"} in made["metadata"]["component"]["properties"]
    assert bom.counted(made) == {"models": 1, "data": 1, "packages": 0, "packages of no known licence": 0}


@pytest.mark.slow
def test_packages_are_read_of_this_environment():
    found = {package.name.lower(): package for package in bom.installed()}
    assert re.match(r"\d", found["pydantic"].version)
    assert found["pydantic"] == Package("pydantic", found["pydantic"].version, "MIT", spdx=True)
    assert list(found) == sorted(found)
