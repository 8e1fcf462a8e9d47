"""``kill-switch``: keep everything automatic from starting."""

from __future__ import annotations

from defib.cli.desk import desk
from defib.cli.say import say, say_json
from defib.clock import SystemClock
from defib.errors import InputError
from defib.home import Home
from defib.lease import operator
from defib.observe.killswitch import KillSwitch, clear_kill_switch, kill_switch, set_kill_switch, switch_path
from defib.redact import Redactor
from defib.sites.site import load_site


def on(site: str, why: str, *, as_json: bool) -> int:
    """Set the switch of one site, or of all."""
    clock = SystemClock()
    found = set_kill_switch(Home.open().path, who=operator(), why=why, at=clock.now(), site=_name_of(site))
    return _tell(found, as_json=as_json)


def off(site: str, why: str, *, as_json: bool) -> int:
    """Clear the switch of one site, or of all; says what still holds the site back."""
    home, site = Home.open().path, _name_or_left_over(site)
    clear_kill_switch(home, who=operator(), why=why, at=SystemClock().now(), site=site)
    return _tell(kill_switch(home, site), as_json=as_json)


def status(site: str, *, as_json: bool) -> int:
    """Say whether anything automatic may start."""
    return _tell(kill_switch(Home.open().path, _name_or_left_over(site)), as_json=as_json)


def _name_of(site: str) -> str:
    """The name under which `site`, the name of a site file or a path to one, is held back; a slip would hold nothing."""
    return load_site(desk(SystemClock(), Redactor()).site_path(site)).site if site else ""


def _name_or_left_over(site: str) -> str:
    """The same; a switch may also have outlived its site file."""
    try:
        return _name_of(site)
    except InputError:
        if _is_set(site):
            return site
        raise


def _is_set(site: str) -> bool:
    try:
        return switch_path(Home.open().path, site).exists()
    except InputError:
        return False


def _tell(found: KillSwitch | None, *, as_json: bool) -> int:
    if as_json:
        facts = {"since": found.since.isoformat(), "who": found.who, "why": found.why} if found else {}
        say_json({"on": found is not None, **facts})
    else:
        say(str(found) if found else "The kill switch is off: runbooks that are automatic may start.")
    return 0
