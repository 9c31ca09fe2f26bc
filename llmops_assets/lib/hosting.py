"""API, own GPU or embedded: which hosting fits the traffic, the latency and the privacy needs, at what price."""

import math

from llmops_assets.lib.records import HostingOption, HostingPlan, HostingQuote, UseCase

HOURS_PER_MONTH = 730.0
UTILISATION = 0.7
"""Share of a replica's speed that is planned with, so that queues stay short."""


def plan(use_case: UseCase) -> HostingPlan:
    """Quote every option for the expected traffic and choose the cheapest admissible one.

    ValueError when none is admissible: the plan then names what excludes each.
    """
    quotes = sorted(
        (quote(use_case, option) for option in use_case.hosting_options), key=lambda q: q.currency_per_month
    )
    admissible = [q for q in quotes if q.admissible]
    if not admissible:
        why = "; ".join(f"{q.option}: {', '.join(q.reasons)}" for q in quotes)
        raise ValueError(f"no hosting option of {use_case.name} is admissible: {why}")
    chosen = admissible[0]
    reasons = [
        f"{chosen.option} is the cheapest admissible option: "
        f"{chosen.currency_per_month:.0f} {use_case.currency} a month"
    ]
    reasons += [f"{q.option} is out: {', '.join(q.reasons)}" for q in quotes if not q.admissible]
    reasons += [
        f"{q.option} costs {q.currency_per_month - chosen.currency_per_month:.0f} {use_case.currency} more a month"
        for q in admissible[1:]
    ]
    return HostingPlan(chosen=chosen.option, quotes=tuple(quotes), reasons=tuple(reasons))


def quote(use_case: UseCase, option: HostingOption) -> HostingQuote:
    """One option for the expected traffic: replicas for the busiest hour, price of a month, what excludes it."""
    traffic = use_case.traffic
    per_second = traffic.conversations_per_month / (HOURS_PER_MONTH * 3600) * traffic.peak_factor
    needed = per_second * traffic.output_tokens / (option.tokens_per_second * UTILISATION)
    replicas = 1 if option.kind == "api" else max(1, math.ceil(needed))
    price = (
        option.currency_per_hour * HOURS_PER_MONTH * replicas
        + traffic.conversations_per_month * traffic.input_tokens / 1e6 * option.currency_per_million_input_tokens
        + traffic.conversations_per_month * traffic.output_tokens / 1e6 * option.currency_per_million_output_tokens
    )
    reasons = []
    if use_case.data_must_stay_on_premises and option.data_leaves_premises:
        reasons.append("customers' data would leave the premises")
    if option.latency_p95_seconds > use_case.maximum_latency_p95_seconds:
        reasons.append(f"latency {option.latency_p95_seconds:g} s is above {use_case.maximum_latency_p95_seconds:g} s")
    return HostingQuote(
        option=option.name,
        currency_per_month=round(price, 2),
        replicas=replicas,
        latency_p95_seconds=option.latency_p95_seconds,
        admissible=not reasons,
        reasons=tuple(reasons),
    )


def chosen_option(case: UseCase, plan: HostingPlan) -> HostingOption:
    """The hosting option that a plan chose. ValueError when the use case no longer has it."""
    for option in case.hosting_options:
        if option.name == plan.chosen:
            return option
    raise ValueError(f"the use case has no hosting option {plan.chosen} any more: materialize hosting_plan again")
