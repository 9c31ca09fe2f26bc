"""What somebody must be told at once, in the forms that people's systems take: a webhook, Slack, mail.

An alert is made of names that the graph gave (jobs, assets, checks, releases, runs) and of numbers. An error's message,
a question or a pseudonym never enters one: it leaves the premises, and nothing erases it there. So its text is only
made here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any, Literal

from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.records import GateDecision

Severity = Literal["page", "ticket"]
"""As in the rules of Prometheus (observability/alerts): `page` wants a person now, `ticket` one in office hours."""


@dataclass(frozen=True)
class Alert:
    """What happened, how bad it is and what to do; `labels` name what it is about, `key` is the same for one cause."""

    name: str
    severity: Severity
    summary: str
    action: str
    time: datetime
    labels: Mapping[str, str] = field(default_factory=dict)
    link: str = ""

    @property
    def key(self) -> str:
        """Name of the cause: the same alert of the same thing has the same one."""
        return hash_json([self.name, dict(self.labels)])[:16]


def run_failed(job: str, run: str, steps: Sequence[str], time: datetime, link: str = "") -> Alert:
    """A run ended in a failure; `steps` are those that failed."""
    where = f" at {', '.join(steps)}" if steps else ""
    return Alert(
        "RunFailed",
        "page",
        f"{job} failed{where}",
        "Read the run's log; what served before serves on.",
        time,
        {"job": job, "run": run},
        link,
    )


def check_failed(asset: str, check: str, partition: str, time: datetime, *, blocking: bool, link: str = "") -> Alert:
    """An asset's check does not hold; `blocking` ones stop what comes after."""
    of = f" of {partition}" if partition else ""
    return Alert(
        "CheckFailed",
        "page" if blocking else "ticket",
        f"{asset}{of}: {check} does not hold",
        "The check in the UI has its figures" + ("; nothing after it ran." if blocking else "."),
        time,
        {"asset": asset, "check": check, **({"partition": partition} if partition else {})},
        link,
    )


def gate_refused(decision: GateDecision, time: datetime, link: str = "") -> Alert:
    """The gate stopped a candidate, or it waits for a person."""
    waits = decision.status == "waiting"
    named = f": {', '.join(decision.failed_slices)}" if decision.failed_slices else ""
    return Alert(
        "CandidateWaits" if waits else "CandidateRefused",
        "ticket",
        f"{decision.candidate} waits for a person's word" if waits else f"{decision.candidate} was stopped{named}",
        "Read the gate's page, then llmops approve or reject."
        if waits
        else "Read the gate's page; the incumbent serves on.",
        time,
        {"release": decision.candidate},
        link,
    )


def budget_nearly_spent(share: float, budget: float, currency: str, day: str, time: datetime) -> Alert:
    """A day's answers took most of the money that a day may cost."""
    return Alert(
        "BudgetSpent" if share >= 1 else "BudgetNearlySpent",
        "ticket",
        f"answers of {day} cost {share:.0%} of the day's {budget:g} {currency}".rstrip(),
        "See who asks (llmops keys list), and set limits by key.",
        time,
        {"day": day},
    )


def webhook(alert: Alert) -> dict[str, Any]:
    """The body of a POST, in the shape of Alertmanager's webhook (version 4), so that one receiver takes both.

    Shape: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config.
    """
    labels = {"alertname": alert.name, "severity": alert.severity, **alert.labels}
    annotations = {"summary": alert.summary, "action": alert.action}
    one = {
        "status": "firing",
        "labels": labels,
        "annotations": annotations,
        "startsAt": alert.time.astimezone(UTC).isoformat(timespec="seconds"),
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": alert.link,
        "fingerprint": alert.key,
    }
    return {
        "version": "4",
        "groupKey": alert.key,
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "llmops",
        "groupLabels": {"alertname": alert.name},
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": alert.link,
        "alerts": [one],
    }


def slack(alert: Alert) -> dict[str, Any]:
    """The body of an incoming webhook of Slack; `text` is what a notification shows.

    Shape: https://api.slack.com/messaging/webhooks. The three characters that Slack reads as markup are escaped.
    """
    told = f"[{alert.severity}] {_plain(alert.summary)}"
    about = f"{_plain(alert.action)}" + (f"\n<{alert.link}|look at it>" if alert.link else "")
    fields = " · ".join(f"{_plain(name)}: {_plain(value)}" for name, value in alert.labels.items())
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": f"{alert.name}: {alert.summary}"[:150]}},
        {"type": "section", "text": {"type": "mrkdwn", "text": about}},
    ]
    if fields:
        blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": fields}]})
    return {"text": told, "blocks": blocks}


def _plain(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def mail(alert: Alert, sender: str, recipients: Sequence[str]) -> EmailMessage:
    """A mail in plain text (RFC 5322); mails of one cause are one thread."""
    message = EmailMessage(policy=SMTP)
    message["Subject"] = f"[{alert.severity}] {alert.summary}"
    message["From"], message["To"] = sender, ", ".join(recipients)
    message["Date"] = format_datetime(alert.time.astimezone(UTC))
    domain = sender.rpartition("@")[2].strip("> ") or "localhost"
    message["Message-ID"] = f"<{alert.key}-{int(alert.time.timestamp())}@{domain}>"
    message["References"] = f"<{alert.key}@{domain}>"
    about = "".join(f"{name}: {value}\n" for name, value in alert.labels.items())
    message.set_content(f"{alert.summary}\n\n{alert.action}\n\n{about}{alert.link}\n")
    return message
