import csv
import io
import json
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmops_assets.lib.cells import escaped, restored
from llmops_assets.lib.labelling.labelfiles import (
    Label,
    LabelError,
    check_labels,
    keep_labels,
    kept_labels,
    labelstudio_config,
    read_labels,
    settle,
    spelled,
    write_queue,
)
from llmops_assets.lib.labelling.queue import QueueItem

ITEMS = [
    QueueItem(
        row_id=f"r{n}",
        day="2026-03-02",
        question=f'Where, "exactly", is it?\nNumber {n} é',
        answer="Here.",
        given_intent="",
        suggested_intent="delivery" if n else "",
        confidence=0.5,
        reason="unknown",
    )
    for n in range(3)
]
TIME = "2026-03-05T10:00:00+00:00"


def labels_of(path) -> list[Label]:
    return [placed.label for placed in read_labels(path)]


def written(tmp_path, content, name="labels.txt"):
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_table_filled_by_hand_comes_back(tmp_path, form):
    text = write_queue(ITEMS, form)
    read = list(csv.DictReader(io.StringIO(text))) if form == "csv" else [json.loads(x) for x in text.splitlines()]
    assert [row["question"] for row in read] == [item.question for item in ITEMS]
    read[0].update(intent=" delivery ", annotator="ann", time=TIME)
    read[2].update(intent="Unknown")
    if form == "csv":
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, list(read[0]), delimiter=";")
        writer.writeheader()
        writer.writerows(read)
        text = "\ufeff" + buffer.getvalue()
    else:
        text = "\n".join(json.dumps(row) for row in read)
    assert labels_of(written(tmp_path, text)) == [
        Label(row_id="r0", intent="delivery", annotator="ann", time=TIME),
        Label(row_id="r2", intent=""),
    ]


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
    | st.text("'=+-@\t\r\uff1d a")
)
def test_any_cell_is_a_text_in_a_spreadsheet_and_comes_back_as_it_was(text):
    assert restored(escaped(text)) == text
    assert not escaped(text).startswith(("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20"))


@pytest.mark.parametrize(
    "start", ["=1+1", "+44 is my code", "-3 degrees", "@home", "\t=x", "\r=x", "'=quoted", "\uff1dcmd"]
)
def test_a_queue_runs_in_no_spreadsheet_and_its_rows_are_known_again(tmp_path, start):
    out = write_queue(
        [ITEMS[0].model_copy(update={"row_id": start, "question": start, "suggested_intent": start})], "csv"
    )
    (row,) = csv.DictReader(io.StringIO(out))
    assert [row[name][0] for name in ("row_id", "question", "suggested_intent")] == ["'"] * 3
    assert restored(row["question"]) == start
    row["intent"] = row["suggested_intent"]
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(row))
    writer.writeheader()
    writer.writerow(row)
    path = tmp_path / "filled.csv"
    path.write_bytes(buffer.getvalue().encode("utf-8-sig"))
    assert labels_of(path) == [Label(row_id=start, intent=start.strip())]


@pytest.mark.parametrize("time", ["05.03.2026 10:00", "3/5/2026 10:00", "5 Mar 2026", "46086.4"])
def test_a_time_that_a_spreadsheet_has_changed_is_refused_with_the_remedy(tmp_path, time):
    with pytest.raises(LabelError, match=r"line 2: the time .* is none of ISO 8601 .* leave it empty"):
        read_labels(written(tmp_path, f"row_id;intent;time\nr1;delivery;{time}\n"))


def test_a_twin_column_is_refused_and_carriage_returns_end_lines(tmp_path):
    with pytest.raises(LabelError, match="line 1: two columns are named 'intent'"):
        read_labels(written(tmp_path, "row_id,intent,Intent \nr1,delivery,returns\n"))
    path = tmp_path / "mac.csv"
    path.write_bytes(b"row_id,intent\rr1,delivery\rr2,returns\r")
    assert [label.intent for label in labels_of(path)] == ["delivery", "returns"]


