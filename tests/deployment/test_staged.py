"""Rollouts by steps: what a word does to the route and the record, kills between any two acts, and the whole way."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
import yaml
from recorded_support import record
from release_support import JUDGEMENT, World, failure
from scripted_target import ScriptedTarget
from signing_support import publish_seal, trusted_file
from support import ref

from llmops_assets.deployment import staged
from llmops_assets.deployment.deployment import deployment
from llmops_assets.deployment.release import release
from llmops_assets.gateway.interaction_log import InteractionLog
from llmops_assets.gateway.state import ServingState
from llmops_assets.handover import serving
from llmops_assets.lib.records import (
    TOLERATED,
    Deployment,
    Interaction,
    ModelRef,
    PromptRef,
    Release,
    ReleaseManifest,
    Rollout,
    RolloutDecision,
    RolloutPolicy,
    RouterPolicy,
    UseCase,
)
from resources.interaction_log import InstalledLog
from resources.models import Models
from sensors.roll_back_on_regression import TRIES, roll_back_on_regression

ROOT = Path(__file__).parents[2]
POLICY = RolloutPolicy(steps=(0.1, 0.5, 1.0), minimum_conversations=20, tolerated=dict.fromkeys(TOLERATED, 1.0))
"""Twenty conversations of the candidate are enough, whatever they show, unless it is shown to be worse."""
STRICT = POLICY.model_copy(update={"tolerated": {}})


def published(lake, name: str) -> Release:
    manifest = ReleaseManifest(
        base=ModelRef(name="m", digest="d" * 64),
        prompt=PromptRef(name="p", version=1, template="t", digest="p"),
        router=RouterPolicy(answer_above=1, hand_over_below=0),
        handover=f"A colleague of {name} will help.",
    )
    made = Release(release_id=manifest.release_id, manifest=manifest, manifest_ref=ref(), gate=ref(), incumbent=None)
    with lake.transaction("release", name="release") as draft:
        draft.put(f"releases/{made.release_id}/release.json", made.model_dump_json().encode())
    publish_seal(lake, manifest)
    return made


class Stage:
    """A candidate at the first step beside the incumbent, on a scripted target, as it was recorded."""

    def __init__(self, lake, folder, instance) -> None:
        self.lake, self.instance = lake, instance
        self.log = InstalledLog(f"sqlite:///{folder / 'log.db'}")
        self.target = ScriptedTarget(lake, Models(folder / "models"), trusted_file(folder / "trusted.pem"))
        self.one, self.two = published(lake, "one"), published(lake, "two")
        self.target.apply(self.one.manifest, "live")
        self.target.apply(self.two.manifest, "canary", share=0.1)
        self.way = staged.begun(self.two, self.one.release_id, POLICY, self.target)
        self.tell(self.way)
        self.answers = 0

    def tell(self, way: Rollout) -> None:
        """Record how the rollout stands."""
        serves = self.two if way.state == "live" else self.one
        now = datetime(2026, 3, 11, tzinfo=UTC)
        deployed = Deployment(
            release_id=serves.release_id,
            stage="live",
            target="t",
            address="-",
            previous=None,
            rollout=way,
            applied_at=now,
        )
        record(self.instance, serving.ASSET, deployed)
        self.way = way

    def say(self, action: str, generation: int = -1, **parts) -> Rollout:
        """What a word leads to; nothing of it is recorded."""
        word = staged.Word(action, generation, **parts)
        return staged.carried_out(self.way, word, self.target, self.log, self.two)

    @property
    def route(self) -> tuple[bool, float]:
        """Whether the candidate serves all, and the share that it answers beside."""
        state = self.target.routed()
        return state.live == self.two.release_id, state.canary_share

    def audited(self) -> list[str]:
        log = InteractionLog(self.log.url)
        found = [entry["action"] for entry in log.audit_entries()]
        assert log.broken_audit_entry() is None
        log.close()
        return found

    def answered(self, mine: int, other: int, **parts) -> None:
        answered(self.log, {self.two.release_id: mine, self.one.release_id: other}, **parts)

    def tick(self) -> dg.SensorResult | dg.SkipReason:
        return tick(self.instance, self.lake, self.log)


def answered(installed: InstalledLog, counts: dict[str, int], **parts) -> None:
    """So many conversations with each release just now, mixed evenly; `parts` are those of the first one's."""
    log = InteractionLog(installed.url)
    turns = sorted(((n + 0.5) / count, name) for name, count in counts.items() for n in range(count))
    began = sum(log.counts_by_release().values())
    for number, (_, name) in enumerate(turns, start=began):
        usual = {
            "id": f"i{number}",
            "time": datetime.now(UTC),
            "release_id": name,
            "subject": "s",
            "conversation": f"c{number}",
            "question": "q",
            "answer": "a",
            "path": "matched",
            "latency_seconds": 0.1,
        }
        log.append(Interaction.model_validate({**usual, **(parts if name == next(iter(counts)) else {})}))
    log.close()


