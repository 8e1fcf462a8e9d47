"""What people are told of a run, and the two ports over which they are told.

Terminology:

*alert*
    One message to those who answer for the site, sent once over every channel that wants its kind.
*notice*
    What users of the site may read on its status page: one incident at a time, which is said anew as things change.

Adapters raise :class:`Unavailable`, :class:`Denied` and :class:`NotFound` only, and neither retry nor wait nor journal. No
message of theirs holds a token or the URL of a webhook.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from defib.clock import Deadline


class AlertKind(StrEnum):
    """Why people are told; channels choose by it."""

    START = "start"
    DECISION = "decision-needed"
    DONE = "done"
    FAILED = "failed"
    BURN = "burn"


class Severity(StrEnum):
    """How loud an alert is."""

    INFO = "info"
    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True)
class Alert:
    """One message about one run. `subject` is the same for the same news, so that nobody is told twice."""

    kind: AlertKind
    subject: str
    title: str
    text: str
    severity: Severity
    site: str
    run_id: str


class Stage(StrEnum):
    """How far an incident on a status page has come, in the words that status pages share."""

    INVESTIGATING = "investigating"
    IDENTIFIED = "identified"
    MONITORING = "monitoring"


@dataclass(frozen=True)
class Notice:
    """What a status page says while an incident is open."""

    stage: Stage
    title: str
    text: str


class Channel(Protocol):
    """One way to reach people: a chat, a mailbox, a phone."""

    @property
    def name(self) -> str:
        """The channel's name in the site file."""
        ...

    def send(self, alert: Alert, *, within: Deadline) -> None:
        """Hand `alert` over. Not idempotent: one that timed out may still arrive."""
        ...


class StatusPage(Protocol):
    """One public page about one site, with at most one incident of ours open on it."""

    @property
    def name(self) -> str:
        """The page's name in the site file."""
        ...

    def say(self, notice: Notice, *, within: Deadline) -> None:
        """Open our incident, or bring the one that is open up to date. Idempotent but for the time it shows."""
        ...

    def resolve(self, text: str, *, within: Deadline) -> None:
        """Close our incident with a last word. Does nothing where none is open."""
        ...
