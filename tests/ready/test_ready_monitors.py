"""Whether a monitor would be of use in an outage: the right page, a check that is young enough, and often enough."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from defib.clock import SimulatedClock
from defib.home import Home
from defib.monitor import Sighting
from defib.ports import Health
from defib.ready.check import State
from defib.ready.monitors import judge
from defib.ready.scene import Here
from defib.sites.site import load_site
from tests.stage import RUNBOOKS

SITE = RUNBOOKS / "sites" / "pulse-trading.yaml"
PAGE = "https://www.pulse-trading.com/"
CLOCK = SimulatedClock()
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("watches", "interval", "age", "state", "text"),
    [
        (PAGE, MINUTE, 30, State.OK, "checks the page every 60 s; up"),
        (PAGE, 5 * MINUTE, 30, State.WARN, "checks the page every 300 s; up, and is believed for 120 s: for the rest"),
        (PAGE, 60 * MINUTE, 30, State.WARN, "checks the page every 3600 s; up; too seldom for an RTO of 14400 s"),
        (PAGE, MINUTE, -60, State.UNKNOWN, "its vendor's clock is ahead of ours"),
        ("https://pulse-trading.com/", MINUTE, 30, State.FAIL, "it looks at https://pulse-trading.com/, and not at"),
        ("http://www.pulse-trading.com/", MINUTE, 30, State.FAIL, "it looks at http://www.pulse-trading.com/, and not at"),
        (PAGE, MINUTE, None, State.WARN, "its word does not count: the check is paused"),
    ],
)
def test_a_monitor(tmp_path: Path, watches: str, interval: timedelta, age: float | None, state: State, text: str) -> None:
    """The guide's five minutes are a warning; another page is a failure; what cannot be told is no success."""
    here = Here(load_site(SITE), SITE, Home.open(tmp_path), RUNBOOKS, CLOCK, lambda _: "")
    seen = None if age is None else CLOCK.now() - timedelta(seconds=age)
    health, reason = (Health.UNKNOWN, "the check is paused") if seen is None else (Health.GOOD, "")
    found = judge(here, here.site.monitors[0], Sighting(health, seen, watches, interval, reason))
    assert (state, True) == (found.state, found.text.startswith(text))
