"""The OpenAPI description and the table of the docs say what the gateway accepts and answers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from gateway_support import Gateway
from jsonschema import Draft202012Validator

from llmops_assets.gateway.body import BODY_SECONDS, MAX_BODY
from llmops_assets.gateway.engine import CONTEXT
from llmops_assets.gateway.protocol import table
from llmops_assets.gateway.protocol.fields import treatment
from llmops_assets.gateway.protocol.messages import MOST_CHARACTERS
from llmops_assets.gateway.protocol.openapi import ANSWERS
from llmops_assets.gateway.server import HEAD_SECONDS, MOST_HEAD
from llmops_assets.lib.answering import grammar

EXAMPLES = 15
"""Of each kind and operation; CI's own runs add up."""


def described(gateway: Gateway) -> dict:
    return requests.get(f"{gateway.address}/openapi.json", timeout=9).json()


def test_the_table_in_the_docs_is_the_codes(root, capsys):
    table.main()
    printed = capsys.readouterr().out
    assert printed in (root / "docs" / "gateway.md").read_text()
    for _, (body, _, _) in ANSWERS.items():
        for name in body.model_fields:
            assert f"| `{name}` |" in printed


def test_the_limits_in_the_docs_are_the_codes(root):
    text = (root / "docs" / "gateway.md").read_text()
    assert f"At most {MOST_CHARACTERS} characters" in text
    assert f"({CONTEXT} tokens a slot" in text
    assert f"longer than {BODY_SECONDS:.0f} s, or has more than {MAX_BODY // 1024**2} MiB" in text
    assert f"more than {MOST_HEAD // 1024} KiB" in text
    assert HEAD_SECONDS == BODY_SECONDS
    limits = f"at most {grammar.MOST_PARTS} parts, {grammar.MOST_DEPTH} deep, lists of at most {grammar.MOST_ITEMS}"
    assert limits in text
    assert all(f"`{name}`" in text for name in grammar.KNOWN - {"title", "description"})


@pytest.mark.parametrize("path", ANSWERS)
def test_every_parameter_has_its_treatment_and_its_reason(path):
    body = ANSWERS[path][0]
    for name, field in body.model_fields.items():
        assert treatment(body, name) in table.ORDER
        assert field.description
        assert treatment(body, name) == "honoured" or not field.is_required()


@pytest.mark.slow
def test_the_description_is_of_every_address_and_refers_to_nothing_that_is_not_there(one):
    document = described(one)
    assert document["openapi"] == "3.1.0"
    open_to_all = {"/", "/chat", "/chat.js", "/chat.css", "/openapi.json", "/healthz", "/metrics"}
    assert set(document["paths"]) == {route.path for route in one.app.routes} - open_to_all
    schemas = document["components"]["schemas"]
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)
    assert set(references(document)) <= {f"#/components/schemas/{name}" for name in schemas}
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)


def references(document: object) -> list[str]:
    if isinstance(document, dict):
        own = [document["$ref"]] if isinstance(document.get("$ref"), str) else []
        return [*own, *(found for part in document.values() for found in references(part))]
    return [found for part in document for found in references(part)] if isinstance(document, list) else []


@pytest.mark.slow
def test_the_description_asks_for_a_key_where_there_are_keys(files, tmp_path, one):
    assert "security" not in described(one)
    with Gateway(files, tmp_path, roles=("caller",)) as gateway:
        document = described(gateway)
        assert document["security"] == [{"key": []}]
        assert document["components"]["securitySchemes"] == {"key": {"type": "http", "scheme": "bearer"}}


@pytest.mark.slow
def test_schemathesis_finds_nothing_that_is_not_as_described(one, tmp_path):
    config = Path(__file__).with_name("schemathesis.toml")
    command = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(config), "run"]
    command += [f"{one.address}/openapi.json", "--max-examples", str(EXAMPLES), "--seed", "7", "--no-color"]
    hooked = {**os.environ, "SCHEMATHESIS_HOOKS": "schemathesis_hooks", "PYTHONPATH": str(config.parent)}
    done = subprocess.run(command, cwd=tmp_path, env=hooked, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stdout[-6000:]
    assert "16 selected / 16 total" in done.stdout