def tick(instance, lake, log) -> dg.SensorResult | dg.SkipReason:
    resources = {"lake": lake, "interaction_log": log}
    with dg.build_sensor_context(instance=instance, resources=resources) as context:
        return roll_back_on_regression(context)


@pytest.fixture
def stage(lake, tmp_path):
    with dg.DagsterInstance.ephemeral() as instance:
        made = Stage(lake, tmp_path, instance)
        yield made
        made.log.close()


# -- words ----------------------------------------------------------------------------------------------------------


def test_a_candidate_goes_up_by_its_steps(stage):
    stage.tell(stage.say("advance"))
    assert (stage.route, stage.way.step, stage.way.state, stage.way.share) == ((False, 0.5), 1, "running", 0.5)
    assert stage.way.generation == stage.target.routed().generation
    stage.tell(stage.say("advance"))
    assert (stage.route, stage.way.step, stage.way.state, stage.way.share) == ((True, 0.0), 2, "live", 1.0)
    assert stage.audited() == ["rollout advanced"] * 2


def test_a_withdrawn_one_keeps_the_figure_that_tripped(stage):
    tripped = RolloutDecision(verdict="roll_back", metric="errors", reason="errors in 12 of 12")
    way = stage.say("withdraw", decision=tripped)
    assert (stage.route, way.state, way.share, way.step) == ((False, 0.0), "withdrawn", 0.0, 0)
    assert way.decision == tripped
    entry = stage.log.audit_entry(way.entry)
    assert (entry["action"], json.loads(entry["detail"].split(" ", 2)[2])["decision"]["metric"]) == (
        "rollout withdrawn",
        "errors",
    )


@pytest.mark.parametrize("action", staged.MOVES)
def test_a_run_killed_after_it_was_said_says_nothing_twice(stage, monkeypatch, action):
    generation = stage.target.routed().generation

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(staged, "_move", killed)
        with pytest.raises(KeyboardInterrupt):
            stage.say(action, generation)
    assert (stage.route, len(stage.audited())) == ((False, 0.1), 1)
    assert stage.say(action, generation).entry == 1
    assert len(stage.audited()) == 1


@pytest.mark.parametrize("action", staged.MOVES)
def test_a_run_killed_after_it_moved_the_route_is_recorded_by_the_next_which_moves_nothing(stage, action):
    generation = stage.target.routed().generation
    done = stage.say(action, generation)
    states = len(stage.target.states)
    again = stage.say("advance", generation)
    assert (again.step, again.state, again.entry, again.decision) == (done.step, done.state, 1, done.decision)
    assert (len(stage.target.states), len(stage.audited())) == (states, 1)


def test_what_was_decided_on_another_state_is_refused(stage):
    generation = stage.target.routed().generation
    stage.tell(stage.say("advance", generation))
    with pytest.raises(staged.RolloutError, match=f"decided on generation {generation}"):
        stage.say("withdraw", generation)
    assert (stage.route, stage.audited()) == ((False, 0.5), ["rollout advanced"])


def test_a_state_that_changes_between_look_and_move_is_not_moved(stage, monkeypatch):
    place = staged.place

    def overtaken(state, rollout):
        found = place(state, rollout)
        stage.target.states.append(state.model_copy(update={"generation": state.generation + 1}))
        return found

    monkeypatch.setattr(staged, "place", overtaken)
    with pytest.raises(staged.RolloutError, match="somebody else changed it"):
        stage.say("advance")
    assert stage.route == (False, 0.1)


def test_a_held_rollout_goes_on_when_a_person_says_so(stage):
    person = {"name": "Ada", "reason": "the weekend"}
    stage.tell(stage.say("hold", **person))
    assert (stage.way.held, stage.way.step, stage.route) == (True, 0, (False, 0.1))
    stage.answered(30, 270)
    assert "a person holds it" in stage.tick().skip_message
    with pytest.raises(staged.RolloutError, match="a person holds"):
        stage.say("advance")
    stage.tell(stage.say("resume", **person))
    assert stage.tick().run_requests[0].tags["verdict"] == "advance"
    assert stage.say("advance", **person).decision.reason == "Ada: the weekend"
    assert stage.audited() == ["rollout held", "rollout resumed", "rollout advanced"]


