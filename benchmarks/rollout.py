"""How often a rollout errs: equal candidates that are taken back, and how many customers a bad one answers until then.

Usage: python benchmarks/rollout.py [--streams 400] [--conversations 20000] [--json]

Each stream is a rollout of 5 %, 25 % and 100 %: at most `--conversations` pass in a step, the use case's default policy
decides (lib/watching/rollout.py), and it is looked at after every 50 of them. Beside it, on the same conversations: a
test at the end of each step (fixed horizon, adjusted as ours), the same test looked at as often as ours (peeking, at
5 % a metric), and peeking at single answers instead of conversations. `plain` streams have the same chances throughout;
`real` ones a day's rhythm, an incident of half a day that hits both sides, and outcomes that come in clusters. A
conversation has 1 to 6 answers, and where one goes wrong the others often do. Shares have 95 % Wilson intervals.
"""

import argparse
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from llmops_assets.lib.records import TOLERATED, Metric, RolloutPolicy
from llmops_assets.lib.statistics import wilson
from llmops_assets.lib.watching import rollout
from llmops_assets.lib.watching.rollout_evidence import log_evidence, lower_end, upper_end

POLICY = RolloutPolicy(steps=(0.05, 0.25, 1.0))
RATES: Mapping[Metric, float] = {
    "errors": 0.005,
    "slow": 0.04,
    "guards": 0.01,
    "handovers": 0.2,
    "bad_ratings": 0.03,
    "corrections": 0.01,
}
"""Share of the incumbent's conversations with the event."""
LOOK, DAY = 50, 2000
"""Conversations between looks, and in a day."""
CANDIDATES: Mapping[str, Mapping[Metric, float]] = {
    "equal": {},
    "5 points more handovers": {"handovers": 0.05},
    "10 points more handovers": {"handovers": 0.1},
    "20 points more handovers": {"handovers": 0.2},
    "10 points of wrong answers, seen by ratings": {"bad_ratings": 0.02, "corrections": 0.01},
    "20 points of wrong answers, seen by ratings": {"bad_ratings": 0.04, "corrections": 0.02},
    "errors in 5 %": {"errors": 0.05},
    "errors in 50 %": {"errors": 0.5},
    "slow in 20 %": {"slow": 0.16},
    "always slow": {"slow": 0.96},
}
"""Candidate to the events that it has more, in shares of conversations; of ten wrong answers two are rated down and
one is put right."""


@dataclass(frozen=True)
class Step:
    """Counts at every look of a step, since its beginning: streams by looks, events by metric. `answers` are the
    same counts of single answers."""

    share: float
    mine: np.ndarray
    other: np.ndarray
    mine_events: Mapping[Metric, np.ndarray]
    other_events: Mapping[Metric, np.ndarray]
    answers: tuple[np.ndarray, np.ndarray, Mapping[Metric, np.ndarray], Mapping[Metric, np.ndarray]]


@dataclass(frozen=True)
class Outcome:
    """Of every stream: whether the candidate was taken back, whether it went live, whom it answered until then."""

    withdrawn: np.ndarray
    live: np.ndarray
    exposed: np.ndarray


def simulate(
    worse: Mapping[Metric, float],
    share: float,
    streams: int,
    conversations: int,
    rng: np.random.Generator,
    *,
    real: bool,
) -> Step:
    """A step of so many conversations."""
    looks = conversations // LOOK
    mine = rng.binomial(LOOK, share, (streams, looks))
    other = LOOK - mine
    moment = np.arange(looks) * LOOK / DAY
    rhythm = 1 + 0.5 * np.sin(2 * np.pi * (moment[None, :] + rng.random((streams, 1)))) if real else 1.0
    start = rng.uniform(0, moment[-1], (streams, 1))
    incident = (moment >= start) & (moment < start + 0.5) if real else False
    mine_events, other_events, mine_answers, other_answers = {}, {}, {}, {}
    for metric, rate in RATES.items():
        chance = np.clip(rate * rhythm + (0.2 * incident if metric in ("errors", "slow", "handovers") else 0), 0, 1)
        chance = np.broadcast_to(chance, mine.shape)
        if real:
            # A cause that several customers meet at a time.
            chance = rng.beta(chance * 8 + 1e-9, (1 - chance) * 8 + 1e-9)
        mine_events[metric] = rng.binomial(mine, np.minimum(1, chance + worse.get(metric, 0.0)))
        other_events[metric] = rng.binomial(other, chance)
        # Of the other answers of a conversation, 0 to 5, four fifths have the event where one has.
        mine_answers[metric] = mine_events[metric] + rng.binomial(5 * mine_events[metric], 0.4)
        other_answers[metric] = other_events[metric] + rng.binomial(5 * other_events[metric], 0.4)

    def grown(counts: Mapping[Metric, np.ndarray]) -> dict[Metric, np.ndarray]:
        return {metric: np.cumsum(values, axis=1) for metric, values in counts.items()}

    mine, other = np.cumsum(mine, axis=1), np.cumsum(other, axis=1)
    answers = (mine * 3.5, other * 3.5, grown(mine_answers), grown(other_answers))
    return Step(share, mine, other, grown(mine_events), grown(other_events), answers)


