"""Who is told when something is wrong: a webhook, a Slack channel, a mailbox, as settings.yaml names them.

Addresses that are secrets and passwords come from the environment, by the names that the settings give. What cannot be
delivered is logged and told to the caller; it breaks nothing.
"""

import json
import logging
import smtplib
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from email.message import EmailMessage
from typing import Any

import dagster as dg
from pydantic import BaseModel, ConfigDict, Field

from llmops_assets.lib import alerting
from llmops_assets.lib.alerting import Alert

LOGGER = logging.getLogger(__name__)
SECONDS = 10.0
"""How long a receiver may take."""


class MailSettings(BaseModel):
    """A mail server and who gets mail from it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(min_length=1)
    port: int = Field(587, ge=1, le=65535)
    sender: str = Field("llmops@localhost", pattern=r"^[^\s@]+@[^\s@]+$")
    to: tuple[str, ...] = Field((), description="who is told of alerts; the digest goes to the use case's owner")
    user: str = ""
    password_variable: str = Field("", description="environment variable that holds the user's password")
    encrypted: bool = Field(True, description="by STARTTLS; false for a server on this machine only")


class AlertSettings(BaseModel):
    """Where alerts of the graph go; nothing is sent where nothing is named."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    webhook_variable: str = Field("", description="environment variable that holds the address alerts are posted to")
    slack_variable: str = Field("", description="environment variable that holds the incoming webhook of a channel")
    mail: MailSettings | None = Field(None, description="the mail server; none: no mail is sent")
    budget_share: float = Field(0.8, gt=0, le=1, description="of `budget_per_day`, from which on it is nearly spent")


class Notifier:
    """Sends alerts and mails; each receiver by itself, and a failure of one is the others' no matter."""

    def __init__(self, settings: AlertSettings) -> None:
        self._settings = settings

    @property
    def sender(self) -> str:
        """Whom mails are from."""
        return self._settings.mail.sender if self._settings.mail else "llmops@localhost"

    def notify(self, alert: Alert) -> dict[str, str]:
        """Receiver to `sent`, or to why it was not; empty where nobody is named."""
        named, ways = self._settings, dict[str, Callable[[], None]]()
        if named.webhook_variable:
            ways["webhook"] = lambda: _post(named.webhook_variable, alerting.webhook(alert))
        if named.slack_variable:
            ways["slack"] = lambda: _post(named.slack_variable, alerting.slack(alert))
        if named.mail and named.mail.to:
            ways["mail"] = lambda: self._send(alerting.mail(alert, self.sender, named.mail.to if named.mail else ()))
        return {name: _told(name, send) for name, send in ways.items()}

    def mail(self, message: EmailMessage) -> str:
        """`sent`, why it was not, or that no mail server is named."""
        return _told("mail", lambda: self._send(message)) if self._settings.mail else "no mail server is named"

    def _send(self, message: EmailMessage) -> None:
        mail = self._settings.mail
        assert mail is not None
        with smtplib.SMTP(mail.host, mail.port, timeout=SECONDS) as server:
            if mail.encrypted:
                server.starttls(context=ssl.create_default_context())
            if mail.user:
                server.login(mail.user, _secret(mail.password_variable))
            server.send_message(message)


def _told(name: str, send: Callable[[], None]) -> str:
    try:
        send()
    # A receiver that is down, slow or wrong must not stop the graph. Messages of errors may quote addresses, which are
    # secrets here, so only their kind is told.
    except (OSError, smtplib.SMTPException, ValueError) as error:
        reason = f"HTTP {error.code}" if isinstance(error, urllib.error.HTTPError) else type(error).__name__
        if isinstance(error, MissingSecretError):
            reason = str(error)
        LOGGER.warning("%s was not told: %s", name, reason)
        return f"not sent: {reason}"
    return "sent"


class MissingSecretError(ValueError):
    """An environment variable that the settings name is not set."""


def _secret(variable: str) -> str:
    value = dg.EnvVar(variable).get_value() if variable else ""
    if not value:
        raise MissingSecretError(f"{variable or 'password_variable'} is not set")
    return value


def _post(variable: str, body: dict[str, Any]) -> None:
    headers = {"content-type": "application/json"}
    url = _secret(variable)
    if not url.startswith(("http://", "https://")):
        raise MissingSecretError(f"{variable} is no http address")
    request = urllib.request.Request(url, json.dumps(body).encode(), headers, method="POST")
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:
        answer.read()
