from datetime import date

import pytest

from llmops_assets.lib import costs, hosting, kpis
from llmops_assets.lib.records import HostingOption, Kpi
from llmops_assets.samples.generator import load_use_case


def option(name: str, **fields) -> HostingOption:
    defaults = {
        "kind": "self_hosted",
        "tokens_per_second": 100.0,
        "latency_p95_seconds": 1.0,
        "data_leaves_premises": False,
        "source": "test",
    }
    return HostingOption.model_validate({"name": name, **defaults, **fields})


def case(*options: HostingOption, **fields):
    return load_use_case().model_copy(update={"hosting_options": options, **fields})


def test_the_cheapest_admissible_option_is_chosen_and_the_others_have_reasons():
    plan = hosting.plan(
        case(
            option("api", kind="api", currency_per_million_output_tokens=0.1, data_leaves_premises=True),
            option("slow", currency_per_hour=0.01, latency_p95_seconds=60.0),
            option("big", currency_per_hour=2.0),
            option("small", currency_per_hour=1.0),
        )
    )
    assert plan.chosen == "small"
    text = " ".join(plan.reasons)
    assert "api is out: customers' data would leave the premises" in text
    assert "slow is out: latency 60 s is above 4 s" in text
    assert "big costs 730 EUR more a month" in text


def test_no_admissible_option_is_an_error_that_names_them():
    with pytest.raises(ValueError, match=r"no hosting option .*api: customers' data"):
        hosting.plan(case(option("api", kind="api", data_leaves_premises=True)))


def test_replicas_follow_the_busiest_hour():
    use_case = case(option("gpu", currency_per_hour=1.0))
    traffic = use_case.traffic.model_copy(
        update={"conversations_per_month": 2_628_000, "output_tokens": 70, "peak_factor": 2.0}
    )
    quote = hosting.quote(use_case.model_copy(update={"traffic": traffic}), use_case.hosting_options[0])
    # One conversation a second, two in the busiest hour, 140 tokens a second at 70 usable ones per replica.
    assert quote.replicas == 2
    assert quote.currency_per_month == 2 * 730


def interaction(path="matched", rating=0, seconds=0.1, release="r-1", tokens=(0, 0)):
    return {
        "release_id": release,
        "path": path,
        "rating": rating,
        "latency_seconds": seconds,
        "input_tokens": tokens[0],
        "output_tokens": tokens[1],
    }


def test_kpis_are_measured_against_their_targets_and_unmeasured_is_not_zero():
    targets = [
        Kpi(name="positive_rating_share", description="", direction="at_least", target=0.7),
        Kpi(name="handover_share", description="", direction="at_most", target=0.1),
        Kpi(name="answer_accuracy", description="", direction="at_least", target=0.5),
        Kpi(name="made_up", description="", direction="at_least", target=1),
    ]
    rows = [interaction(rating=1)] * 3 + [interaction("handover", rating=-1)]
    report = kpis.measure(date(2026, 3, 2), rows, targets, accuracy=0.9, leaks=0, cost_per_answer=None)
    assert {v.name: (v.value, v.met) for v in report.values} == {
        "positive_rating_share": (0.75, True),
        "handover_share": (0.25, False),
        "answer_accuracy": (0.9, True),
        "made_up": (None, None),
    }
    empty = kpis.measure(date(2026, 3, 2), [], targets, accuracy=None, leaks=0, cost_per_answer=None)
    assert all(v.value is None for v in empty.values)


def test_costs_are_engine_time_or_tokens_per_release():
    rows = [
        interaction("generated", seconds=1800.0, release="r-1"),
        interaction("matched", seconds=99.0, release="r-1"),
        interaction("generated", seconds=0.0, release="r-2", tokens=(1_000_000, 500_000)),
    ]
    own = costs.ledger(rows, option("cpu", currency_per_hour=2.0))
    assert [(line.release_id, line.answers, line.currency) for line in own.lines] == [("r-1", 2, 1.0), ("r-2", 1, 0.0)]
    assert own.lines[0].energy_kwh == pytest.approx(costs.WATTS * 0.5 / 1000)
    assert costs.per_answer(own) == pytest.approx(1 / 3)
    api = costs.ledger(
        rows,
        option("api", kind="api", currency_per_million_input_tokens=1.0, currency_per_million_output_tokens=2.0),
    )
    assert [line.currency for line in api.lines] == [0.0, 2.0]
    assert api.lines[0].energy_kwh == 0.0
    assert costs.per_answer(costs.ledger([], option("cpu"))) is None
