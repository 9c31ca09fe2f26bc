"""`llmops judge`, and what a judge's votes do to a judgement: a real endpoint on this machine, a scripted target."""

from pathlib import Path

import pytest
import yaml
from chat_server import ChatServer
from commands_support import llmops
from release_support import JUDGEMENT, World, failure, items, registry, world
from scripted_target import Said

from llmops_assets.commands import judges
from llmops_assets.lib.records import GateDecision, JudgePolicy, QualityReport
from llmops_assets.samples import generator

pytestmark = pytest.mark.slow

__all__ = ["registry", "world"]


@pytest.fixture
def server():
    """A judge that likes answers that end with `fact`."""
    served = ChatServer(lambda text, _: "yes" if text.endswith("fact") else "no")
    yield served
    served.close()


@pytest.fixture
def installed(home: Path, world: World, server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> World:
    """A use case with a judge, and a suite of which it grades a slice."""
    policy = JudgePolicy(url=server.address, model="judge", minimum_rows=10, timeout_seconds=5)
    world.case = world.case.model_copy(update={"judge": policy})
    world.report("use_case", world.case)
    (home / "case.yaml").write_text(yaml.safe_dump(world.case.model_dump(mode="json")))
    (home / "settings.yaml").write_text(
        f"use_case: {home / 'case.yaml'}\nknowledge: {generator.FOLDER / 'knowledge_base.yaml'}"
    )
    monkeypatch.setattr(judges, "open_lake", lambda _: world.lake)
    style = [
        item.model_copy(update={"id": f"style-{n}", "slice": "style", "question": f"Style {n}?", "scorer": "judge"})
        for n, item in enumerate(items()[:4])
    ]
    world.publish_suite([*items(), *style])
    for n in range(4):
        world.target.say(f"Style {n}?", Said("It is fact" if n else "It is odd", article="delivery"))
    return world


def examples(folder: Path, *, honest: bool = True) -> Path:
    file = folder / "judged.csv"
    lines = [f"q{n},r,{'a fact' if n % 2 else 'a lie'},{'yes' if n % 2 or not honest else 'no'}" for n in range(20)]
    file.write_text("\n".join(["question,reference,answer,right", *lines]))
    return file


def test_a_judge_that_agrees_with_people_may_vote_and_one_that_does_not_may_not(installed, server, tmp_path):
    refused = llmops("judge", examples(tmp_path, honest=False))
    assert refused.exit_code == 0, refused.output + refused.stderr
    assert "judge does not agree with people: kappa" in refused.stdout
    assert installed.run(JUDGEMENT).success is False
    assert "style: undecided, 4 of 4 questions could not be graded" in " ".join(gate(installed).reasons)
    assert len(server.requests) == 20, "who may not vote is not asked"

    assert llmops("judge", examples(tmp_path)).stdout.splitlines() == [
        "judge: kappa 1.00 (1.00 to 1.00), 1.00 equal on 20 answers, without a vote: none",
        "it may vote",
    ]
    result = installed.run(JUDGEMENT)
    assert result.success, failure(result)
    report = installed.record("quality_report", QualityReport).candidate
    assert (report.slices["style"].right, report.slices["style"].total) == (3, 4)
    assert report.votes is not None
    assert "votes on the candidate" in gate(installed).hashes
    asked = len(server.requests)
    assert installed.run(JUDGEMENT, quality_report={"ablations": False, "ablation_items_per_slice": 2}).success
    assert len(server.requests) == asked, "a vote is stored, not asked for again"


def gate(world: World) -> GateDecision:
    return world.record("gate", GateDecision)


def test_a_judge_that_answers_nonsense_leaves_questions_ungraded_and_is_asked_again(installed, server, tmp_path):
    assert "it may vote" in llmops("judge", examples(tmp_path)).stdout
    server.reply = lambda text, _: "I would rather not say"
    installed.run(JUDGEMENT)
    assert gate(installed).status == "blocked"
    report = installed.record("quality_report", QualityReport).candidate
    assert report.ungraded == {"judge raised NoVoteError": 4}
    server.status = 503
    installed.run(JUDGEMENT, quality_report={"ablations": False, "ablation_items_per_slice": 2})
    assert gate(installed).status == "blocked"


def test_a_judge_elsewhere_is_not_asked_where_data_must_stay(installed, home, tmp_path):
    case = installed.case.model_copy(update={"judge": JudgePolicy(url="https://judge.example.com/v1", model="judge")})
    (home / "case.yaml").write_text(yaml.safe_dump(case.model_dump(mode="json")))
    refused = llmops("judge", examples(tmp_path))
    assert refused.exit_code == 1
    assert "is not on the premises, and the use case says that data must stay" in refused.stderr