def test_intents_are_spelled_as_they_are_known(tmp_path):
    found = read_labels(written(tmp_path, "row_id,intent\na,Returns\nb,delivery  TIME\nc,fame\nd,\ne,Unknown\n"))
    assert [p.label.intent for p in spelled(found, {"returns", "delivery_time"})] == [
        "returns", "delivery_time", "fame", ""
    ]  # fmt: skip
    assert spelled(found, {"returns", "RETURNS"})[0].label.intent == "Returns", "neither is meant for sure"


def test_the_latest_label_is_the_latest_in_time_not_in_writing():
    early, late = label("x", "ann", "2026-03-05T23:30:00-05:00"), label("y", "ann", "2026-03-06T06:00:00+01:00")
    assert settle([early, late]).intent == settle([late, early]).intent == "y"
    later = label("x", "ann", "2026-03-06 05:30:00Z")
    assert settle([later, late]).intent == "x"
    kept_by_an_older_version = label("z", "ann", "31.12.2026 10:00")
    assert settle([kept_by_an_older_version, late]).intent == "y"


def test_argilla_records_go_out_as_its_client_reads_them_and_come_back_with_responses(tmp_path):
    records = json.loads(write_queue(ITEMS, "argilla"))
    assert set(records[0]) == {"id", "fields", "metadata", "suggestions", "responses", "vectors", "_server_id"}
    assert records[1]["suggestions"]["intent"] == {"value": "delivery", "score": 0.5, "agent": "llmops_assets"}
    assert records[0]["suggestions"] == {}
    user = "3f0bd3e4-7d5b-4a38-8e0e-0d4b6a4f2a11"
    records[1]["responses"] = {"intent": [{"value": "returns", "user_id": user}, {"value": "delivery", "user_id": "b"}]}
    assert labels_of(written(tmp_path, records)) == [
        Label(row_id="r1", intent="returns", annotator=user),
        Label(row_id="r1", intent="delivery", annotator="b"),
    ]


def test_flattened_argilla_records_count_only_when_submitted(tmp_path):
    record = {
        "id": "r1",
        "question": "q",
        "intent.responses": ["returns", "delivery"],
        "intent.responses.users": ["a", "b"],
        "intent.responses.status": ["submitted", "draft"],
    }
    assert labels_of(written(tmp_path, [record])) == [Label(row_id="r1", intent="returns", annotator="a")]


def test_label_studio_tasks_go_out_with_predictions_and_come_back_with_annotations(tmp_path):
    tasks = json.loads(write_queue(ITEMS, "labelstudio"))
    result = tasks[1]["predictions"][0]["result"][0]
    interface = ElementTree.fromstring(labelstudio_config(["delivery", 'a "b" & c']))
    choices = interface.find("Choices")
    assert (choices.get("name"), choices.get("toName")) == (result["from_name"], result["to_name"])
    assert interface.find(f"Text[@name='{result['to_name']}']").get("value") == "$question"
    assert [c.get("value") for c in choices] == ["delivery", 'a "b" & c', "unknown"]
    annotation = {"id": 7, "completed_by": 3, "was_cancelled": False, "updated_at": TIME, "result": [result]}
    tasks[1].update(id=12, annotations=[annotation, {**annotation, "was_cancelled": True}])
    tasks[2].update(annotations=[{**annotation, "completed_by": {"id": 4, "email": "ann@lumora.example"}}])
    assert labels_of(written(tmp_path, tasks)) == [
        Label(row_id="r1", intent="delivery", annotator="3", time=TIME),
        Label(row_id="r2", intent="delivery", annotator="ann@lumora.example", time=TIME),
    ]


