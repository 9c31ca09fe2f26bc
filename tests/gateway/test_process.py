"""The gateway's process takes what settings say of logs, traces, prices, budget and cache."""

import json
import socket
import subprocess
import sys

import pytest
import requests
from gateway_support import KNOWN, wait_for
from otlp_receiver import Receiver
from signing_support import trusted_file

from llmops_assets.lib.redaction import load_subject_keys
from resources.wiring import gateway_options
from resources.workspace import Settings


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_settings_become_options_and_those_at_rest_do_not():
    assert gateway_options(Settings()) == ["--log-format", "text", "--cache-seconds", "3600.0"]
    said = Settings(
        log_format="json",
        otlp_endpoint="http://127.0.0.1:4318",
        cache_answers=5,
        cache_seconds=60,
        budget_per_day=2.5,
    )
    assert gateway_options(said) == [
        *("--log-format", "json", "--traces", "http://127.0.0.1:4318", "--budget-per-day", "2.5"),
        *("--cache-answers", "5", "--cache-seconds", "60.0"),
    ]


@pytest.mark.parametrize(
    "wrong",
    [{"log_format": "xml"}, {"otlp_endpoint": "127.0.0.1"}, {"cache_answers": -1}, {"cache_seconds": 0}],
    ids=str,
)
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Settings(**wrong)


@pytest.mark.slow
def test_a_process_logs_traces_and_counts_as_it_is_told(tmp_path, hosting):
    load_subject_keys(tmp_path / "subject.key")
    (tmp_path / "hosting.json").write_text(hosting.model_dump_json())
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with Receiver() as receiver:
        settings = Settings(
            log_format="json", otlp_endpoint=receiver.address, cache_answers=5, cache_seconds=60, budget_per_day=2.5
        )
        command = [sys.executable, "-m", "llmops_assets.gateway", "--root", str(tmp_path), "--port", str(port)]
        command += ["--log-url", f"sqlite:///{tmp_path / 'log.db'}", "--subject-key", str(tmp_path / "subject.key")]
        command += ["--trusted-keys", str(trusted_file(tmp_path / "trusted.pem"))]
        command += ["--hosting", str(tmp_path / "hosting.json"), *gateway_options(settings)]
        with (tmp_path / "said").open("wb") as said:
            process = subprocess.Popen(command, stdout=said, stderr=said)
        try:

            def answers() -> bool:
                assert process.poll() is None, (tmp_path / "said").read_text()
                try:
                    return requests.get(f"{address}/healthz", timeout=5).status_code == 503
                except requests.RequestException:
                    return False

            wait_for(answers, 120)
            body = {"messages": [{"role": "user", "content": f"{KNOWN} anna.keller@mail.example"}], "user": "anna"}
            refused = requests.post(f"{address}/v1/chat/completions", json=body, timeout=30)
            assert refused.status_code == 503
            assert "gateway_budget_per_day 2.5" in requests.get(f"{address}/metrics", timeout=20).text
        finally:
            process.terminate()
            process.wait(timeout=30)
    lines = [json.loads(line) for line in (tmp_path / "said").read_text().splitlines()]
    (told,) = [line for line in lines if line["message"] == "not answered"]
    (root,) = [span for span in receiver.spans if not span.parent]
    assert (told["status"], told["trace"], told["interaction"]) == (
        503,
        root.trace,
        root.attributes["llmops.interaction"],
    )
    assert "anna" not in (tmp_path / "said").read_text()