def first(hit: np.ndarray) -> np.ndarray:
    """The first look of each stream at which something holds; the number of looks where it never does."""
    return np.where(hit.any(axis=1), hit.argmax(axis=1), hit.shape[1])


def by_sequence(step: Step, policy: RolloutPolicy) -> tuple[np.ndarray, np.ndarray]:
    """(look of the withdrawal, look of the promotion) by the rule of lib/watching/rollout.py.

    Promotions are looked for at every 20th look only: they come later so, and no more of them.
    """
    looks = step.mine.shape[1]
    sparse = np.arange(19, looks, 20)
    tripped, shown = np.zeros(step.mine.shape, bool), step.mine[:, sparse] >= policy.minimum_conversations
    for metric in RATES:
        mine, other = step.mine_events[metric], step.other_events[metric]
        worse = log_evidence(mine, mine + other, step.share) >= -np.log(policy.level)
        worse = np.logical_or.accumulate(worse, axis=1)
        tolerated = policy.tolerance(metric)
        found = first(worse)
        high = _high(mine[:, sparse], step.mine[:, sparse], other[:, sparse], step.other[:, sparse], policy.alpha)
        shown &= high <= tolerated
        # Where it trips, the loss must not be shown to be tolerable.
        rows = np.flatnonzero(found < looks)
        at = found[rows]
        ends = _high(mine[rows, at], step.mine[rows, at], other[rows, at], step.other[rows, at], policy.alpha)
        tripped[rows[ends > tolerated], at[ends > tolerated]] = True
    promoted = first(shown)
    return first(tripped), np.where(promoted < len(sparse), sparse[np.minimum(promoted, len(sparse) - 1)], looks)


def _high(mine: np.ndarray, of: np.ndarray, other: np.ndarray, beside: np.ndarray, alpha: float) -> np.ndarray:
    """Upper ends of losses; equal counts are computed once."""

    def each(end: Callable[..., np.ndarray], events: np.ndarray, total: np.ndarray) -> np.ndarray:
        pairs, back = np.unique(np.stack([events.ravel(), total.ravel()]), axis=1, return_inverse=True)
        return end(pairs[0], pairs[1], alpha / 2)[back].reshape(events.shape)

    return each(upper_end, mine, of) - each(lower_end, other, beside)


def z_p(mine: np.ndarray, of: np.ndarray, other: np.ndarray, beside: np.ndarray) -> np.ndarray:
    """One-sided p of the usual test of two shares."""
    from scipy.special import ndtr

    of, beside = np.maximum(of, 1), np.maximum(beside, 1)
    pooled = (mine + other) / (of + beside)
    error = np.sqrt(pooled * (1 - pooled) * (1 / of + 1 / beside))
    return ndtr(-(mine / of - other / beside) / np.maximum(error, 1e-12))


def horizon(step: Step, policy: RolloutPolicy) -> tuple[np.ndarray, np.ndarray]:
    """Tested once, after all conversations of the step."""
    looks = step.mine.shape[1]
    p = np.stack(
        [
            z_p(step.mine_events[m][:, -1], step.mine[:, -1], step.other_events[m][:, -1], step.other[:, -1])
            for m in RATES
        ]
    )
    found = (p <= policy.level).any(axis=0)
    return np.where(found, looks - 1, looks), np.full(len(found), looks - 1)


def peeking(step: Step, _: RolloutPolicy) -> tuple[np.ndarray, np.ndarray]:
    """Tested at every look from 20 conversations of the candidate on, at 5 % a metric."""
    return _peeked(step.mine, step.other, step.mine_events, step.other_events, step.mine >= 20)


def peeking_at_answers(step: Step, _: RolloutPolicy) -> tuple[np.ndarray, np.ndarray]:
    """The same with every answer as if it were a conversation."""
    return _peeked(*step.answers, step.mine >= 20)