def test_what_there_is_not_and_what_is_served_by_somebody_else_is_refused(stage):
    with pytest.raises(staged.RolloutError, match="there is advance, withdraw, hold, resume"):
        stage.say("go")
    stage.target._brought["r-other"] = stage.two.manifest
    stage.target.states.append(stage.target.routed().model_copy(update={"canary": "r-other"}))
    with pytest.raises(staged.RolloutError, match="roll back"):
        stage.say("withdraw")
    assert stage.audited() == []


def test_a_route_that_cannot_be_moved_is_told_and_a_later_run_can(stage):
    stage.target.refused = {"live"}
    stage.tell(stage.say("advance"))
    with pytest.raises(staged.RolloutError, match="did not take the release as live"):
        stage.say("advance")
    stage.target.refused = set()
    assert stage.say("advance").state == "live"


@pytest.mark.parametrize(
    ("state", "place"),
    [
        ({"canary_share": 0.5}, 1),
        ({"canary_share": 0.3}, None),
        ({"canary": None, "canary_share": 0.0}, "withdrawn"),
        ({"live": "new", "canary": None}, "live"),
        ({"live": "other", "canary": None}, None),
        ({"live": "other"}, None),
    ],
)
def test_a_route_has_a_rollout_at_one_place(state, place):
    served = ServingState(live="old", canary="new", canary_share=0.1).model_copy(update=state)
    way = Rollout(
        release_id="new", incumbent="old", policy=POLICY, step=0, generation=1, began=datetime(2026, 3, 11, tzinfo=UTC)
    )
    assert staged.place(served, way) == place


# -- the sensor -----------------------------------------------------------------------------------------------------


def test_a_step_is_decided_on_its_conversations(stage):
    assert "20 are needed" in stage.tick().skip_message
    stage.answered(30, 270)
    (request,) = stage.tick().run_requests
    generation = stage.target.routed().generation
    config = request.run_config["ops"]["deployment"]["config"]
    assert (request.run_key, config["action"], config["generation"]) == (
        f"rollout-{stage.two.release_id}-{generation}-0",
        "advance",
        generation,
    )
    assert RolloutDecision.model_validate_json(config["decision"]).figures[0].candidate_of == 30


def test_a_worse_candidate_is_taken_back_at_once(stage):
    stage.tell(stage.way.model_copy(update={"policy": STRICT, "held": True}))
    stage.answered(12, 108, status=500)
    (request,) = stage.tick().run_requests
    assert request.tags["verdict"] == "withdraw"
    decision = RolloutDecision.model_validate_json(request.run_config["ops"]["deployment"]["config"]["decision"])
    assert (decision.metric, "errors in 12 of 12 conversations" in decision.reason) == ("errors", True)


def test_conversations_from_before_the_step_are_nobodys(stage):
    stage.answered(12, 108, status=500)
    stage.tell(stage.way.model_copy(update={"policy": STRICT, "began": datetime.now(UTC)}))
    assert "0 conversations of the candidate" in stage.tick().skip_message


def failed_run(stage, tags, config=None, told="a run is under way about it"):
    job = dg.Definitions(
        assets=[dg.asset(name="deployment")(lambda: None)], jobs=[dg.define_asset_job("j")]
    ).resolve_job_def("j")
    run = stage.instance.create_run_for_job(job, tags=tags, run_config=config)
    assert told in stage.tick().skip_message
    stage.instance.report_run_failed(run)


def test_a_failed_run_is_tried_again_under_another_key_and_not_for_ever(stage):
    stage.answered(30, 270)
    cause = f"rollout-{stage.two.release_id}-{stage.way.generation}"
    for number in range(TRIES):
        assert stage.tick().run_requests[0].run_key == f"{cause}-{number}"
        failed_run(stage, {"cause": cause})
    assert f"{TRIES} runs about it failed" in stage.tick().skip_message


def test_a_run_that_was_killed_is_repeated_as_it_was_whatever_the_figures_say_now(stage):
    config = {"ops": {"deployment": {"config": {"action": "advance", "generation": stage.way.generation}}}}
    failed_run(stage, {"cause": f"rollout-{stage.two.release_id}-{stage.way.generation}"}, config)
    (request,) = stage.tick().run_requests
    assert (request.run_config, request.tags["verdict"]) == (config, "advance")
    stage.tell(stage.way.model_copy(update={"held": True}))
    assert "a person holds it" in stage.tick().skip_message


def test_what_cannot_be_decided_in_time_asks_a_person(stage):
    stage.tell(stage.way.model_copy(update={"began": datetime.now(UTC) - timedelta(hours=100)}))
    assert "it waits for `llmops rollout advance` or `abort`" in stage.tick().skip_message


