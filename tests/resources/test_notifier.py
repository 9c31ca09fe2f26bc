"""Alerts reach real servers on the loopback; one that is down or refuses is told, and breaks nothing."""

import logging
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError
from receivers import HttpReceiver, SmtpReceiver

from llmops_assets.lib import alerting
from resources.notifier import AlertSettings, MailSettings, Notifier

ALERT = alerting.run_failed("retrain", "run-1", ["gate"], datetime(2026, 3, 11, 9, tzinfo=UTC), "http://ui.example/1")
SECRET = "T000-secret-B000"


def mailing(port: int, **more) -> MailSettings:
    return MailSettings(host="127.0.0.1", port=port, to=("office@shop.example",), encrypted=False, **more)


def test_one_alert_reaches_webhook_slack_and_mailbox(monkeypatch):
    with HttpReceiver() as http, SmtpReceiver() as smtp:
        monkeypatch.setenv("HOOK", f"{http.address}/hook")
        monkeypatch.setenv("SLACK", f"{http.address}/{SECRET}")
        settings = AlertSettings(webhook_variable="HOOK", slack_variable="SLACK", mail=mailing(smtp.port))
        told = Notifier(settings).notify(ALERT)
    assert told == {"webhook": "sent", "slack": "sent", "mail": "sent"}
    posted = dict(http.got)
    [one] = posted["/hook"]["alerts"]
    assert one["labels"] == {"alertname": "RunFailed", "severity": "page", "job": "retrain", "run": "run-1"}
    assert posted[f"/{SECRET}"]["text"] == "[page] retrain failed at gate"
    [(recipients, mail)] = smtp.got
    assert recipients == ["office@shop.example"]
    assert mail["Subject"] == "[page] retrain failed at gate"
    assert "job: retrain" in mail.get_content()


def test_what_cannot_be_delivered_is_told_without_its_address_and_stops_no_other(monkeypatch, caplog):
    with HttpReceiver(status=500) as http, SmtpReceiver(refuses=True) as smtp:
        monkeypatch.setenv("HOOK", f"{http.address}/{SECRET}")
        monkeypatch.setenv("SLACK", f"http://127.0.0.1:9/{SECRET}")
        settings = AlertSettings(webhook_variable="HOOK", slack_variable="SLACK", mail=mailing(smtp.port))
        with caplog.at_level(logging.WARNING):
            told = Notifier(settings).notify(ALERT)
    assert told["webhook"] == "not sent: HTTP 500"
    assert told["slack"] == "not sent: URLError"
    assert told["mail"] == "not sent: SMTPRecipientsRefused"
    assert "slack was not told" in caplog.text
    assert SECRET not in caplog.text + str(told)


@pytest.mark.parametrize(
    ("value", "reason"), [(None, "HOOK is not set"), ("file:///etc/passwd", "HOOK is no http address")]
)
def test_a_variable_without_an_address_is_named(monkeypatch, value, reason):
    monkeypatch.delenv("HOOK", raising=False)
    if value:
        monkeypatch.setenv("HOOK", value)
    assert Notifier(AlertSettings(webhook_variable="HOOK")).notify(ALERT) == {"webhook": f"not sent: {reason}"}


def test_a_password_that_is_not_there_is_named_and_nothing_is_sent():
    with SmtpReceiver() as smtp:
        told = Notifier(AlertSettings(mail=mailing(smtp.port, user="u", password_variable="NO_PASSWORD"))).notify(ALERT)
    assert told == {"mail": "not sent: NO_PASSWORD is not set"}
    assert smtp.got == []


def test_where_nobody_is_named_nothing_is_sent():
    notifier = Notifier(AlertSettings())
    assert notifier.notify(ALERT) == {}
    assert notifier.mail(alerting.mail(ALERT, "a@b.example", ["c@d.example"])) == "no mail server is named"


@pytest.mark.parametrize(
    "wrong", [{"webhok": "X"}, {"mail": {"host": ""}}, {"mail": {"host": "h", "sender": "nobody"}}]
)
def test_settings_that_are_wrong_are_refused(wrong):
    with pytest.raises(ValidationError):
        AlertSettings.model_validate(wrong)
