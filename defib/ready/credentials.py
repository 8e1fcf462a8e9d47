"""Credentials: whether they are taken, may edit and not only read, and for how long."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial

from defib.clock import Deadline
from defib.ready.access import Access, Grant
from defib.ready.check import Check, Question, State, lasting, worst
from defib.ready.scene import Scene

NAME = "credentials"


def questions(scene: Scene) -> Iterator[Question]:
    """One for each thing that a recovery may change."""
    for access in scene.accesses:
        yield Question(NAME, access.about, partial(_granted, access, scene))


def _granted(access: Access, scene: Scene, within: Deadline) -> tuple[Check, ...]:
    return (judge(access.about, access.granted(within=within), scene.clock.now()),)


def judge(about: str, grant: Grant, now: datetime) -> Check:
    """What a grant means for a recovery."""
    states = {True: State.OK, False: State.FAIL, None: State.UNKNOWN}
    words = {True: "may edit", False: "may not edit", None: "it cannot be told whether they may edit"}
    state, parts = states[grant.may_edit], [words[grant.may_edit] + (f": {grant.why}" if grant.why else "")]
    if grant.until is not None:
        ends, told = lasting(grant.until, now)
        state, parts = worst((state, ends)), [*parts, told]
    who = f" ({grant.who})" if grant.who else ""
    then = "" if state is State.OK else "give the site file credentials that may edit, and last" if grant.why == "" else ""
    if state is State.FAIL:
        then = "make credentials that may edit and last, and put them where the site file says"
    return Check(NAME, about, state, "; ".join(parts) + who, then)
