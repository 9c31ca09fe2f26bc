from datetime import date

import pytest

from llmops_assets.lib import hosting
from llmops_assets.lib.records import HostingOption, Kpi
from llmops_assets.lib.watching import costs, kpis
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
        "status": 200,
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
    assert [(v.value, v.met) for v in empty.values] == [(None, None)] * 4


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


def test_the_price_of_a_month_by_hand():
    traffic = {"conversations_per_month": 100_000, "peak_factor": 3.0, "input_tokens": 400, "output_tokens": 50}
    use_case = case(option("any"))
    use_case = use_case.model_copy(update={"traffic": use_case.traffic.model_copy(update=traffic)})
    api = option("api", kind="api", currency_per_million_input_tokens=0.5, currency_per_million_output_tokens=2.0)
    # 40 million tokens in at 0.50, 5 million out at 2.00.
    assert hosting.quote(use_case, api).currency_per_month == 20.0 + 10.0
    assert hosting.quote(use_case, api.model_copy(update={"tokens_per_second": 0.001})).replicas == 1
    # 100,000 conversations in 2,628,000 s, three times as many at the peak, 50 tokens each: 5.7078 tokens a second.
    for speed, replicas in ((8.16, 1), (8.15, 2), (2.72, 3), (1000.0, 1)):
        own = option("own", currency_per_hour=0.25, tokens_per_second=speed)
        found = hosting.quote(use_case, own)
        assert (found.replicas, found.currency_per_month) == (replicas, replicas * 182.5)


def test_an_option_at_the_limits_is_admissible_and_one_beyond_is_out():
    use_case = case(option("any"), maximum_latency_p95_seconds=2.0, data_must_stay_on_premises=True)
    assert hosting.quote(use_case, option("edge", latency_p95_seconds=2.0)).admissible
    slow = hosting.quote(use_case, option("slow", latency_p95_seconds=2.01, data_leaves_premises=True))
    assert slow.reasons == ("customers' data would leave the premises", "latency 2.01 s is above 2 s")
    free = use_case.model_copy(update={"data_must_stay_on_premises": False})
    assert hosting.quote(free, option("cloud", data_leaves_premises=True)).admissible


def test_every_kpi_by_hand():
    names = ("answer_accuracy", "positive_rating_share", "handover_share", "p95_latency_seconds", "cost_per_answer")
    targets = [Kpi(name=name, description="", direction="at_most", target=0.5) for name in (*names, "privacy_leaks")]
    rows = [interaction(seconds=float(n)) for n in range(1, 21)]
    rows[0] |= {"rating": 1}
    rows[1] |= {"rating": -1}
    rows[2] |= {"rating": 1, "path": "handover"}
    # A customer who left, an engine that failed: logged, but no answers.
    rows += [interaction("handover", seconds=900.0) | {"status": status} for status in (499, 502)]
    report = kpis.measure(date(2026, 3, 2), rows, targets, accuracy=0.5, leaks=2, cost_per_answer=0.0123456789)
    assert report.interactions == 22
    assert {v.name: (v.value, v.met) for v in report.values} == {
        "answer_accuracy": (0.5, True),
        "positive_rating_share": (0.666667, False),
        "handover_share": (0.05, True),
        # Between the 19th and the 20th of 1 to 20 seconds: 1 + 0.95 * 19.
        "p95_latency_seconds": (19.05, False),
        "cost_per_answer": (0.012346, True),
        "privacy_leaks": (2.0, False),
    }


def test_costs_by_hand():
    rows = [
        interaction("generated", seconds=90.0, tokens=(1000, 200)),
        interaction("generated", seconds=30.0, tokens=(500, None)),
        # Generated, but not to be sent: worked for all the same.
        interaction("handover", seconds=60.0, tokens=(9, 9)),
        interaction("handover", seconds=500.0),
        interaction("matched", seconds=500.0, release="r-0"),
    ]
    prices = {"currency_per_million_input_tokens": 2.0, "currency_per_million_output_tokens": 10.0}
    found = costs.ledger(rows, option("own", currency_per_hour=0.6, **prices))
    none, both = found.lines
    assert (none.release_id, none.answers, none.generated, none.currency) == ("r-0", 1, 0, 0.0)
    # 180 s at 0.60 an hour, 1509 tokens in at 2 and 209 out at 10 a million.
    assert (both.answers, both.generated, both.engine_seconds) == (4, 3, 180.0)
    assert both.currency == pytest.approx(0.03 + 0.003018 + 0.00209, abs=1e-8)
    # 30 W for 180 s are 0.0015 kWh, at 250 g each.
    assert (both.energy_kwh, both.co2_grams) == (0.0015, 0.375)
    assert costs.per_answer(found) == pytest.approx(0.035108 / 5)
    assert found.assumptions == {
        "currency_per_hour": 0.6,
        **prices,
        "watts": 30.0,
        "grams_co2_per_kwh": 250.0,
    }


def test_ledgers_of_days_add_up_to_the_ledger_of_all_days():
    prices = option("own", currency_per_hour=0.6, currency_per_million_output_tokens=10.0)
    days = [
        [interaction("generated", seconds=90.0, tokens=(1000, 200)), interaction("matched", release="r-0")],
        [interaction("generated", seconds=30.0, tokens=(500, 7)), interaction("handover", release="r-2")],
    ]
    whole = costs.ledger([row for day in days for row in day], prices)
    assert costs.merged([costs.ledger(day, prices) for day in days], prices) == whole
    assert [line.release_id for line in whole.lines] == ["r-0", "r-1", "r-2"]
