"""Clients that this project does not install, against a running gateway: `make test-clients` fetches them."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from gateway_support import KNOWN, Files, Gateway

pytestmark = pytest.mark.clients
SCRIPTS = Path(__file__).parent / "other_clients"
FOLDER = "OTHER_CLIENTS"
"""Environment variable with the folder of the clients: a virtual environment, and node_modules beside it."""
ANSWER = "Delivery takes 3 to 5 days."


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gateway")
    files = Files(folder)
    with Gateway(files, folder, roles=("caller",)) as running:
        running.one = files.bundle(folder, "one").release_id
        running.serve(1, live=running.one)
        yield running


def run(gateway: Gateway, script: str, key: str | None = None) -> subprocess.CompletedProcess[str]:
    folder = os.environ.get(FOLDER)
    assert folder, "the clients are not there: run these tests by `make test-clients`"
    program = shutil.which("node") if script.endswith(".mjs") else f"{folder}/bin/python"
    assert program, "there is no node: install Node.js 20 or later"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(gateway.root),
        "ASSISTANT_KEY": key or gateway.tokens["caller"],
        "ASSISTANT_MODULES": folder,
    }
    command = [program, str(SCRIPTS / script), gateway.address, KNOWN]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, check=False)


def told(gateway: Gateway, script: str) -> dict[str, Any]:
    ended = run(gateway, script)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout.splitlines()[-1])


def test_langchain(gateway):
    found = told(gateway, "with_langchain.py")
    assert found.pop("usage") > 0
    assert found.pop("streamed_usage") > 0
    assert found == {
        "answer": ANSWER,
        "model": gateway.one,
        "finished": "stop",
        "streamed": ANSWER,
        "side_by_side": [ANSWER, ANSWER],
        "response": ANSWER,
        "vectors": [256, 256],
        "refused": "OpenAIModelNotFoundError",
    }


def test_llama_index(gateway):
    found = told(gateway, "with_llama_index.py")
    assert found.pop("usage") > 0
    assert found == {
        "answer": ANSWER,
        "streamed": ANSWER,
        "completed": ANSWER,
        "plain": ANSWER,
        "refused": "NotFoundError",
    }


def test_openai_for_node(gateway):
    found = told(gateway, "with_node.mjs")
    assert found.pop("usage") == found.pop("streamed_usage") > 0
    assert found.pop("interaction") in {row["id"] for row in gateway.rows()}
    assert found == {
        "answer": ANSWER,
        "finished": "stop",
        "model": gateway.one,
        "status": 200,
        "streamed": ANSWER,
        "collected": ANSWER,
        "response": ANSWER,
        "events": ["response.created", "response.completed"],
        "vectors": [256, 256],
        "models": ["assistant", "embedder"],
        "refused": {"kind": "NotFoundError", "status": 404, "code": "model_not_found", "param": "model"},
    }


@pytest.mark.parametrize("script", sorted(path.name for path in SCRIPTS.glob("with_*")))
def test_a_wrong_key_is_the_clients_own_error(gateway, script):
    ended = run(gateway, script, key="wrong")
    assert ended.returncode == 1
    assert "AuthenticationError" in ended.stderr
    assert "invalid_api_key" in ended.stderr
