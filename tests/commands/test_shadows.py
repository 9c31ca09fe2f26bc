"""`llmops shadow`: a release behind the live one on a scripted target, and the report on what it would have said."""

import contextlib
import csv
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from commands_support import llmops
from release_support import JUDGEMENT, World, registry, world

from llmops_assets.commands import shadows
from llmops_assets.gateway.interaction_log import InteractionLog
from llmops_assets.lib.records import Candidate, Interaction, ShadowAnswer
from resources.workspace import Workspace

pytestmark = pytest.mark.slow

__all__ = ["registry", "world"]


@pytest.fixture
def judged(home: Path, world: World, monkeypatch: pytest.MonkeyPatch) -> tuple[World, str]:
    """An installation that serves one release, with a candidate that was judged; its name."""
    monkeypatch.setattr(shadows, "open_lake", lambda _: world.lake)
    monkeypatch.setattr(shadows, "open_target", lambda *_, **__: world.target)
    monkeypatch.setattr(dg.DagsterInstance, "get", lambda: contextlib.nullcontext(world.instance))
    world.released()
    world.tune("adapter", "two")
    world.run(JUDGEMENT)
    return world, world.record("candidate", Candidate).release_id


def test_a_release_is_put_into_the_shadow_compared_and_taken_out(judged, tmp_path):
    world, two = judged
    done = llmops("shadow", "start", two, "--share", "0.25")
    assert done.exit_code == 0, done.output + done.stderr
    state = world.target.states[-1]
    assert (state.shadow, state.shadow_share, state.canary) == (two, 0.25, None)
    assert "answered nothing in the shadow" in llmops("shadow", "report").stderr
    log = InteractionLog(Workspace(shadows.home_folder()).log_url)
    for n in range(4):
        path = "handover" if n == 0 else "matched"
        parts = {"time": datetime.now(UTC), "subject": "s", "latency_seconds": 0.1}
        log.append(
            Interaction(
                id=f"i{n}", release_id=state.live, conversation="c", question="q", answer="a", path="matched", **parts
            )
        )
        log.add_shadow(ShadowAnswer(interaction=f"i{n}", release_id=two, answer="a" if n else "b", path=path, **parts))
    log.close()
    file = tmp_path / "differing.csv"
    told = llmops("shadow", "report", "--differing", file)
    assert told.exit_code == 0, told.output + told.stderr
    assert f"{two} answered 4 live questions in the shadow: 3 answers are the same text" in " ".join(
        told.stdout.split()
    )
    (handovers,) = (line for line in told.stdout.splitlines() if "handovers" in line)
    assert [cell.strip() for cell in handovers.split("│")[2:5]] == ["1", "0", "+25.0"]
    with file.open() as read:
        assert [(row["id"], row["shadow_answer"]) for row in csv.DictReader(read)] == [("i0", "b")]
    assert llmops("shadow", "stop").stdout == f"{two} is asked no more\n"
    assert (world.target.states[-1].shadow, world.target.states[-1].shadow_share) == (None, 0.0)
    told = llmops("audit", "export").stdout
    assert [name in told for name in ("shadow started", "shadow ended", f"{two} 0.25 by")] == [True] * 3
