"""`llmops replay` and the way back: the real commands on hand-made releases and a scripted target."""

import contextlib
import csv
import json
from pathlib import Path

import dagster as dg
import pytest
from commands_support import llmops
from release_support import JUDGEMENT, World, registry, world
from scripted_target import Said
from support import article

from llmops_assets.commands import labels, replays
from llmops_assets.lib import tables
from llmops_assets.lib.corpus import articles
from llmops_assets.lib.judging.recent import is_judged
from llmops_assets.lib.records import Candidate, DatasetRef, KnowledgeBase
from resources.workspace import Workspace

pytestmark = pytest.mark.slow

__all__ = ["registry", "world"]
DAY = "2026-03-08"
RETURNS = article("returns", "You can return any lamp within 45 days.", facts=(("45 days",),))
DELIVERY = article("delivery", "Delivery takes 3 to 5 days after packing.")
ASKED = [f"How late may lamp {n} go back?" for n in range(40)]
CORRECTED = next(text for text in ASKED if is_judged(text))


def row(number: int, question: str, **fields) -> dict:
    plain = {
        "id": f"i{number}",
        "time": f"{DAY}T10:00:{number:02}",
        "release_id": "r",
        "subject": "s",
        "answer": "No idea.",
    }
    plain |= {"conversation": f"c{number}", "question": question, "path": "generated", "turn": 0, "status": 200}
    return {**plain, "rating": 0, "latency_seconds": 0.1, **fields}


@pytest.fixture
def installed(home: Path, world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Two releases, of which one serves, and a day of traffic: praised, corrected, disputed, unrated."""
    world.released()
    world.tune("adapter", "two")
    assert world.run(JUDGEMENT).success
    trusted = world.put("trusted.jsonl", articles.to_jsonl([RETURNS, DELIVERY]))
    kept = DatasetRef(name="kb", ref=trusted.ref, digest=trusted.sha256, rows=2)
    world.report("knowledge_base", KnowledgeBase(articles=kept, trusted=kept, corrections=0))
    wrong = {"path": "matched", "article": "returns", "answer": RETURNS.answer, "rating": -1}
    rows = [
        row(1, "Until when can I return it?", path="matched", article="returns", answer=RETURNS.answer, rating=1),
        row(2, CORRECTED, correction=RETURNS.answer, rating=-1),
        row(3, "Is my lamp coming?", **wrong, correction=DELIVERY.answer),
        row(4, "What is new?"),
        row(5, "What is new?"),
        row(6, "Broken?", status=500),
    ]
    file = world.put(f"monitoring/interactions/{DAY}.parquet", tables.to_parquet(rows, tables.INTERACTIONS))
    record = DatasetRef(name="interactions", ref=file.ref, digest=file.sha256, rows=len(rows))
    metadata = {"record": dg.MetadataValue.json(record.model_dump(mode="json"))}
    world.instance.report_runless_asset_event(dg.AssetMaterialization("interactions", metadata=metadata, partition=DAY))
    labelled = [{"row_id": "chat-1", "day": DAY, "question": "x", "intent": name} for name in ("returns", "delivery")]
    world.put(f"data/labelled_conversations/{DAY}.parquet", tables.to_parquet(labelled, tables.LABELLED))
    monkeypatch.setattr(replays, "open_lake", lambda _: world.lake)
    monkeypatch.setattr(labels, "open_lake", lambda _: world.lake)
    monkeypatch.setattr(replays, "open_target", lambda *_, **__: world.target)
    monkeypatch.setattr(dg.DagsterInstance, "get", lambda: contextlib.nullcontext(world.instance))
    return world


def replayed(*options: object):
    return llmops("replay", "--from", DAY, "--to", DAY, *options)


def test_a_window_is_asked_again_and_what_people_say_of_it_judges_the_next_candidate(installed, home, tmp_path):
    candidate = installed.record("candidate", Candidate).release_id
    for question in ("Until when can I return it?", CORRECTED):
        installed.target.say(question, Said(RETURNS.answer, article="returns"), candidate)
    file = tmp_path / "look.csv"
    done = replayed("--disagreements", file)
    assert done.exit_code == 0, done.output + done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == f"{candidate} against {installed.live} on 4 logged questions"
    assert lines[1] == "right answer known of 2: 2 right, incumbent 0 (2 won, 0 lost)"
    assert lines[2].startswith("difference +100.0 points, 90 % interval ")
    assert lines[2].endswith("margin 10: undecided")
    assert "left out, asked before in the window: 1" in lines
    assert "left out, got no answer: 1" in lines
    assert "not graded, feedback against a trusted article: 1" in lines
    with file.open(newline="") as text:
        listed = list(csv.DictReader(text))
    assert [(one["row_id"], one["reason"]) for one in listed] == [
        ("i1", "only the candidate is right"),
        ("i2", "only the candidate is right"),
        ("i3", "feedback against a trusted article"),
    ]
    assert installed.target.states[-1].preview is None
    # A person settles the dispute, and labels come back the way all labels do.
    listed[2] |= {"intent": "delivery", "annotator": "Ada"}
    with file.open("w", newline="") as text:
        writer = csv.DictWriter(text, list(listed[0]))
        writer.writeheader()
        writer.writerows(listed)
    taken = llmops("labels", "import", file)
    assert taken.exit_code == 0, taken.output + taken.stderr
    assert "1 of customers' questions: the next eval_suite judges by them" in taken.stdout
    assert replayed().stdout.splitlines()[1].startswith("right answer known of 3: 2 right")


@pytest.mark.parametrize(("form", "key"), [("argilla", "fields"), ("labelstudio", "data")])
def test_disagreements_go_to_the_tools_that_label(installed, tmp_path, form, key):
    file = tmp_path / "look.json"
    assert replayed("--disagreements", file, "--format", form).exit_code == 0
    [told] = json.loads(file.read_text())
    assert told[key]["question"] == "Is my lamp coming?"


def test_what_was_taught_is_no_judge(installed):
    taught = [{"row_id": "t", "question": CORRECTED}]
    file = installed.put(tables.TRAINING_ROWS, tables.to_parquet(taught, tables.TRAINING))
    installed.lake.tag("training-dataset-old", file.ref.commit)
    done = replayed()
    assert "right answer known of 1: 0 right, incumbent 0" in done.stdout
    assert "not graded, taught to some release: 1" in done.stdout


def test_what_cannot_be_replayed_is_one_sentence(installed):
    live = installed.live
    for options, told in (
        (("--candidate", live), f"{live} would be compared with itself"),
        (("--candidate", "r-none"), "r-none is neither the last candidate nor a release"),
        (("--disagreements", "/dev/null/x"), "/dev/null/x cannot be written: "),
    ):
        done = replayed(*options)
        assert (done.exit_code, told in done.stderr) == (1, True), done.stderr
    empty = llmops("replay", "--from", "2026-04-01", "--to", "2026-04-02")
    assert "no logged question from 2026-04-01 to 2026-04-02 can be asked again (0 days in the lake" in empty.stderr
    installed.target.fault = lambda *_: None
    for question in ("Until when can I return it?", CORRECTED, "Is my lamp coming?", "What is new?"):
        installed.target.say(question, Said(status=503))
    assert "answered none of 4 questions" in replayed().stderr


def test_an_installation_that_never_built_says_so(home):
    done = replayed()
    assert done.exit_code == 1
    assert "use_case was never materialized: build a release first" in done.stderr
    assert not Workspace(home).labels_folder.exists()
