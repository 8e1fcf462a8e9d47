"""``kill-switch``: keep everything automatic from starting."""

from __future__ import annotations

from defib.cli.say import say, say_json
from defib.clock import SystemClock
from defib.home import Home
from defib.lease import operator
from defib.observe.killswitch import KillSwitch, clear_kill_switch, kill_switch, set_kill_switch


def on(site: str, why: str, *, as_json: bool) -> int:
    """Set the switch of one site, or of all."""
    found = set_kill_switch(Home.open().path, who=operator(), why=why, at=SystemClock().now(), site=site)
    return _tell(found, as_json=as_json)


def off(site: str, why: str, *, as_json: bool) -> int:
    """Clear the switch of one site, or of all; says what still holds the site back."""
    home = Home.open().path
    clear_kill_switch(home, who=operator(), why=why, at=SystemClock().now(), site=site)
    return _tell(kill_switch(home, site), as_json=as_json)


def status(site: str, *, as_json: bool) -> int:
    """Say whether anything automatic may start."""
    return _tell(kill_switch(Home.open().path, site), as_json=as_json)


def _tell(found: KillSwitch | None, *, as_json: bool) -> int:
    if as_json:
        facts = {"since": found.since.isoformat(), "who": found.who, "why": found.why} if found else {}
        say_json({"on": found is not None, **facts})
    else:
        say(str(found) if found else "The kill switch is off: runbooks that are automatic may start.")
    return 0
