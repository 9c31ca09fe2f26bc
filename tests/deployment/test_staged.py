"""Rollouts by steps with a scripted target: what serves, what is recorded, and kills between any two of its acts."""

import json
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from release_support import JUDGEMENT, World, failure

from llmops_assets.deployment import deployment as module
from llmops_assets.deployment import staged
from llmops_assets.deployment.deployment import deployment
from llmops_assets.deployment.release import release
from llmops_assets.lib.records import Deployment, Interaction, Release, Rollout, RolloutPolicy
from sensors.roll_back_on_regression import TRIES, roll_back_on_regression

POLICY = RolloutPolicy(
    steps=(0.1, 0.5, 1.0),
    minimum_conversations=20,
    tolerated=dict.fromkeys(
        staged_names := ("errors", "slow", "guards", "handovers", "bad_ratings", "corrections"), 1.0
    ),
)


@pytest.fixture
def begun(world) -> tuple[World, str, str]:
    """A world, the incumbent, and a candidate at the first step beside it."""
    one = world.released()
    world.case = world.case.model_copy(update={"rollout": POLICY})
    world.report("use_case", world.case)
    world.tune("adapter", "two")
    result = world.run()
    assert result.success, failure(result)
    return world, one, world.record("release", Release).release_id


def route(world: World) -> tuple[str | None, str | None, float]:
    state = world.target.states[-1]
    return state.live, state.canary, state.canary_share


def way(world: World) -> Rollout:
    found = world.record("deployment", Deployment).rollout
    assert found is not None
    return found


def answered(world: World, release_id: str, count: int, **parts) -> None:
    """Conversations that a release answered just now."""
    from llmops_assets.gateway.interaction_log import InteractionLog

    log = InteractionLog(world.log.url)
    for _ in range(count):
        number = sum(log.counts_by_release().values())
        usual = {
            "id": f"i{number}",
            "time": datetime.now(UTC),
            "release_id": release_id,
            "subject": "s",
            "conversation": f"c{number}",
            "question": "q",
            "answer": "a",
            "path": "matched",
            "latency_seconds": 0.1,
        }
        log.append(Interaction.model_validate({**usual, **parts}))
    log.close()


def tick(world: World) -> dg.SensorResult | dg.SkipReason:
    resources = {"lake": world.lake, "target": world.target, "interaction_log": world.log}
    with dg.build_sensor_context(instance=world.instance, resources=resources) as context:
        return roll_back_on_regression(context)


def carry_out(world: World, found: dg.SensorResult) -> dg.ExecuteInProcessResult:
    """Run what a tick requests, under its tags."""
    (request,) = found.run_requests
    resources = {"lake": world.lake, "registry": world.registry, "target": world.target, "interaction_log": world.log}
    return dg.materialize(
        [deployment],
        instance=world.instance,
        resources=resources,
        run_config=request.run_config,
        tags=request.tags,
        raise_on_error=False,
    )


def audited(world: World) -> list[str]:
    from llmops_assets.gateway.interaction_log import InteractionLog

    log = InteractionLog(world.log.url)
    found = [entry["action"] for entry in log.audit_entries()]
    assert log.broken_audit_entry() is None
    log.close()
    return found


def test_a_candidate_goes_up_by_its_steps_and_the_incumbent_serves_until_the_last(begun):
    world, one, two = begun
    assert route(world) == (one, two, 0.1)
    assert (world.serves, way(world).step) == (one, 0)
    assert world.record("deployment", Deployment).checks["questions"] == 8
    assert "20 are needed" in tick(world).skip_message
    for share, serves in ((0.5, one), (1.0, two)):
        answered(world, two, 30 if share == 0.5 else 40)
        answered(world, one, 270 if share == 0.5 else 40)
        found = tick(world)
        result = carry_out(world, found)
        assert result.success, failure(result)
        assert (world.serves, way(world).share) == (serves, share)
    assert route(world) == (two, None, 0.0)
    assert (way(world).state, world.record("deployment", Deployment).previous) == ("live", one)
    assert audited(world) == ["rollout advanced"] * 2
    assert "no rollout is under way" in tick(world).skip_message


