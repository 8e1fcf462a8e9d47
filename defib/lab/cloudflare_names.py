"""What Cloudflare's name servers answer for a zone in full set-up: not always what its records say.

A name with a proxied record has the edge's address for 300 s. A CNAME at the apex, or one that is to be flattened, has the
addresses of its target under the smaller TTL of both, and no answer where the target has none
(https://developers.cloudflare.com/dns/cname-flattening/cname-flattening-diagram/).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from itertools import groupby

from defib.lab.cloudflare_records import PROXIABLE, TTL_AUTOMATIC, DnsRecord
from defib.lab.cloudflare_state import CloudflareZone
from defib.lab.dns.zone import PublishedSet, PublishedZone

AUTOMATIC = timedelta(seconds=300)
_LONGEST_CHAIN = 8


def published(
    zone: CloudflareZone, *, edge: str, hosts: Mapping[str, str], hosts_ttl: timedelta, serial: int
) -> PublishedZone:
    """The zone as its servers answer it; `hosts` are the addresses of other people's names."""
    answering = _Answering(zone, edge, hosts, hosts_ttl)
    names = sorted({record.name for record in zone.records})
    sets = tuple(each for name in names for each in answering.at(name, name, 0))
    return PublishedZone.with_apex(f"{zone.name}.", sets, server=f"{zone.servers[0]}.", serial=serial)


class _Answering:
    """Answers for the names of one zone."""

    def __init__(self, zone: CloudflareZone, edge: str, hosts: Mapping[str, str], hosts_ttl: timedelta) -> None:
        self._zone = zone
        self._edge = edge
        self._hosts = hosts
        self._hosts_ttl = hosts_ttl

    def at(self, name: str, owner: str, depth: int) -> list[PublishedSet]:
        """The sets that stand at `name`, under the name of `owner`."""
        here = [record for record in self._zone.records if record.name == name]
        addressing = [record for record in here if record.type in PROXIABLE]
        rest = [record for record in here if record.type not in PROXIABLE]
        alias = next((record for record in addressing if record.type == "CNAME"), None)
        # "If at least one of them is proxied, Cloudflare will treat all A/AAAA records on this name as being proxied":
        # https://developers.cloudflare.com/dns/proxy-status/
        if not self._zone.paused and any(record.proxied for record in addressing):
            return [PublishedSet(f"{owner}.", "A", AUTOMATIC, (self._edge,)), *_sets(rest, owner)]
        if alias is None:
            return _sets(here, owner)
        if name == self._zone.name or "flatten_cname" in alias.settings:
            return [*self._flattened(alias, owner, depth), *_sets(rest, owner)]
        return _sets([alias], owner)

    def _flattened(self, alias: DnsRecord, owner: str, depth: int) -> list[PublishedSet]:
        if depth == _LONGEST_CHAIN:
            return []
        ttl, target = _ttl(alias), alias.content
        if target in self._hosts:
            return [PublishedSet(f"{owner}.", "A", min(ttl, self._hosts_ttl), (self._hosts[target],))]
        found: list[PublishedSet] = []
        for each in self.at(target, owner, depth + 1):
            if each.type == "CNAME":
                address = self._hosts.get(each.values[0].rstrip("."))
                if address is not None:
                    found.append(PublishedSet(f"{owner}.", "A", min(ttl, each.ttl, self._hosts_ttl), (address,)))
            elif each.type in ("A", "AAAA"):
                found.append(PublishedSet(f"{owner}.", each.type, min(ttl, each.ttl), each.values))
        return found


def _sets(records: list[DnsRecord], owner: str) -> list[PublishedSet]:
    ordered = sorted(records, key=lambda record: record.type)
    made = []
    for kind, group in groupby(ordered, key=lambda record: record.type):
        together = list(group)
        values = tuple(record.presentation for record in together)
        made.append(PublishedSet(f"{owner}.", kind, min(map(_ttl, together)), values))
    return made


def _ttl(record: DnsRecord) -> timedelta:
    return AUTOMATIC if record.ttl == TTL_AUTOMATIC else timedelta(seconds=record.ttl)
