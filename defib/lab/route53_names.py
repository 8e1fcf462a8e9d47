"""What Route 53's name servers answer for a hosted zone: aliases flattened, and only what its health checks leave.

https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/health-checks-how-route-53-chooses-records.html
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta

from defib.lab.dns.zone import PublishedSet, PublishedZone
from defib.ports import RecordSet

_LONGEST_CHAIN = 8


def published(
    zone: str,
    sets: Sequence[RecordSet],
    *,
    hosts: Mapping[str, str],
    hosts_ttl: timedelta,
    unhealthy: Collection[str],
) -> PublishedZone:
    """The zone as its servers answer it; `hosts` are other people's names, `unhealthy` the ids of failing health checks."""
    return PublishedZone(zone, _Answering(sets, hosts, hosts_ttl, unhealthy).all())


class _Answering:
    """Answers for the names of one hosted zone."""

    def __init__(
        self, sets: Sequence[RecordSet], hosts: Mapping[str, str], hosts_ttl: timedelta, unhealthy: Collection[str]
    ) -> None:
        self._groups: dict[tuple[str, str], list[RecordSet]] = defaultdict(list)
        for each in sets:
            self._groups[each.key.name, each.key.type].append(each)
        self._hosts = hosts
        self._hosts_ttl = hosts_ttl
        self._unhealthy = unhealthy

    def all(self) -> tuple[PublishedSet, ...]:
        """Every set of the zone."""
        return tuple(each for name, kind in self._groups for each in self._at(name, name, kind, 0))

    def _at(self, name: str, owner: str, kind: str, depth: int) -> list[PublishedSet]:
        """The sets of `name` and `kind` that may be answered, under the name of `owner`."""
        made = []
        for each in self._chosen(self._groups.get((name, kind), []), depth):
            weight = _attribute(each, "Weight")
            for ttl, values in self._values(each, depth):
                made.append(PublishedSet(owner, kind, ttl, values, int(weight) if weight else None))
        if len(made) > 1 and any(each.weight is None for each in made):
            # Multivalue answers, and weighted sets behind an alias that is not weighted itself.
            values = tuple(dict.fromkeys(value for each in made for value in each.values))
            made = [PublishedSet(owner, kind, min(each.ttl for each in made), values)]
        return made

    def _chosen(self, group: Sequence[RecordSet], depth: int) -> Sequence[RecordSet]:
        healthy = [each for each in group if self._healthy(each, depth)]
        if any(_attribute(each, "Failover") for each in group):
            primary = [each for each in group if _attribute(each, "Failover") == "PRIMARY"]
            return [each for each in primary if each in healthy] or healthy or primary
        # A set of weight zero is drawn only where no other is left, and where none is healthy all of them count.
        return healthy or group

    def _healthy(self, each: RecordSet, depth: int) -> bool:
        if _attribute(each, "HealthCheckId") in self._unhealthy:
            return False
        if _attribute(each, "AliasTarget.EvaluateTargetHealth") != "true" or depth == _LONGEST_CHAIN:
            return True
        targets = self._groups.get((_target(each), each.key.type), [])
        return not targets or any(self._healthy(target, depth + 1) for target in targets)

    def _values(self, each: RecordSet, depth: int) -> list[tuple[timedelta, tuple[str, ...]]]:
        """TTL and values of one set; an alias has those of its target, and none where the target has none."""
        target = _target(each)
        if not target:
            return [(each.ttl, each.values)]
        if (target, each.key.type) in self._groups and depth < _LONGEST_CHAIN:
            found = self._at(target, each.key.name, each.key.type, depth + 1)
            return [(one.ttl, one.values) for one in found]
        address = self._hosts.get(target.rstrip("."))
        return [(self._hosts_ttl, (address,))] if address is not None and each.key.type == "A" else []


def _attribute(each: RecordSet, name: str) -> str:
    return dict(each.attributes).get(name, "")


def _target(each: RecordSet) -> str:
    alias = _attribute(each, "AliasTarget.DNSName")
    return alias.lower().rstrip(".") + "." if alias else ""
