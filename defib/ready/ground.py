"""What a standby on AWS is made of: whether it is there, and as it must be, before it is needed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial

from defib.clock import Deadline
from defib.errors import InputError
from defib.ports import RecordChange, RecordSet
from defib.ready.check import Check, Question, State
from defib.ready.scene import Scene
from defib.redeploy.groundwork import LOGGING, WEB_ACL, WORDS, Audit

STANDBY = "standby"

_BESIDE = {WEB_ACL, LOGGING}
"""What users are served without."""


def questions(scene: Scene) -> Iterator[Question]:
    """One for each standby."""
    for host, audit in scene.audits.items():
        yield Question(STANDBY, host, partial(_audited, scene, host, audit))


def _audited(scene: Scene, host: str, audit: Audit, within: Deadline) -> Iterator[Check]:
    """What is missing would keep a recovery from serving; what differs would let it serve otherwise than it should."""
    try:
        changes = audit.audit(within=within)
        elsewhere = audit.misplaced(within=within)
    except InputError as error:
        yield Check(STANDBY, host, State.FAIL, f"{error.what}: {error.seen}", error.then)
        return
    if elsewhere:
        then = f"put distribution: {elsewhere} into the site file"
        yield Check(
            STANDBY, host, State.FAIL, f"the site file names a distribution that is not there, not {elsewhere}", then
        )
    for change in changes:
        state = State.FAIL if change.before is None and change.key.type not in _BESIDE else State.WARN
        then = f"defib export terraform --site {scene.site.site} shows how it must be"
        yield Check(STANDBY, f"{change.key.type} of {host}", state, _told(change), then)
    if not changes and not elsewhere:
        yield Check(STANDBY, host, State.OK, "all that it is made of is as it must be")


def _told(change: RecordChange) -> str:
    """In what it differs, without what is as it must be."""
    what = WORDS[change.key.type]
    if change.before is None:
        return f"there is no {what}"
    stands, must = _facts(change.before), _facts(change.after)
    wrong = [
        f"{name} is {_short(stands.get(name))}, must be {_short(value)}"
        for name, value in must.items()
        if stands.get(name) != value
    ]
    return f"the {what}: {'; '.join(wrong)}"


def _facts(record: RecordSet | None) -> dict[str, object]:
    facts = json.loads(record.values[0]) if record is not None else {}
    return facts if isinstance(facts, dict) else {}


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


_LONGEST = 120
