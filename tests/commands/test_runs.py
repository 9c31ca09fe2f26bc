"""Why a run failed, as the command tells it."""

import dagster as dg
import pytest

from llmops_assets.commands.runs import _reason
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
