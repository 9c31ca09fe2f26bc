"""How often the gate errs: simulated candidates that are equal, better, at the margin, 5 to 20 points worse overall or
on one slice, judged by the gate and, beside it, by rules that are often used instead.

Usage: python benchmarks/gate.py [--runs 4000] [--differing 0.04 0.1] [--suite demo recommended] [--json]

The policy is the sample's (samples/use_case.yaml). Candidate and incumbent answer the same questions and differ on the
share `--differing` of them where they are equally good, won as often as lost: 0.04 is what the demonstration's
retraining measured beside its new topic (14 of 388), 0.1 is what sizes are planned with. A loss of L points turns so
many more of the incumbent's right answers into wrong ones. Shares are printed with 95 % Wilson intervals.
"""

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from llmops_assets.lib import gate
from llmops_assets.lib.records import OVERALL, DatasetRef, EvalReport, GatePolicy, LakeRef, SliceScore
from llmops_assets.lib.sizing import sizes
from llmops_assets.lib.statistics import paired_critical, paired_score, wilson
from llmops_assets.samples import generator

SUITES = {
    "demo": {
        "faq": 120,
        "complaint": 20,
        "slang": 32,
        "typos": 49,
        "follow_up": 51,
        "several": 14,
        "languages": 12,
        "small_talk": 33,
        "out_of_scope": 26,
        "own_case": 31,
        "new_topic": 12,
    },
    "recommended": {
        "faq": 90,
        "complaint": 70,
        "slang": 80,
        "typos": 80,
        "follow_up": 60,
        "several": 60,
        "languages": 60,
        "small_talk": 60,
        "out_of_scope": 80,
        "own_case": 80,
        "new_topic": 60,
    },
}
"""Slice to questions: the demonstration's suite after its new topic, and what keeps the promises below."""
ACCURACY = {"faq": 0.8, "complaint": 0.8, "slang": 0.8, "typos": 0.55, "out_of_scope": 0.95, "small_talk": 0.9}
"""Share that the incumbent answers right in the demonstration; 0.8 where a slice is not named."""
CHECKED = 5
"""Simulated comparisons that are also put to `gate.decide` itself."""


