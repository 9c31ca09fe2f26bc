"""Labels of a day on embedded resources, the queue out to a file, and people's labels back in through the command."""

import csv
import json
import re
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import dagster as dg
import pytest
from typer.testing import CliRunner

from llmops_assets.cli import app
from llmops_assets.data.labelled_conversations import labelled_conversations
from llmops_assets.lib import tables
from llmops_assets.lib.labelling.queue import from_jsonl
from llmops_assets.lib.records import DatasetRef
from llmops_assets.samples import generator
from resources import build_resources, open_lake
from resources.conversations import Conversations
from resources.workspace import Workspace

pytestmark = pytest.mark.slow
DAYS = ("2026-03-02", "2026-03-03")
PERSONAL = r"@|\d{5}"
"""What gives away the personal data that the sample's customers write."""


def redacted(instance: dg.DagsterInstance, home, day: str, rows: list[dict]) -> None:
    """What redacted_conversations leaves behind, without running it."""
    lake, path = open_lake(Workspace(home)), f"data/redacted_conversations/{day}.parquet"
    full = [{"conversation": row["row_id"], "day": day, "rating": 0, **row} for row in rows]
    with lake.transaction("day", name="day") as draft:
        draft.put(path, tables.to_parquet(full, tables.CONVERSATIONS))
    record = DatasetRef(name="redacted_conversations", ref=lake.uri(draft.merged, path), digest=day, rows=len(rows))
    for asset, made, partition in (("use_case", generator.load_use_case(), None), (record.name, record, day)):
        metadata = {"record": dg.MetadataValue.json(made.model_dump(mode="json"))}
        instance.report_runless_asset_event(dg.AssetMaterialization(asset, partition=partition, metadata=metadata))


def label(instance: dg.DagsterInstance, home, day: str):
    """(metadata, rows, queue) of a day, as read back from the lake."""
    result = dg.materialize(
        [labelled_conversations], instance=instance, partition_key=day, resources=build_resources(home)
    )
    (event,) = result.get_asset_materialization_events()
    metadata = event.step_materialization_data.materialization.metadata
    rows = tables.from_parquet(open_lake(Workspace(home)).get("main", f"data/labelled_conversations/{day}.parquet"))
    return metadata, rows, queue_of(home, day)


def queue_of(home, day: str):
    """What waits for people now: taking labels in makes it another one."""
    return from_jsonl(open_lake(Workspace(home)).get("main", f"data/labelled_conversations/queue/{day}.jsonl"))


def sample(count: int) -> list[dict]:
    found = generator.conversations(count)
    return [{**{k: row[k] for k in ("question", "answer", "intent")}, "row_id": row["id"]} for row in found]


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    home = tmp_path_factory.mktemp("labels")
    rows = sample(260)
    with dg.DagsterInstance.ephemeral() as instance:
        redacted(instance, home, DAYS[0], rows[:180])
        redacted(instance, home, DAYS[1], [{**r, "intent": ""} if n % 2 else r for n, r in enumerate(rows[180:])])
        yield instance, home, rows, label(instance, home, DAYS[1])


def command(home, *arguments: str):
    return CliRunner().invoke(app, ["labels", *arguments], env={"LLMOPS_HOME": str(home)})


def test_a_day_is_labelled_with_what_was_learned_from_the_days_before(installation):
    _, _, truth, (metadata, rows, queue) = installation
    right = [
        r["predicted_intent"] == t["intent"] for r, t in zip(rows, truth[180:], strict=True) if r["predicted_intent"]
    ]
    assert len(right) > 60
    assert sum(right) / len(right) > 0.7
    assert metadata["cross_validated_accuracy"].value > 0.65
    assert metadata["calibration_error"].value < 0.15
    assert {r.data["value"] for r in metadata["label_source_distribution"].records} == {"source", "none"}
    assert sum(r.data["rows"] for r in metadata["intent_distribution"].records) == len(rows) == metadata["rows"].value
    assert metadata["intent_chart"].value.startswith("![intents](data:image/svg+xml;base64,")
    assert metadata["queue_size"].value == len(queue) > 0
    assert metadata["lake_ref"].value.endswith(f"data/labelled_conversations/{DAYS[1]}.parquet")


def test_tiny_days_and_days_without_intents_pass(tmp_path):
    with dg.DagsterInstance.ephemeral() as instance:
        for day, rows in (
            ("2026-03-02", []),
            ("2026-03-03", [{"row_id": "a", "question": "Where?", "answer": "", "intent": "x"}]),
            (
                "2026-03-04",
                [{"row_id": f"b{n}", "question": f"Where {n}?", "answer": "Here.", "intent": "x"} for n in range(3)],
            ),
        ):
            redacted(instance, tmp_path, day, rows)
            metadata, labelled, _ = label(instance, tmp_path, day)
            assert len(labelled) == len(rows) == metadata["rows"].value


