"""A real Prometheus for tests: `make test-prometheus` fetches Debian's."""

import shutil
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests
import yaml


def binary(name: str) -> str:
    """Where a program of Prometheus's is; a test that needs it fails without it."""
    found = shutil.which(name)
    assert found, f"{name} is not there: run these tests by `make test-prometheus`"
    return found


class Prometheus:
    """Scrapes addresses (`host:port` by job) every second and evaluates rules; ends with the context."""

    def __init__(self, folder: Path, targets: Mapping[str, str], rules: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self.address = f"http://127.0.0.1:{self._port}"
        self._folder = folder
        jobs = [{"job_name": job, "static_configs": [{"targets": [target]}]} for job, target in targets.items()]
        every = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config = {"global": every, "rule_files": [str(rules)], "scrape_configs": jobs}
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))

    def __enter__(self) -> "Prometheus":
        command = [binary("prometheus"), f"--config.file={self._folder / 'prometheus.yml'}"]
        command += [f"--storage.tsdb.path={self._folder / 'data'}", f"--web.listen-address=127.0.0.1:{self._port}"]
        self._log = (self._folder / "prometheus.log").open("wb")
        self._process = subprocess.Popen(command, stdout=self._log, stderr=self._log)
        self.wait_for(lambda: self._ready(), "Prometheus did not start")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(timeout=30)
        self._log.close()

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The instant vector of an expression now."""
        answer = requests.get(f"{self.address}/api/v1/query", params={"query": expression}, timeout=20).json()
        assert answer["status"] == "success", (expression, answer)
        return answer["data"]["result"]

    def rules(self) -> dict[str, dict[str, Any]]:
        """Every alert rule by its name, with its health and state."""
        groups = requests.get(f"{self.address}/api/v1/rules", timeout=20).json()["data"]["groups"]
        return {rule["name"]: rule for group in groups for rule in group["rules"]}

    def wait_for(self, condition, told: str, seconds: float = 60.0) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert self._process.poll() is None, (self._folder / "prometheus.log").read_text()
            assert time.monotonic() < deadline, told
            time.sleep(0.1)

    def _ready(self) -> bool:
        try:
            return requests.get(f"{self.address}/-/ready", timeout=5).ok
        except requests.RequestException:
            return False