@dataclass(frozen=True)
class Counts:
    """Simulated comparisons, a column per slice: questions won, lost, and right on both sides."""

    slices: tuple[str, ...]
    totals: np.ndarray
    won: np.ndarray
    lost: np.ndarray
    both: np.ndarray

    def of(self, slices: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
        """(won, lost, both right, questions) of some slices together."""
        at = [self.slices.index(name) for name in slices]
        pick = self.won[:, at].sum(1), self.lost[:, at].sum(1), self.both[:, at].sum(1)
        return (*pick, int(self.totals[at].sum()))


def simulate(suite: Mapping[str, int], losses: Mapping[str, float], differing: float, runs: int, seed: int) -> Counts:
    """Comparisons of a candidate that loses `losses` (slice to share; negative: it wins) with an equal part beside."""
    rng = np.random.default_rng(seed)
    columns = []
    for name, total in suite.items():
        right, loss = ACCURACY.get(name, 0.8), losses.get(name, 0.0)
        noise = max(0.0, min(differing / 2, 1 - right - max(0.0, -loss), right - max(0.0, loss)))
        win, lose = noise + max(0.0, -loss), noise + max(0.0, loss)
        chances = np.clip([win, lose, right - lose, 1 - right - win], 0, 1)
        columns.append(rng.multinomial(total, chances / chances.sum(), size=runs))
    drawn = np.stack(columns, axis=1)
    return Counts(tuple(suite), np.array(list(suite.values())), drawn[..., 0], drawn[..., 1], drawn[..., 2])


def by_gate(counts: Counts, policy: GatePolicy) -> tuple[np.ndarray, np.ndarray]:
    """(promoted, called worse): what `gate.decide` says, by critical scores in place of p-values."""
    units: list[tuple[str, tuple[str, ...]]] = [(name, (name,)) for name in counts.slices]
    units += [(name, tuple(s for s in of if s in counts.slices)) for name, of in policy.groups.items()]
    units.append((OVERALL, counts.slices))
    drawn = [counts.of(of) for _, of in units]
    shown, within = [], []
    for (name, _), (won, lost, _, total) in zip(units, drawn, strict=True):
        margin = policy.margin_of(name)
        critical = paired_critical(total, margin, policy.alpha_of(name))
        shown.append(paired_score(won, lost, total, -margin) >= critical - 1e-9)
        within.append(lost - won <= margin * total + 1e-9)
    worse = holm_rejects(drawn, policy.alpha)
    promoted, called = np.ones(len(counts.won), bool), np.zeros(len(counts.won), bool)
    for number, (name, _) in enumerate(units):
        accepted = within[number] if policy.when_undecided(name) == "accept" else np.zeros_like(promoted)
        bad = worse[number] & ~shown[number]
        called |= bad
        promoted &= shown[number] | (accepted & ~bad)
    return promoted, called


def holm_rejects(drawn: list[tuple[np.ndarray, np.ndarray, np.ndarray, int]], alpha: float) -> list[np.ndarray]:
    """For each unit whether it is called worse, adjusted by Holm: p is at most alpha / m from the critical score on."""
    count = len(drawn)
    below = np.array(
        [
            [
                paired_score(lost, won, total, 0.0) >= paired_critical(total, 0.0, alpha / level) - 1e-9
                for won, lost, _, total in drawn
            ]
            for level in range(count, 0, -1)
        ]
    )
    reached = below.sum(axis=1) >= np.arange(1, count + 1)[:, None]
    rejected = np.cumprod(reached, axis=0).sum(axis=0)
    levels = np.maximum(rejected - 1, 0)
    runs = np.arange(below.shape[2])
    return [below[levels, unit, runs] & (rejected > 0) for unit in range(count)]


def not_significantly_worse(counts: Counts, policy: GatePolicy) -> np.ndarray:
    """The rule before this one: stopped by a significant loss above the tolerance (exact McNemar, two-sided, Holm over
    slices), by any loss above it on faq and complaint, or by a significant loss overall."""
    p = np.stack([mcnemar(counts.won[:, n], counts.lost[:, n]) for n in range(len(counts.slices))], axis=1)
    order = np.argsort(p, axis=1)
    ranked = np.take_along_axis(p, order, axis=1) * np.arange(p.shape[1], 0, -1)
    adjusted = np.empty_like(p)
    np.put_along_axis(adjusted, order, np.minimum(1, np.maximum.accumulate(ranked, axis=1)), axis=1)
    loss = (counts.lost - counts.won) / counts.totals
    protected = np.array([name in ("faq", "complaint") for name in counts.slices])
    stopped = ((loss > 0.1) & ((adjusted < policy.alpha) | protected)).any(axis=1)
    won, lost = counts.won.sum(1), counts.lost.sum(1)
    return ~(stopped | ((mcnemar(won, lost) < policy.alpha) & (lost > won)))


def mcnemar(won: np.ndarray, lost: np.ndarray) -> np.ndarray:
    """Two-sided exact p."""
    from scipy.stats import binom

    return np.minimum(1.0, 2 * binom.cdf(np.minimum(won, lost), won + lost, 0.5))


def bare_threshold(counts: Counts, policy: GatePolicy) -> np.ndarray:
    """Stopped by a measured loss above 10 points on a slice or above 2 points overall, whatever the sizes."""
    loss = (counts.lost - counts.won) / counts.totals
    whole = (counts.lost - counts.won).sum(1) / counts.totals.sum()
    return ~((loss > 0.1).any(axis=1) | (whole > 0.02))


def t_test(counts: Counts, policy: GatePolicy) -> np.ndarray:
    """Stopped by a significant unpaired t-test of the two accuracies (two-sided, 5 %) on a slice or overall."""
    from scipy.special import ndtr

    stopped = np.zeros(len(counts.won), bool)
    for of in (*((name,) for name in counts.slices), counts.slices):
        won, lost, both, total = counts.of(of)
        mine, other = (both + won) / total, (both + lost) / total
        error = np.sqrt((mine * (1 - mine) + other * (1 - other)) / max(1, total - 1))
        stopped |= ndtr((mine - other) / np.maximum(error, 1e-12)) < 0.025
    return ~stopped


RULES: Mapping[str, Callable[[Counts, GatePolicy], np.ndarray]] = {
    "not significantly worse": not_significantly_worse,
    "bare threshold": bare_threshold,
    "t-test": t_test,
}


def scenarios(suite: Mapping[str, int], policy: GatePolicy) -> dict[str, dict[str, float]]:
    """Name to slice to loss."""

    def everywhere(loss: float) -> dict[str, float]:
        return dict.fromkeys(suite, loss)

    found = {
        "equal": {},
        f"at the margin overall ({policy.margin_of(OVERALL):g})": everywhere(policy.margin_of(OVERALL)),
    }
    for name, of in policy.groups.items():
        margin = policy.margin_of(name)
        found[f"at the margin of {name} ({margin:g})"] = dict.fromkeys(of, margin)
    found |= {f"{points} points worse overall": everywhere(points / 100) for points in (5, 10, 15, 20)}
    for name in ("faq", "slang", "out_of_scope", "complaint"):
        found |= {f"{points} points worse on {name}": {name: points / 100} for points in (5, 10, 15, 20)}
    found["30 points worse on new_topic"] = {"new_topic": 0.3}
    found |= {"5 points better overall": everywhere(-0.05), "20 points better on slang": {"slang": -0.2}}
    return found


def check(counts: Counts, policy: GatePolicy, promoted: np.ndarray) -> None:
    """SystemExit where `gate.decide` says otherwise of the first simulated comparisons."""
    for run in range(min(CHECKED, len(promoted))):
        sides: tuple[dict[str, tuple[str, bool]], ...] = ({}, {})
        for at, name in enumerate(counts.slices):
            won, lost, both = (int(values[run, at]) for values in (counts.won, counts.lost, counts.both))
            marks = [(True, False)] * won + [(False, True)] * lost + [(True, True)] * both
            marks += [(False, False)] * (int(counts.totals[at]) - len(marks))
            for number, pair in enumerate(marks):
                for side, right in zip(sides, pair, strict=True):
                    side[f"{name}-{number}"] = (name, right)
        reports = [report(str(n), side) for n, side in enumerate(sides)]
        said = gate.decide(reports[0], sides[0], reports[1], sides[1], policy)
        if said.passed != promoted[run]:
            raise SystemExit(f"the simulation and the gate differ: {said.reasons}")


def report(subject: str, outcomes: Mapping[str, tuple[str, bool]]) -> EvalReport:
    """A report as the gate reads it."""
    score = SliceScore(right=sum(right for _, right in outcomes.values()), total=len(outcomes))
    suite = DatasetRef(
        name="suite", ref=LakeRef(repository="llmops", commit="0" * 40), digest="0" * 64, rows=score.total
    )
    return EvalReport(subject=subject, suite=suite, overall=score, slices={})


def share(values: np.ndarray) -> str:
    """A share with its interval, in per cent."""
    low, high = wilson(int(values.sum()), len(values))
    return f"{values.mean():6.1%} ({low:.1%} to {high:.1%})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=4000, help="simulated comparisons per candidate")
    parser.add_argument("--differing", type=float, nargs="+", default=[0.04, 0.1], help="share of differing answers")
    parser.add_argument("--suite", nargs="+", choices=sorted(SUITES), default=list(SUITES), help="sizes")
    parser.add_argument("--json", action="store_true", help="print one object last")
    arguments = parser.parse_args()
    policy, figures = generator.load_use_case().gate, {}
    for name in arguments.suite:
        suite = SUITES[name]
        print(f"\n{name}: {sum(suite.values())} questions")
        for found in sizes(suite, policy):
            what = policy.when_undecided(found.unit)
            print(
                f"  {found.unit:<14}{found.questions:>5} questions, margin {found.margin:g}: an equal one is shown in "
                f"{found.power:.0%}, {found.needed} for {policy.power:.0%}; undecided: {what}; "
                f"smallest loss stopped in {policy.power:.0%}: {found.seen}"
            )
        for differing in arguments.differing:
            print(f"\n{name}, {differing:.0%} of answers differ: promoted, of {arguments.runs} candidates each")
            print(f"  {'candidate':<34}{'gate':<26}{'called worse':<14}" + "".join(f"{rule:<26}" for rule in RULES))
            for number, (candidate, losses) in enumerate(scenarios(suite, policy).items()):
                counts = simulate(suite, losses, differing, arguments.runs, number)
                promoted, called = by_gate(counts, policy)
                if candidate == "equal" or number == 7:
                    check(counts, policy, promoted)
                others = {rule: of(counts, policy) for rule, of in RULES.items()}
                line = "".join(f"{share(values):<26}" for values in others.values())
                print(f"  {candidate:<34}{share(promoted):<26}{called.mean():<14.1%}{line}", flush=True)
                figures[f"{name} {differing:g} {candidate}"] = {
                    "gate": float(promoted.mean()),
                    "called_worse": float(called.mean()),
                    **{rule: float(values.mean()) for rule, values in others.items()},
                }
    if arguments.json:
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