def serves_all(stage, **parts) -> None:
    """The candidate serves everybody from now on, with the incumbent as the one before."""
    deployed = {"release_id": stage.two.release_id, "stage": "live", "target": "t", "address": "-"}
    now = {"previous": stage.one.release_id, "applied_at": datetime.now(UTC), **parts}
    record(stage.instance, serving.ASSET, Deployment.model_validate({**deployed, **now}))
    case = UseCase.model_validate(yaml.safe_load((ROOT / "llmops_assets/samples/use_case.yaml").read_text()))
    policy = RolloutPolicy(minimum_conversations=100)
    record(stage.instance, "use_case", case.model_copy(update={"rollout": policy}))


def test_what_serves_everybody_is_watched_on(stage):
    stage.answered(0, 150)
    serves_all(stage)
    stage.answered(150, 0)
    assert "150 conversations since it serves all, nothing is shown to be worse" in stage.tick().skip_message
    stage.answered(40, 0, path="handover")
    stage.answered(60, 0, status=500)
    (request,) = stage.tick().run_requests
    config = request.run_config["ops"]["deployment"]["config"]
    assert (config["roll_back_from"], config["roll_back_to"]) == (stage.two.release_id, stage.one.release_id)
    assert "errors in 60 of 250" in config["reason"]
    assert stage.tick().run_requests[0].run_key == request.run_key, "asked again it is the same run"
    failed_run(stage, {"cause": request.tags["cause"]}, told="1 runs were started")
    assert stage.tick().run_requests[0].run_key != request.run_key


def test_what_was_put_back_or_serves_for_long_is_not_watched(stage):
    stage.answered(0, 150)
    serves_all(stage, rolled_back_from="other")
    stage.answered(150, 0, status=500)
    assert stage.tick().skip_message == "no rollout is under way"
    serves_all(stage, applied_at=datetime.now(UTC) - timedelta(hours=80))
    assert stage.tick().skip_message == "no rollout is under way"


def test_more_handovers_than_before_are_for_a_person(stage):
    stage.answered(0, 150)
    serves_all(stage)
    stage.answered(100, 0, path="handover")
    assert "look at it, and run the job roll_back" in stage.tick().skip_message


def test_without_a_rollout_it_says_so(stage):
    stage.tell(stage.way.model_copy(update={"state": "withdrawn"}))
    assert stage.tick().skip_message == "no rollout is under way"


# -- the whole way --------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_whole_way_up_and_the_way_back(world: World):
    world.report("use_case", world.case.model_copy(update={"rollout": STRICT}))
    one = world.released()
    assert world.record("deployment", Deployment).rollout is None, "the first release has nobody beside it"
    world.tune("adapter", "two")
    assert world.run().success
    two = world.record("release", Release).release_id
    state = world.target.states[-1]
    assert (state.live, state.canary, state.canary_share, world.serves) == (one, two, 0.1, one)
    assert world.record("deployment", Deployment).checks["questions"] == 8
    way = world.record("deployment", Deployment).rollout
    assert world.run([deployment]).success
    assert world.record("deployment", Deployment).rollout == way, "the same again changes nothing"

    answered(world.log, {two: 12, one: 108}, status=500)
    (request,) = tick(world.instance, world.lake, world.log).run_requests
    config = request.run_config["ops"]["deployment"]["config"]
    assert world.run([deployment], deployment=config).success
    assert (world.live, world.serves) == (one, one)
    on_release = staged.last(world.lake, two)
    assert (on_release.state, on_release.decision.metric) == ("withdrawn", "errors")
    assert "was withdrawn from its rollout: errors in 12" in failure(world.run([deployment]))

    assert world.run([deployment], deployment={"again": True}).success
    world.tune("adapter", "three")
    assert world.run([*JUDGEMENT, release]).success
    assert f"{two} is being rolled out (10% of conversations)" in failure(world.run([deployment]))
    person = {"action": "advance", "name": "Ada", "reason": "seen"}
    for _ in range(2):
        assert world.run([deployment], deployment=person).success
    assert (world.live, world.serves, staged.last(world.lake, two).state) == (two, two, "live")
    assert world.record("deployment", Deployment).previous == one
    back = {"roll_back": True, "roll_back_from": one, "reason": "errors"}
    assert f"{one} was to be taken back, but {two} serves now" in failure(world.run([deployment], deployment=back))
    assert "no rollout is under way" in failure(world.run([deployment], deployment=person))

    world.tune("adapter", "four")
    assert world.run().success
    assert world.target.states[-1].canary is not None
    assert world.run([deployment], deployment={"roll_back": True, "roll_back_to": two}).success
    assert (world.live, world.record("deployment", Deployment).rollout) == (two, None)