def test_a_worse_candidate_is_withdrawn_with_its_figure_in_the_audit_log_and_on_the_release(begun):
    world, one, two = begun
    answered(world, one, 90)
    answered(world, two, 12, status=500)
    world.report("use_case", world.case)
    strict = way(world).policy.model_copy(update={"tolerated": {}})
    record = world.record("deployment", Deployment)
    world.report("deployment", record.model_copy(update={"rollout": way(world).model_copy(update={"policy": strict})}))
    found = tick(world)
    assert found.run_requests[0].tags["verdict"] == "withdraw"
    assert carry_out(world, found).success
    assert route(world) == (one, None, 0.0)
    assert (world.serves, way(world).state) == (one, "withdrawn")
    entry = world.log.audit_entry(way(world).entry)
    told = json.loads(entry["detail"].split(" ", 2)[2])["decision"]
    assert (entry["action"], told["metric"]) == ("rollout withdrawn", "errors")
    on_release = Rollout.model_validate_json(world.lake.get("main", f"releases/{two}/rollout.json"))
    assert on_release == way(world)
    assert "errors in 12 of 12 conversations" in on_release.decision.reason
    assert "was withdrawn from its rollout: errors in 12" in failure(world.run([deployment]))
    assert world.run([deployment], deployment={"again": True}).success
    assert route(world)[1] == two


@pytest.mark.parametrize("broken", ["said", "moved"])
@pytest.mark.parametrize(("action", "ends"), [("advance", 0.5), ("withdraw", 0.0)])
def test_a_run_that_is_killed_anywhere_is_finished_by_the_next_and_nothing_is_done_twice(
    begun, monkeypatch, broken, action, ends
):
    world, one, _ = begun
    config = {"action": action, "generation": world.target.routed().generation}
    place, name = (staged, "_move") if broken == "said" else (module, "deployed")

    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(place, name, killed)
        with pytest.raises(KeyboardInterrupt):
            world.run([deployment], deployment=config)
    moved = len(world.target.states)
    assert way(world).share == 0.1
    if broken == "moved":
        found = tick(world)
        assert carry_out(world, found).success
        assert len(world.target.states) == moved
    else:
        assert world.run([deployment], deployment=config).success
    assert (way(world).share, world.serves, len(audited(world))) == (ends, one, 1)
    assert way(world).entry == 1


def test_what_was_decided_on_another_state_is_refused(begun):
    world, one, two = begun
    generation = world.target.routed().generation
    assert world.run([deployment], deployment={"action": "advance", "generation": generation}).success
    late = world.run([deployment], deployment={"action": "withdraw", "generation": generation})
    assert f"decided on generation {generation}" in failure(late)
    assert (route(world), audited(world)) == ((one, two, 0.5), ["rollout advanced"])


def test_a_state_that_changes_between_look_and_move_is_not_moved(begun, monkeypatch):
    world, one, two = begun
    place = staged.place

    def overtaken(state, rollout):
        found = place(state, rollout)
        world.target.states.append(state.model_copy(update={"generation": state.generation + 1}))
        return found

    monkeypatch.setattr(staged, "place", overtaken)
    assert "somebody else changed it" in failure(world.run([deployment], deployment={"action": "advance"}))
    assert route(world) == (one, two, 0.1)


def test_a_held_rollout_is_not_promoted_and_goes_on_when_a_person_says_so(begun):
    world, one, two = begun
    person = {"name": "Ada", "reason": "the weekend"}
    assert world.run([deployment], deployment={"action": "hold", **person}).success
    assert (way(world).held, way(world).step) == (True, 0)
    answered(world, two, 30)
    answered(world, one, 270)
    assert "a person holds it" in tick(world).skip_message
    assert "a person holds" in failure(world.run([deployment], deployment={"action": "advance"}))
    assert world.run([deployment], deployment={"action": "resume", **person}).success
    assert carry_out(world, tick(world)).success
    assert audited(world) == ["rollout held", "rollout resumed", "rollout advanced"]


