"""What one page of Route 53's list of record sets tells, and what it leaves open.

The list is in the order of names read from the right, "in ASCII order … labels reversed", and within a name of types
(https://docs.aws.amazon.com/Route53/latest/APIReference/API_ListResourceRecordSets.html). How characters below the dot
("!" to "-") and escaped ones ("*") fall into that order is easily got wrong, so a name that a page does not list is taken
for absent only where it lies inside the page by every reading of that order; anything else is asked for by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from defib.ports import RecordKey
from defib.providers.dns.route53_format import from_route53

if TYPE_CHECKING:
    from mypy_boto3_route53.type_defs import ResourceRecordSetOutputTypeDef

_PLAIN = re.compile(r"[a-z0-9.-]+")
"""Names whose place in the order is sure, but for the hyphen, which sorts before the dot."""


def in_order(key: RecordKey) -> tuple[str, str, str]:
    """Sorts keys as Route 53 documents its list."""
    return _readings(key.name)[0] + ".", key.type, key.set_identifier


@dataclass(frozen=True)
class Page:
    """The record sets from the first one of the name `start` on. `following` is the next name, "" at the end of the zone."""

    start: str
    sets: tuple[ResourceRecordSetOutputTypeDef, ...]
    following: str

    def answered(self, keys: Iterable[RecordKey]) -> dict[RecordKey, ResourceRecordSetOutputTypeDef | None]:
        """Those of `keys` that this page decides about: with their record set, or with None where there surely is none."""
        held = {from_route53(each).key: each for each in self.sets}
        names = {key.name for key in held}
        return {key: held.get(key) for key in keys if key in held or self._lists_all_of(key.name, names)}

    def _lists_all_of(self, name: str, names: set[str]) -> bool:
        """Whether every record set of `name` that exists is on this page."""
        if name in names or name == self.start:
            return name != self.following
        after = any(_surely_before(each, name) for each in (self.start, *names))
        before = not self.following or any(_surely_before(name, each) for each in (*names, self.following))
        return after and before


def _surely_before(one: str, other: str) -> bool:
    if not (_PLAIN.fullmatch(one) and _PLAIN.fullmatch(other)):
        return False
    return all(left < right for left, right in zip(_readings(one), _readings(other), strict=True))


def _readings(name: str) -> tuple[str, str, str]:
    """The ways in which "labels reversed" can be read: without the trailing dot, with it, and label by label."""
    reversed_name = ".".join(reversed(name.removesuffix(".").split(".")))
    return reversed_name, f"{reversed_name}.", reversed_name.replace(".", "\0")
