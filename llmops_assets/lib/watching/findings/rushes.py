"""When many people ask at once and are not helped: something has happened, whatever words each of them finds for it.

A rush is seen in the questions of a day taken together. Topics are groups of questions that are alike, and what people
write of one outage falls apart into several of them, each too small to be seen as sudden.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from llmops_assets.lib.statistics import share_fell
from llmops_assets.lib.watching.findings.members import Member

BURST = timedelta(hours=2)
"""How long the questions about something that has happened take to come."""
RUSH_QUESTIONS = 10
"""Questions beyond what these hours usually bring, without which there is no rush."""
RUSH_DEVIATIONS = 4.0
"""How far above the rate of the rest of the day, in standard deviations of a Poisson count."""


def busiest(times: Sequence[datetime]) -> datetime:
    """When the two hours begin in which most of the times lie; the latest of several. `times` are in order."""
    first, best, start = 0, 0, times[0]
    for last, moment in enumerate(times):
        while moment - times[first] > BURST:
            first += 1
        if last - first + 1 >= best:
            best, start = last - first + 1, times[first]
    return start


def rush(asked: Sequence[Member]) -> list[Member]:
    """The badly answered questions of two hours in which far more came than in the rest of a day, and worse answered.

    Both must be shown: the number by its distance from the rate of the other hours, the answers by a 95 % interval. So
    lunch time is none, nor a campaign that is answered well, nor a day on which everything is answered badly. Nothing
    is said of a day of less than four hours.
    """
    ordered = sorted(asked, key=lambda one: (one.time, one.id))
    badly = [one.time for one in ordered if one.badly]
    if len(badly) < RUSH_QUESTIONS:
        return []
    begin = busiest(badly)
    inside = [one for one in ordered if begin <= one.time <= begin + BURST]
    outside = [one for one in ordered if not begin <= one.time <= begin + BURST]
    open_for = ordered[-1].time - ordered[0].time - BURST
    if open_for < BURST:
        return []
    usual = len(outside) * (BURST / open_for)
    if len(inside) - usual < max(RUSH_QUESTIONS, RUSH_DEVIATIONS * (usual + 0.5) ** 0.5):
        return []
    found = [one for one in inside if one.badly]
    low, _ = share_fell((len(found), len(inside)), (sum(one.badly for one in outside), len(outside)))
    return found if low > 0 else []
