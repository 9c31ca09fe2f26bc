"""What was acknowledged outlives a kill, of the server or of those who write: nothing is lost and nothing is double."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from gateway_support import GENERATED, Gateway, told
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError

from llmops_assets.gateway.errors import explained
from llmops_assets.gateway.identity.ledger import Ledger
from llmops_assets.gateway.interaction_log import InteractionLog
from llmops_assets.gateway.protocol.reply import error_body

NOON = datetime(2026, 3, 11, 12, tzinfo=UTC)
WRITER = """
import sys, time
from datetime import UTC, datetime
import sqlalchemy.exc
from llmops_assets.gateway.identity.ledger import Account, Hold, Ledger
from llmops_assets.gateway.interaction_log import InteractionLog
from llmops_assets.gateway.protocol.reply import error_body
from llmops_assets.lib.records import Interaction

url, name = sys.argv[1:]
account = [Account("all", 10**9)]

def row(key):
    return Interaction(id=key, time=datetime(2026, 3, 11, 12, tzinfo=UTC), release_id="r", subject="s",
        conversation="c", question="q", answer="a", path="generated", latency_seconds=0.5)

def spend():
    held = ledger.reserve(account, 10)
    assert isinstance(held, Hold)
    ledger.settle(held, 7)

log, ledger = InteractionLog(url), Ledger(url)
for number in range(10**6):
    key = f"{name}-{number}"
    for what, do in (("row", lambda: log.append(row(key))), ("entry", lambda: log.audit("act", key)), ("spent", spend)):
        try:
            do()
        except sqlalchemy.exc.DBAPIError:
            print("refused", key, flush=True)
            time.sleep(0.05)
        else:
            print(what, key, flush=True)
"""


class Writers:
    """Processes that write and say what was acknowledged."""

    def __init__(self, url: str, folder, count: int = 2) -> None:
        self.url, self.folder, self.count = url, folder, count
        self.processes: list[subprocess.Popen] = []

    def start(self, about: str) -> None:
        for number in range(self.count):
            out = (self.folder / f"{about}-{number}.txt").open("w")
            command = [sys.executable, "-c", WRITER, self.url, f"{about}-{number}"]
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
            self.processes.append(subprocess.Popen(command, stdout=out, env=environment))
            out.close()

    def said(self) -> list[tuple[str, str]]:
        """(what, key) of every whole line."""
        lines = [line for file in self.folder.glob("*.txt") for line in file.read_text().splitlines(keepends=True)]
        return [tuple(line.split()) for line in lines if line.endswith("\n")]

    def wait(self, enough) -> None:
        deadline = time.monotonic() + 120
        while not enough(Counter(what for what, _ in self.said())):
            assert all(process.poll() is None for process in self.processes)
            assert time.monotonic() < deadline, self.said()[-5:]
            time.sleep(0.02)

    def kill(self) -> None:
        for process in self.processes:
            process.send_signal(signal.SIGKILL)
            process.wait(30)
        self.processes.clear()


@pytest.fixture
def writers(database, tmp_path):
    (tmp_path / "said").mkdir()
    # Tables are there before two processes want to make them.
    InteractionLog(database).close()
    Ledger(database).close()
    made = Writers(database, tmp_path / "said")
    yield made
    made.kill()


@pytest.mark.slow
def test_writers_and_server_are_killed_and_nothing_acknowledged_is_lost(database, writers, request):
    writers.start("before")
    writers.wait(lambda seen: min(seen["row"], seen["entry"], seen["spent"]) >= 20)
    if database.startswith("sqlite"):
        writers.kill()
        writers.start("after")
    else:
        server = request.getfixturevalue("postgres")
        server.kill()
        writers.wait(lambda seen: seen["refused"] >= 2)
        server.start()
    known = Counter(what for what, _ in writers.said())
    writers.wait(lambda seen: all(seen[what] >= known[what] + 10 for what in ("row", "entry", "spent")))
    writers.kill()
    said = writers.said()
    log, ledger = InteractionLog(database), Ledger(database)
    rows = Counter(row["id"] for row in log.interactions(NOON, NOON + timedelta(seconds=1)))
    entries = Counter(entry["detail"] for entry in log.audit_entries())
    assert {key for what, key in said if what == "row"} <= set(rows)
    assert {key for what, key in said if what == "entry"} <= set(entries)
    assert set(rows.values()) | set(entries.values()) == {1}
    # What was under way at each kill may have been written before anybody was told.
    under_way = 2 * writers.count
    for what, stored in (("row", rows), ("entry", entries)):
        assert len(stored) <= sum(one == what for one, _ in said) + under_way
    assert log.broken_audit_entry() is None
    spent, held = ledger.spent("all")
    acknowledged = 7 * sum(what == "spent" for what, _ in said)
    assert acknowledged <= spent <= acknowledged + 7 * under_way
    assert held <= 10 * under_way
    log.close()
    ledger.close()


@pytest.mark.cluster
def test_a_gateway_refuses_while_its_database_is_away_and_answers_when_it_is_back(files, tmp_path, postgres):
    with Gateway(files, tmp_path, log_url=postgres.schema()) as gateway:
        gateway.serve(1, live=files.bundle(tmp_path).release_id)
        answered = [gateway.ask(GENERATED)]
        assert answered[0].status_code == 200
        postgres.kill()
        try:
            for _ in range(2):
                away = gateway.ask(GENERATED)
                assert told(away, 503)["code"] == "store_unavailable"
                assert "choices" not in away.json()
        finally:
            postgres.start()
        answered.append(gateway.ask(GENERATED))
        assert answered[1].status_code == 200
        ids = [answer.headers["x-interaction-id"] for answer in answered]
        assert [row["id"] for row in gateway.rows()] == ids


def test_a_store_that_is_away_is_told_without_its_words():
    cause = Exception('connection to server at "10.0.0.7", user "llmops" failed')
    for error in (OperationalError("INSERT", {}, cause), InterfaceError("SELECT", {}, cause)):
        told_ = error_body(error)["error"]
        assert (explained(error)[0], told_["code"]) == (503, "store_unavailable")
        assert "10.0.0.7" not in told_["message"]
    assert explained(IntegrityError("INSERT", {}, cause))[0] == 500
