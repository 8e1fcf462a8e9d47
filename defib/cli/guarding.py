"""``sentinel``: one look at all runs that have not ended; people are told, once, of those that died or hang."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from pydantic import AwareDatetime, TypeAdapter, ValidationError

from defib.alerts.alert import Alert
from defib.alerts.herald import Outlets, outlets_of
from defib.alerts.sentinel import Finding, State, look, site_of
from defib.alerts.telling import tell
from defib.cli.desk import desk
from defib.cli.say import say, say_json, table
from defib.clock import Clock, SystemClock
from defib.errors import HomeUnwritable
from defib.home import Home
from defib.redact import Redactor

CONFIRMED_AFTER = timedelta(seconds=20)
"""A run that lives is told of when it is found so twice: a machine that stood still finds everything late, once."""

_WRITE = timedelta(days=30)


@dataclass(frozen=True)
class Memory:
    """What earlier looks found: since when, and which channels were told."""

    since: dict[str, AwareDatetime] = field(default_factory=dict)
    told: dict[str, list[str]] = field(default_factory=dict)


_ADAPTER = TypeAdapter(Memory)


def sentinel(redact: Redactor, *, as_json: bool) -> int:
    """Look once; exit code 0 where nothing is wrong, 1 where something is."""
    clock = SystemClock()
    home = desk(clock, redact).home
    findings = guard(home, clock, redact, say if not as_json else lambda _: None)
    if as_json:
        rows = [
            {"run_id": each.run_id, "state": each.state, "why": redact(each.why), "next": each.then} for each in findings
        ]
        say_json({"runs": rows})
    elif findings:
        say(table(["run", "state", "next"], [[each.run_id, each.state, each.then] for each in findings]))
    else:
        say("Every run that began in the last days has ended.")
    return 1 if any(each.state.is_news for each in findings) else 0


def guard(
    home: Home,
    clock: Clock,
    redact: Redactor,
    speak: Callable[[str], object],
    whom: Callable[[Finding], Outlets] | None = None,
) -> Sequence[Finding]:
    """One look, and its news to `whom`, else to the people of each site; those who were told before are not told again."""
    findings = look(home, clock.now())
    outlets = whom or partial(_people, home, redact)
    with _remembered(home.path / "sentinel.json") as memory:
        now = clock.now()
        news = [each for each in findings if each.state.is_news]
        memory.since.update({each.key: now for each in news if each.key not in memory.since})
        _forget(memory, {each.key for each in news}, now)
        for each in news:
            if each.state in {State.DEAD, State.UNREADABLE} or now - memory.since[each.key] >= CONFIRMED_AFTER:
                told = memory.told.setdefault(each.key, [])
                if not told:
                    speak(redact(f"{each.alert().title}: {each.why} Next: {each.then}"))
                    told.append("")  # said here, where nobody else has to be told
                _announce(outlets(each), each.alert(), clock, told, lambda text: speak(redact(text)))
    return findings


def _people(home: Home, redact: Redactor, finding: Finding) -> Outlets:
    site = site_of(home, finding)
    return outlets_of(site, home, redact) if site is not None else Outlets()


def _announce(outlets: Outlets, alert: Alert, clock: Clock, told: list[str], speak: Callable[[str], object]) -> None:
    for each in tell(outlets, alert, clock, told):
        speak(f"{each.channel}: {each.outcome} {each.why}".rstrip())
        if each.outcome == "sent":
            told.append(each.channel)


def _forget(memory: Memory, present: set[str], now: datetime) -> None:
    """A run that was slow and goes on is news again when it hangs later; what died is remembered for as long as it may."""
    for key in [key for key, since in memory.since.items() if key not in present or now - since > _WRITE]:
        memory.since.pop(key)
        memory.told.pop(key, None)


@contextmanager
def _remembered(path: Path) -> Iterator[Memory]:
    """The memory of all sentinels of this home, one at a time. What nobody can read is forgotten, and told again."""
    try:
        with path.with_suffix(".lock").open("a", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            memory = _read(path)
            yield memory
            fresh = path.with_suffix(".new")
            fresh.write_text(json.dumps(_ADAPTER.dump_python(memory, mode="json")), encoding="utf-8")
            fresh.replace(path)
    except OSError as error:
        raise HomeUnwritable(f"cannot remember who was told: {error.strerror}", where=str(path)) from error


def _read(path: Path) -> Memory:
    try:
        return _ADAPTER.validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return Memory()
