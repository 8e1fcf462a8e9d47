"""Who else looks at a site, and how its users fare: the parts of a site file on monitors and signals, by ids alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from defib.sites.values import Duration, Part, SecretReference
from defib.yamlfile import Misplaced

Id = Annotated[int, Field(ge=1)]

LEAST_PAUSE = timedelta(seconds=12)
"""Between two questions: a free account at UptimeRobot may ask ten times a minute, and a word takes two questions.

https://uptimerobot.com/api/v3/, rate limits.
"""


class _Asked(Part):
    """`ask_every` is the pause between two questions to the vendor, whose limits it must keep."""

    name: str = Field(min_length=1)
    token: SecretReference
    ask_every: Duration = timedelta(seconds=30)


class _Monitor(_Asked):
    """What it saw is believed for `believed_for`, and is unknown after that."""

    believed_for: Duration = timedelta(minutes=2)


class UptimeRobotMonitor(_Monitor):
    """A monitor at UptimeRobot by its id."""

    provider: Literal["uptimerobot"]
    monitor: Id
    api: str = "https://api.uptimerobot.com/v3"


class PingdomCheck(_Monitor):
    """An uptime check at Pingdom by its id."""

    provider: Literal["pingdom"]
    check: Id
    api: str = "https://api.pingdom.com/api/3.1"


class SentrySessions(_Asked):
    """The sessions of one project at Sentry, by its number; `environment` leaves the others out.

    Users suffer where more than the share `errors_above` of the sessions of the last `window` met errors; fewer sessions
    than `at_least` tell nothing. It is told, and with `counts: true` it is also one voice among those of the observers.
    """

    provider: Literal["sentry"]
    organization: str = Field(pattern=r"^[A-Za-z0-9_-]+$")
    project: Id
    environment: str = ""
    errors_above: float = Field(gt=0, lt=1)
    window: Duration = timedelta(minutes=5)
    at_least: int = Field(default=20, ge=1)
    counts: bool = False
    ask_every: Duration = timedelta(minutes=1)
    api: str = "https://sentry.io/api/0"


MonitorOfSite = UptimeRobotMonitor | PingdomCheck

MonitorConfig = Annotated[MonitorOfSite, Field(discriminator="provider")]


def check_voices(
    observers: Sequence[str],
    monitors: Sequence[MonitorOfSite],
    signals: Sequence[SentrySessions],
    *,
    quorum: int,
    lab: bool,
) -> None:
    """Refuse what would let anybody's voice be mistaken for another's, decide alone, or be asked too often."""
    voices = set(observers)
    for kind, others in (("monitors", monitors), ("signals", signals)):
        for number, other in enumerate(others):
            if other.name in voices:
                raise Misplaced(f"the name {other.name!r} is also that of another voice", kind, number, "name")
            if other.ask_every < LEAST_PAUSE and not lab:
                least = f"at least {LEAST_PAUSE.total_seconds():g}s, or its vendor refuses to answer"
                raise Misplaced(least, kind, number, "ask_every")
            voices.add(other.name)
    for number, signal in enumerate(signals):
        if signal.counts and quorum == 1:
            raise Misplaced("with a quorum of 1 every voice decides alone", "signals", number, "counts")
