"""What an automation of Prefect's sends when it has something to say to people: the body of its ``call-webhook``."""

from __future__ import annotations

from dataclasses import dataclass

from defib.alerts.alert import AlertKind, Severity
from defib.providers.alarm.payload import Payload, read_json

_LONGEST_TITLE = 200
_LONGEST_TEXT = 2000


@dataclass(frozen=True)
class Message:
    """Words for the people of a site, or of all sites where `site` is ""; `subject` is the same for the same news."""

    site: str
    kind: AlertKind
    subject: str
    title: str
    text: str
    severity: Severity


class _Sent(Payload):
    subject: str
    title: str
    text: str = ""
    site: str = ""
    kind: AlertKind = AlertKind.FAILED
    severity: Severity = Severity.FAILURE


def read_message(body: bytes) -> Message:
    """The message; :class:`InputError` for anything else."""
    sent = read_json(_Sent, body, "an automation")
    return Message(
        sent.site,
        sent.kind,
        sent.subject[:_LONGEST_TITLE],
        sent.title[:_LONGEST_TITLE],
        sent.text[:_LONGEST_TEXT],
        sent.severity,
    )