def test_a_day_that_was_not_ingested_fails_and_says_what_to_do(tmp_path):
    with dg.DagsterInstance.ephemeral() as instance:
        redacted(instance, tmp_path, DAYS[0], sample(5))
        with pytest.raises(dg.Failure, match=f"has no {DAYS[1]}: materialize it"):
            label(instance, tmp_path, DAYS[1])


@pytest.mark.parametrize("form", ["csv", "jsonl", "argilla", "labelstudio"])
def test_every_format_goes_out_and_what_people_fill_in_is_checked(installation, tmp_path, form):
    _, home, _, _ = installation
    file = tmp_path / "queue"
    done = command(home, "export", "--format", form, "--limit", "5", str(file))
    assert done.exit_code == 0, done.output
    assert "5 rows to label" in done.output
    assert queue_of(home, DAYS[1])[0].row_id in file.read_text()
    assert "returns" in done.output
    refused = command(home, "check", str(file))
    assert refused.exit_code == 1
    assert "holds no label" in refused.output


def test_labels_come_in_once_and_the_next_run_prefers_them(installation, tmp_path):
    instance, home, _, (_, before, queue) = installation
    file = tmp_path / "labels.csv"
    with file.open("w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerows([("row_id", "intent", "annotator"), *((item.row_id, "zeal", "ann") for item in queue[:6])])
    refused = command(home, "import", str(file))
    assert refused.exit_code == 1
    assert "line 2: 'zeal'" in refused.output
    assert not (home / "labels").exists()
    done = command(home, "import", "--new-intents", str(file))
    assert done.exit_code == 0, done.output
    assert f"again for {DAYS[1]}" in done.output
    assert "were taken in before" in command(home, "import", "--new-intents", str(file)).output
    assert len(list((home / "labels").iterdir())) == 1
    metadata, rows, later = label(instance, home, DAYS[1])
    by_people = {r["row_id"] for r in rows if r["label_source"] == "human"}
    assert by_people == {item.row_id for item in queue[:6]}
    assert {r["intent"] for r in rows if r["row_id"] in by_people} == {"zeal"}
    assert not by_people & {item.row_id for item in later}
    assert metadata["record"].value["counts"]["by_human"] == 6
    assert [r["question"] for r in rows] == [r["question"] for r in before]


def test_a_row_id_from_elsewhere_is_refused(installation, tmp_path):
    file = tmp_path / "labels.jsonl"
    file.write_text(json.dumps({"row_id": "elsewhere", "intent": "returns"}))
    refused = command(installation[1], "import", str(file))
    assert refused.exit_code == 1
    assert "line 1: 'elsewhere'" in refused.output


class Teacher(BaseHTTPRequestHandler):
    """An OpenAI-compatible endpoint that knows the sample's intents, and remembers what it was asked."""

    truth: dict[str, str]
    asked: list[str]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        question = body["messages"][-1]["content"]
        self.asked.append(question)
        data = json.dumps({"choices": [{"message": {"content": self.truth.get(question) or "unknown"}}]}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


def test_a_model_labels_the_queue_only_after_it_agreed_with_people(tmp_path):
    rows = sample(200)
    with dg.DagsterInstance.ephemeral() as instance:
        redacted(instance, tmp_path, DAYS[0], [{**row, "intent": ""} if n > 150 else row for n, row in enumerate(rows)])
        _, _, queue = label(instance, tmp_path, DAYS[0])
    handler = type("Asked", (Teacher,), {"truth": {row["question"]: row["intent"] for row in rows}, "asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    ask = ["ask", "--url", f"http://127.0.0.1:{server.server_address[1]}/v1", "--model", "small", "--limit", "200"]
    try:
        refused = command(tmp_path, *ask)
        assert refused.exit_code == 1
        assert "0 rows carry a person's label and 50 are needed" in refused.output
        assert handler.asked == []
        file = tmp_path / "people.jsonl"
        known = [row for row in rows if row["intent"]][:90]
        lines = [json.dumps({"row_id": r["row_id"], "intent": r["intent"], "annotator": "ann"}) for r in known]
        file.write_text("\n".join(lines))
        assert command(tmp_path, "import", str(file)).exit_code == 0
        done = command(tmp_path, *ask)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert done.exit_code == 0, done.output
    assert "agreement with people: kappa 1.00" in done.output
    labels = Conversations(Workspace(tmp_path)).labels()
    made = [one for one in labels.values() if one.annotator == "llm:small"]
    assert made
    assert all(one.intent == {r["row_id"]: r["intent"] for r in rows}[one.row_id] for one in made)
    # The sample is not redacted here: many questions still hold an address or a number.
    sent, known_ids = Counter(handler.asked), {row["row_id"] for row in known}
    texts = [row["question"] for row in known], [i.question for i in queue if i.row_id not in known_ids]
    for group in texts:
        assert any(re.search(PERSONAL, text) for text in group)
    assert sent == Counter(text for group in texts for text in group if not re.search(PERSONAL, text))