def _peeked(mine, other, mine_events, other_events, enough) -> tuple[np.ndarray, np.ndarray]:
    worse = np.zeros(mine.shape, bool)
    for metric in RATES:
        worse |= z_p(mine_events[metric], mine, other_events[metric], other) <= 0.05
    return first(worse & enough), np.full(len(mine), mine.shape[1] - 1)


RULES: Mapping[str, Callable[[Step, RolloutPolicy], tuple[np.ndarray, np.ndarray]]] = {
    "sequential": by_sequence,
    "fixed horizon": horizon,
    "peeking": peeking,
    "peeking at answers": peeking_at_answers,
}


def roll_out(steps: list[Step], rule: Callable[..., tuple[np.ndarray, np.ndarray]], policy: RolloutPolicy) -> Outcome:
    """Whole rollouts by a rule. A step that ends without a decision waits for a person: neither back nor live."""
    streams, looks = steps[0].mine.shape
    on, withdrawn, exposed = np.ones(streams, bool), np.zeros(streams, bool), np.zeros(streams)
    for step in steps:
        back, promoted = rule(step, policy)
        ended = np.minimum(np.minimum(back, promoted), looks - 1)
        exposed += np.where(on, step.mine[np.arange(streams), ended], 0)
        taken = on & (back <= promoted) & (back < looks)
        withdrawn |= taken
        on &= ~taken & (promoted < looks)
    return Outcome(withdrawn, on, exposed)


def share(values: np.ndarray) -> str:
    """A share with its interval, in per cent."""
    low, high = wilson(int(values.sum()), len(values))
    return f"{values.mean():6.1%} ({low:.1%} to {high:.1%})"


def check(step: Step, rng: np.random.Generator) -> None:
    """SystemExit where lib/watching/rollout.py says another figure of the first stream than is computed here."""
    counted = rollout.Tally(int(step.mine[0, -1]), int(step.other[0, -1]))
    for metric in TOLERATED:
        mine, other = np.diff(step.mine_events[metric][0], prepend=0), np.diff(step.other_events[metric][0], prepend=0)
        for some, others in zip(mine, other, strict=True):
            counted.sides[metric] += list(rng.permutation([True] * int(some) + [False] * int(others)))
        found = rollout.figure(metric, counted, step.share, POLICY)
        last = float(log_evidence(found.candidate, found.candidate + found.incumbent, step.share))
        if found.candidate != step.mine_events[metric][0, -1] or found.p > np.exp(-max(0.0, last)) + 1e-9:
            raise SystemExit(f"the simulation and the rollout differ: {found}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--streams", type=int, default=400, help="rollouts of an equal candidate; a third as many of others"
    )
    parser.add_argument("--conversations", type=int, default=20_000, help="most conversations of a step")
    parser.add_argument("--json", action="store_true", help="print one object last")
    arguments = parser.parse_args()
    began, figures = time.process_time(), {}
    for kind in ("plain", "real"):
        print(f"\n{kind} streams: taken back, gone live (the rest waits for a person), customers exposed until then")
        print(f"  {'candidate':<46}{'rule':<20}{'taken back':<26}{'live':<8}{'exposed: median':>16}{'9 of 10':>9}")
        for number, (candidate, worse) in enumerate(CANDIDATES.items()):
            rng = np.random.default_rng([number, kind == "real"])
            streams = arguments.streams if candidate == "equal" else arguments.streams // 3
            steps = [
                simulate(worse, part, streams, arguments.conversations, rng, real=kind == "real")
                for part in POLICY.steps[:-1]
            ]
            check(steps[0], rng)
            for name, rule in RULES.items():
                found = roll_out(steps, rule, POLICY)
                # Of a bad candidate those count that were answered before it was taken back.
                met = found.exposed[found.withdrawn] if found.withdrawn.any() else np.array([np.nan])
                half, most = np.median(met), np.quantile(met, 0.9)
                line = f"{share(found.withdrawn):<26}{found.live.mean():<8.1%}{half:>16.0f}{most:>9.0f}"
                print(f"  {candidate if name == 'sequential' else '':<46}{name:<20}{line}", flush=True)
                figures[f"{kind} {candidate}: {name}"] = {
                    "withdrawn": float(found.withdrawn.mean()),
                    "live": float(found.live.mean()),
                    "exposed_median": float(half),
                    "exposed_p90": float(most),
                }
    print(f"\n{time.process_time() - began:.0f} CPU s")
    if arguments.json:
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
