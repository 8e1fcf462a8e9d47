"""Buckets and their replicas: whether the configuration keeps a copy that a recovery can rely on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from defib.clock import Deadline
from defib.ready.check import Check, Question, State
from defib.ready.scene import Scene
from defib.replication.audit import audit
from defib.replication.evidence import Sides, gather
from defib.sites.replication import Replicated

NAME = "replication"


def questions(scene: Scene) -> Iterator[Question]:
    """One for each pair of buckets."""
    for pair in scene.site.replication:
        if pair.name in scene.replicas:
            yield Question(NAME, pair.name, partial(_audited, scene, pair, scene.replicas[pair.name]))


def _audited(scene: Scene, pair: Replicated, sides: Sides, within: Deadline) -> Iterator[Check]:
    """Whatever is not well, each by its name; where all is well, that."""
    checks = audit(gather(pair, scene.site.objectives.objectives(), sides, within))
    wrong = [check for check in checks if check.state is not State.OK]
    for check in wrong:
        yield replace(check, name=NAME, about=f"{check.about}, {check.name}")
    if not wrong:
        yield Check(NAME, pair.name, State.OK, f"all {len(checks)} points of its configuration are as they must be")
