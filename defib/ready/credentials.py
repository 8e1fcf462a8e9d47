"""Credentials: whether they are taken, may edit and not only read, and for how long."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial

from defib.clock import Deadline
from defib.errors import Unavailable
from defib.ready.access import Access, Grant
from defib.ready.check import Check, Question, State, lasting, worst
from defib.ready.scene import Scene

NAME = "credentials"

_THEN = {
    State.FAIL: "make credentials that may edit and last, and put them where the site file says",
    State.WARN: "renew them before they end",
}
_AGAIN_AFTER = timedelta(milliseconds=500)


def questions(scene: Scene) -> Iterator[Question]:
    """One for each thing that a recovery may change."""
    for access in scene.accesses:
        yield Question(NAME, access.about, partial(_granted, access, scene))


def _granted(access: Access, scene: Scene, within: Deadline) -> tuple[Check, ...]:
    """Asked twice where the first time brought no answer: a vendor's hiccup is no finding."""
    try:
        grant = access.granted(within=within)
    except Unavailable as error:
        wait = error.retry_after or _AGAIN_AFTER
        if wait >= within.remaining():
            raise
        scene.clock.sleep(wait)
        grant = access.granted(within=within)
    return (judge(access.about, grant, scene.clock.now()),)


def judge(about: str, grant: Grant, now: datetime) -> Check:
    """What a grant means for a recovery."""
    states = {True: State.OK, False: State.FAIL, None: State.UNKNOWN}
    words = {True: "may edit", False: "may not edit", None: "it cannot be told whether they may edit"}
    state, parts = states[grant.may_edit], [words[grant.may_edit] + (f": {grant.why}" if grant.why else "")]
    if grant.until is not None:
        ends, told = lasting(grant.until, now)
        state, parts = worst((state, ends)), [*parts, told]
    who = f" ({grant.who})" if grant.who else ""
    return Check(NAME, about, state, "; ".join(parts) + who, _THEN.get(state, ""))