def test_nothing_else_is_rolled_out_meanwhile_and_the_same_run_again_changes_nothing(begun):
    world, one, two = begun
    before = way(world)
    assert world.run([deployment]).success
    assert (way(world), len(audited(world))) == (before, 0)
    world.tune("adapter", "three")
    assert world.run([*JUDGEMENT, release]).success
    assert f"{two} is being rolled out (10% of conversations)" in failure(world.run([deployment]))
    assert route(world) == (one, two, 0.1)


def test_a_rollback_ends_the_rollout(begun):
    world, one, _ = begun
    assert world.run([deployment], deployment={"roll_back": True, "roll_back_to": one}).success
    assert route(world) == (one, None, 0.0)
    assert world.record("deployment", Deployment).rollout is None
    assert "no rollout is under way" in failure(world.run([deployment], deployment={"action": "advance"}))


def test_an_action_that_there_is_not_is_refused(begun):
    world, *_ = begun
    assert "there is advance, withdraw, hold, resume" in failure(world.run([deployment], deployment={"action": "go"}))


def test_a_canary_that_fails_its_check_begins_no_rollout(world):
    one = world.released()
    world.report("use_case", world.case.model_copy(update={"rollout": POLICY}))
    world.tune("adapter", "two")
    world.target.worse_as_canary = True
    assert "withdrawn, the incumbent serves on" in failure(world.run())
    assert (world.live, world.serves) == (one, one)


def test_the_first_release_has_nobody_beside_it_and_goes_live_at_once(world):
    world.report("use_case", world.case.model_copy(update={"rollout": POLICY}))
    one = world.released()
    assert (route(world), world.record("deployment", Deployment).rollout) == ((one, None, 0.0), None)


# -- the sensor -----------------------------------------------------------------------------------------------------


def test_a_state_is_decided_once_and_tried_again_where_its_run_failed(begun):
    world, one, two = begun
    answered(world, two, 30)
    answered(world, one, 270)
    world.target.fault = lambda *_: None
    keys = []
    for _ in range(TRIES):
        found = tick(world)
        keys.append(found.run_requests[0].run_key)
        # The target refuses what it is told; what it served it serves on.
        world.target._running, start = False, world.target.start
        world.target.start = lambda: (_ for _ in ()).throw(ConnectionError("away"))
        assert not carry_out(world, found).success
        world.target.start = start
    generation = world.target.routed().generation
    assert keys == [f"rollout-{two}-{generation}-{number}" for number in range(TRIES)]
    assert f"{TRIES} runs about it failed" in tick(world).skip_message
    assert route(world) == (one, two, 0.1)


def test_while_a_run_is_under_way_nothing_is_requested(begun):
    world, one, two = begun
    answered(world, two, 30)
    answered(world, one, 270)
    cause = f"rollout-{two}-{world.target.routed().generation}"
    world.instance.create_run_for_job(
        dg.Definitions(
            assets=[deployment],
            jobs=[dg.define_asset_job("j")],
            resources={
                "lake": world.lake,
                "registry": world.registry,
                "target": world.target,
                "interaction_log": world.log,
            },
        ).resolve_job_def("j"),
        tags={"cause": cause},
    )
    assert "a run is under way about it" in tick(world).skip_message


def test_a_route_that_is_not_the_recorded_one_is_told_and_not_touched(begun):
    world, one, _ = begun
    world.target._brought["r-other"] = next(iter(world.target._brought.values()))
    world.target.states.append(world.target.states[-1].model_copy(update={"canary": "r-other"}))
    assert f"serves {one} with r-other beside it" in tick(world).skip_message
    assert "roll back" in failure(world.run([deployment], deployment={"action": "withdraw"}))


def test_a_step_that_cannot_be_decided_in_time_asks_a_person(begun):
    world, *_ = begun
    old = way(world).model_copy(update={"began": datetime.now(UTC) - timedelta(hours=100)})
    world.report("deployment", world.record("deployment", Deployment).model_copy(update={"rollout": old}))
    assert "it waits for `llmops rollout advance` or `abort`" in tick(world).skip_message
