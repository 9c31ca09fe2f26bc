"""A breaker under any order of attempts, results and time."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from llmops_assets.gateway.upstreams.breaker import LONGEST_REST, Breaker, State

MOST, REST = 3, 5.0


class Clock:
    def __init__(self):
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def opened(clock: Clock) -> Breaker:
    breaker = Breaker(MOST, REST, clock)
    for _ in range(MOST):
        breaker.admit().failed()
    assert breaker.state is State.OPEN
    return breaker


def test_it_opens_after_failures_in_a_row_and_not_after_as_many_between_successes():
    breaker = Breaker(MOST, REST, Clock())
    for _ in range(10):
        for _ in range(MOST - 1):
            breaker.admit().failed()
        breaker.admit().succeeded()
    assert breaker.state is State.CLOSED
    for _ in range(MOST):
        breaker.admit().failed()
    assert (breaker.state, breaker.admit(), breaker.rests) == (State.OPEN, None, REST)


def test_after_its_rest_one_request_tries_and_says_what_is():
    clock = Clock()
    breaker = opened(clock)
    clock.seconds += REST
    trial = breaker.admit()
    assert (breaker.state, breaker.admit()) == (State.HALF_OPEN, None)
    trial.dropped()
    trial = breaker.admit()
    trial.succeeded()
    trial.failed()
    assert breaker.state is State.CLOSED


def test_a_trial_that_fails_doubles_the_rest_up_to_a_minute_and_one_that_does_not_forgets_it():
    clock = Clock()
    breaker = opened(clock)
    rests = []
    for _ in range(6):
        rests.append(breaker.rests)
        clock.seconds += breaker.rests
        breaker.admit().failed()
    assert rests == [5.0, 10.0, 20.0, 40.0, LONGEST_REST, LONGEST_REST]
    clock.seconds += breaker.rests
    breaker.admit().succeeded()
    for _ in range(MOST):
        breaker.admit().failed()
    assert breaker.rests == REST


@pytest.mark.parametrize("result", ["succeeded", "failed"])
def test_what_began_before_a_change_says_nothing_after_it(result):
    clock = Clock()
    breaker = Breaker(MOST, REST, clock)
    late = [breaker.admit() for _ in range(MOST + 1)]
    for attempt in late[:MOST]:
        attempt.failed()
    getattr(late[MOST], result)()
    assert (breaker.state, breaker.rests) == (State.OPEN, REST)


class Interleaving(RuleBasedStateMachine):
    """Against a list of what happened: how often in a row it failed, when it opened, whether a trial runs."""

    under_way = Bundle("under_way")

    def __init__(self):
        super().__init__()
        self.clock = Clock()
        self.breaker = Breaker(MOST, REST, self.clock)
        self.state, self.era, self.row, self.rest, self.until, self.trials = "closed", 0, 0, REST, 0.0, 0

    def change(self, state: str) -> None:
        self.state, self.row, self.trials = state, 0, 0
        self.era += 1

    def open(self) -> None:
        self.change("open")
        self.until = self.clock() + self.rest
        self.rest = min(2 * self.rest, LONGEST_REST)

    @rule(target=under_way)
    def ask(self):
        if self.state == "open" and self.clock() >= self.until:
            self.change("half_open")
        attempt = self.breaker.admit()
        allowed = self.state == "closed" or (self.state == "half_open" and not self.trials)
        assert (attempt is not None) == allowed
        self.trials += self.state == "half_open" and allowed
        return attempt, self.era

    @rule(one=consumes(under_way), result=st.sampled_from(["succeeded", "failed", "dropped"]))
    def end(self, one, result):
        attempt, era = one
        if attempt is None:
            return
        if self.state == "open" and self.clock() >= self.until:
            self.change("half_open")
            assert self.breaker.state is State.HALF_OPEN
        getattr(attempt, result)()
        if era != self.era:
            return
        if result == "dropped":
            self.trials = 0
        elif result == "succeeded":
            self.row = 0
            if self.state == "half_open":
                self.rest = REST
                self.change("closed")
        else:
            self.row += 1
            if self.state == "half_open" or self.row == MOST:
                self.open()

    @rule(seconds=st.floats(0, 40))
    def wait(self, seconds):
        self.clock.seconds += seconds

    @invariant()
    def it_stands_where_its_history_says(self):
        rested = self.state == "open" and self.clock() >= self.until
        assert self.breaker.state == ("half_open" if rested else self.state)
        assert self.breaker.rests == (self.until - self.clock() if self.state == "open" and not rested else 0.0)


TestInterleaving = Interleaving.TestCase
TestInterleaving.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