def test_label_studios_short_json_is_read_by_its_row_id(tmp_path):
    task = {"id": 12, "row_id": "r1", "question": "q", "intent": "delivery", "annotator": 3, "updated_at": TIME}
    assert labels_of(written(tmp_path, [task])) == [Label(row_id="r1", intent="delivery", annotator="3", time=TIME)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"row_id": "a", "intent": "x"}\n{"row_id": ', "line 2, column"),
        ('[{"row_id": "a", "intent": "x"},\n{]', "line 2, column 2: broken JSON"),
        ("[1]", "record 1: a int"),
        ('{"row_id": "a", "intent": 5}', "line 1: the intent of row 'a' is no name"),
        ("row_id,intent\na,x,y\n", "line 2: another number of values"),
        ("row_id,intent\na\n", "line 2: another number of values"),
        ('row_id,intent\na,"x\n', "line 2: broken CSV"),
        ("id,topic\na,x\n", "line 2: no 'row_id'; there are id, topic"),
        ("row_id,intent\na,\n", "holds no label"),
        ("", "holds no label"),
        ("row_id,intent\n,x\n", "line 2: no row id"),
        ('[{"id": "a", "fields": {}, "responses": {"intent": "x"}}]', "record 1: responses.intent is no list"),
        (
            '[{"data": {"row_id": "a"}, "annotations": [{"result": [{"from_name": "intent", "type": "choices", '
            '"value": {"choices": ["x", "y"]}}]}]}]',
            "record 1: 2 intents in one annotation",
        ),
    ],
)
def test_broken_files_are_refused_with_the_place(tmp_path, content, message):
    with pytest.raises(LabelError, match=r"labels\.txt") as refused:
        read_labels(written(tmp_path, content))
    assert message in str(refused.value)


def test_another_encoding_and_a_missing_file_are_refused(tmp_path):
    path = tmp_path / "latin.csv"
    path.write_bytes("row_id,intent\na,x\nb,é\n".encode("latin-1"))
    with pytest.raises(LabelError, match="line 3: not UTF-8"):
        read_labels(path)
    with pytest.raises(LabelError, match="No such file"):
        read_labels(tmp_path / "none.csv")


def test_unknown_rows_and_intents_are_named_with_their_places(tmp_path):
    path = written(tmp_path, "row_id,intent\nr1,delivery\nr9,delivery\nr2,fame\n")
    found = read_labels(path)
    with pytest.raises(LabelError, match=r"1 row ids are in no day of the lake \(line 3: 'r9'\)"):
        check_labels(path, found, {"r1", "r2"}, {"delivery"})
    with pytest.raises(LabelError, match=r"line 4: 'fame'.*--new-intents"):
        check_labels(path, found, {"r1", "r2", "r9"}, {"delivery"})
    check_labels(path, found, {"r1", "r2", "r9"}, {"delivery"}, new_intents=True)


def test_the_same_labels_are_kept_once_whatever_their_order(tmp_path):
    labels = [Label(row_id="a", intent="x", annotator="ann"), Label(row_id="b", intent="", time=TIME)]
    first, new = keep_labels(tmp_path / "labels", labels, "2026-04-01T00:00:00+00:00")
    again, new_again = keep_labels(tmp_path / "labels", labels[::-1], "2026-05-01T00:00:00+00:00")
    assert (first, new, new_again) == (again, True, False)
    assert kept_labels(tmp_path / "labels") == {
        "a": Label(row_id="a", intent="x", annotator="ann", time="2026-04-01T00:00:00+00:00"),
        "b": Label(row_id="b", intent="", time=TIME),
    }
    assert kept_labels(tmp_path / "none") == {}


def label(intent: str, annotator: str, time: str = TIME) -> Label:
    return Label(row_id="a", intent=intent, annotator=annotator, time=time)


def test_of_several_labels_the_one_most_people_ended_with_counts():
    two = [label("x", "ann"), label("x", "bob"), label("y", "cyd", "2026-04-01T00:00:00+00:00")]
    assert settle(two).intent == "x"
    changed = [*two, label("y", "bob", "2026-04-02T00:00:00+00:00")]
    assert settle(changed).intent == settle(changed[::-1]).intent == "y"
    assert settle([label("x", "ann"), label("y", "llm:m"), label("y", "llm:n")]).intent == "x"
