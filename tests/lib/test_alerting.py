"""An alert is made of names and numbers, in the shapes that receivers read."""

from datetime import UTC, datetime

import pytest
from support import ref

from llmops_assets.lib import alerting
from llmops_assets.lib.records import GateDecision, GatePolicy

TIME = datetime(2026, 3, 11, 9, tzinfo=UTC)


def decision(status: str) -> GateDecision:
    return GateDecision(
        passed=False,
        candidate="r-2",
        incumbent="r-1",
        policy=GatePolicy(),
        slices=(),
        failed_slices=("faq", "slang"),
        reasons=("faq: 3 of 40, and anna@mail.example asked why",),
        evidence=(ref(),),
        status=status,
    )


ALERTS = [
    alerting.run_failed("retrain", "run-1", [], TIME),
    alerting.check_failed("interactions", "log_is_clean", "2026-03-11", TIME, blocking=False),
    alerting.gate_refused(decision("blocked"), TIME, "http://ui.example/assets/gate"),
    alerting.gate_refused(decision("waiting"), TIME),
    alerting.budget_nearly_spent(0.85, 20, "EUR", "2026-03-11", TIME),
    alerting.budget_nearly_spent(1.2, 20, "EUR", "2026-03-11", TIME),
]


def test_each_says_what_happened_and_how_bad_it_is():
    assert [(alert.name, alert.severity, alert.summary) for alert in ALERTS] == [
        ("RunFailed", "page", "retrain failed"),
        ("CheckFailed", "ticket", "interactions of 2026-03-11: log_is_clean does not hold"),
        ("CandidateRefused", "ticket", "r-2 was stopped: faq, slang"),
        ("CandidateWaits", "ticket", "r-2 waits for a person's word"),
        ("BudgetNearlySpent", "ticket", "answers of 2026-03-11 cost 85% of the day's 20 EUR"),
        ("BudgetSpent", "ticket", "answers of 2026-03-11 cost 120% of the day's 20 EUR"),
    ]


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_no_form_of_it_quotes_a_reason_or_a_message(alert):
    mail = alerting.mail(alert, "llmops@shop.example", ["office@shop.example"])
    for form in (str(alerting.webhook(alert)), str(alerting.slack(alert)), mail.as_string()):
        assert alert.action.split(".")[0] in form.replace("=\n", "")
        assert "anna" not in form


def test_a_webhook_is_shaped_as_alertmanagers():
    body = alerting.webhook(ALERTS[2])
    assert (body["version"], body["status"], body["receiver"]) == ("4", "firing", "llmops")
    [one] = body["alerts"]
    assert one["labels"] == {"alertname": "CandidateRefused", "severity": "ticket", "release": "r-2"}
    assert one["startsAt"] == "2026-03-11T09:00:00+00:00"
    assert one["fingerprint"] == body["groupKey"] == ALERTS[2].key


def test_slack_shows_text_and_no_markup_of_names():
    alert = alerting.run_failed("<!channel> & co", "run-1", [], TIME, "http://ui.example/1")
    body = alerting.slack(alert)
    assert body["text"] == "[page] &lt;!channel&gt; &amp; co failed"
    assert "<!channel>" not in str(body["blocks"][1:])
    assert "<http://ui.example/1|look at it>" in body["blocks"][1]["text"]["text"]


def test_mails_of_one_cause_are_one_thread():
    later = alerting.run_failed("retrain", "run-1", [], TIME.replace(hour=10))
    mails = [
        alerting.mail(alert, "llmops@shop.example", ["a@b.example", "c@b.example"]) for alert in (ALERTS[0], later)
    ]
    assert mails[0]["References"] == mails[1]["References"]
    assert mails[0]["Message-ID"] != mails[1]["Message-ID"]
    assert mails[0]["To"] == "a@b.example, c@b.example"
    assert mails[0]["Date"] == "Wed, 11 Mar 2026 09:00:00 +0000"
