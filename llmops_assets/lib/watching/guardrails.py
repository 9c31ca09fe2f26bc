"""Whether a release that serves everybody still answers as it did when that was decided: a pure, sequential judgement.

After the last step nobody answers beside it, so what it is held against is counted before: its own conversations of the
rollout, or those of the release before it. The bounds hold however often one looks (rollout_evidence.py).
"""

from llmops_assets.lib.records import Metric, RolloutDecision, RolloutPolicy
from llmops_assets.lib.watching import rollout_evidence
from llmops_assets.lib.watching.rollout import EVENTS, Tally

OF_THE_RELEASE: frozenset[Metric] = frozenset(("errors", "slow"))
"""What takes a release back. The other metrics move with what customers ask, too, and with nobody beside it a new topic
looks like a worse release: about those a person is asked."""


def judge(before: Tally, since: Tally, policy: RolloutPolicy) -> RolloutDecision:
    """What follows from the conversations `since` a release serves everybody, all of them its own.

    `before` has those of the time up to then, with the release as the candidate. A metric trips when its share is shown
    to be more than the tolerated loss above the level; that ever happens to a release that keeps its level with a
    chance of at most the policy's alpha, over all metrics.
    """
    own = before.candidate_of >= policy.minimum_conversations
    beside = before.candidate_of if own else before.incumbent_of
    if beside < policy.minimum_conversations:
        told = f"{beside} conversations from before, {policy.minimum_conversations} are needed to know its level"
        return RolloutDecision(verdict="wait", reason=told)
    whose = "its own of the rollout" if own else "those of the release before"
    tripped: list[tuple[Metric, str]] = []
    for metric in EVENTS:
        count = sum(since.sides[metric])
        level = sum(side is own for side in before.sides[metric])
        if not count:
            continue
        low, high = rollout_evidence.loss_interval(count, since.candidate_of, level, beside, policy.alpha / len(EVENTS))
        if low > policy.tolerance(metric):
            told = f"{metric} in {count} of {since.candidate_of} conversations since it serves all, {level} of {beside}"
            bounds = f"{100 * float(low):+.1f} to {100 * float(high):+.1f} points, at all times"
            tripped.append((metric, f"{told} of {whose} ({bounds})"))
    if not tripped:
        told = f"{since.candidate_of} conversations since it serves all, nothing is shown to be worse than {whose}"
        return RolloutDecision(verdict="wait", reason=told)
    metric, reason = min(tripped, key=lambda one: one[0] not in OF_THE_RELEASE)
    return RolloutDecision(verdict="roll_back" if metric in OF_THE_RELEASE else "ask", metric=metric, reason=reason)
