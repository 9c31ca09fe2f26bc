"""What the command tells of a run: its steps, each once, and why it failed."""

import io

import dagster as dg
import pytest
from rich.console import Console

from llmops_assets.commands.runs import Runner, _reason
from llmops_assets.lib.errors import LlmopsError
from resources.workspace import SettingsError


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (SettingsError("port: 0 is none"), "port: 0 is none"),
        (LlmopsError("lake: it is empty"), "lake: it is empty"),
        (KeyError("port"), "KeyError: 'port'"),
    ],
)
def test_our_own_errors_are_told_without_their_class_and_others_with_it(raised, told):
    @dg.op
    def fails():
        raise raised

    @dg.job
    def failing():
        fails()

    result = failing.execute_in_process(raise_on_error=False)
    [failure] = [event for event in result.all_events if event.is_step_failure]
    assert _reason(failure.step_failure_data.error).endswith(told)
    if not isinstance(raised, KeyError):
        assert _reason(failure.step_failure_data.error) == told


def test_a_failure_without_a_record_says_so():
    assert "no reason was recorded" in _reason(None)


def test_a_blocking_check_that_ends_a_run_says_why_in_its_own_words():
    specs = [dg.AssetCheckSpec(name, asset="judged", blocking=name != "advice") for name in ("good", "bad", "advice")]

    @dg.asset(check_specs=specs)
    def judged():
        yield dg.MaterializeResult()
        yield dg.AssetCheckResult(check_name="good", passed=True, description="all is well")
        yield dg.AssetCheckResult(check_name="bad", passed=False, description="accuracy 0.09 is below 0.20")
        yield dg.AssetCheckResult(check_name="advice", passed=False, description="it is slow")

    defs = dg.Definitions(assets=[judged], jobs=[dg.define_asset_job("judge", [judged])])
    with dg.DagsterInstance.ephemeral() as instance:
        outcome = Runner(defs, instance, Console(file=io.StringIO())).run("judge")
    assert (outcome.success, outcome.step, outcome.reason) == (False, "judged", "accuracy 0.09 is below 0.20")


class Alive:
    """A run's thread that is looked at so many times before it has ended."""

    def __init__(self, looks: int) -> None:
        self._looks = looks

    def is_alive(self) -> bool:
        self._looks -= 1
        return self._looks > 0

    def join(self, timeout: float) -> None:
        assert timeout > 0


def test_a_step_is_told_once_however_often_its_run_is_looked_at():
    @dg.op
    def first():
        return 1

    @dg.op
    def second(value):
        return value

    @dg.job
    def both():
        second(first())

    with dg.DagsterInstance.ephemeral() as instance:
        run_id = both.execute_in_process(instance=instance).run_id
        told = io.StringIO()
        runner = Runner(dg.Definitions(jobs=[both]), instance, Console(file=told))
        runner._follow("both", run_id, Alive(3), brief=False)
    assert [line.split()[1] for line in told.getvalue().splitlines() if "✓" in line] == ["first", "second"]
