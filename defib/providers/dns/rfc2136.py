"""Name servers that take dynamic updates (RFC 2136), signed with TSIG (RFC 8945): BIND, Knot, PowerDNS and others."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.tsig
import dns.update
from dns.rdtypes.ANY.SOA import SOA

from defib.clock import Deadline
from defib.errors import Denied, NotFound, Unavailable
from defib.ports import Receipt, RecordChange, RecordKey, RecordSet
from defib.providers.dns.exchange import NameServer, exchange
from defib.providers.dns.records import canonical, canonical_key, check, compare
from defib.providers.dns.update import update_message
from defib.sites.vendors import Server

_SERIALS = 1 << 32
_LATEST = "latest"


class Rfc2136:
    """Fulfils :class:`defib.ports.DnsZone` with one UPDATE message a batch, over TCP, sent to the primary.

    Compare-and-set is done by the server: the message demands each `before` exactly, or its absence, and is carried out
    as a whole or not at all. RFC 2136 (section 2.4.2) does not let it demand a TTL, so `replace` first reads and
    compares TTLs as well: a TTL, and nothing else, that somebody changes between that read and the update is
    overwritten.

    Reads ask the primary, signed, so that a wrong key shows before it is needed. A name that only a wildcard answers
    reads as present, and writing to it is refused by the server. Vendor attributes do not exist here and are refused.
    """

    def __init__(self, zone: str, primary: Server, key: dns.tsig.Key, servers: Sequence[Server] = ()) -> None:
        self._zone = zone
        self._origin = dns.name.from_text(zone)
        self._primary = NameServer(primary, key)
        self._servers = [NameServer(server, None) for server in servers]

    @property
    def vendor(self) -> str:
        """``rfc2136``."""
        return "rfc2136"

    @property
    def zone(self) -> str:
        """The zone's name."""
        return self._zone

    def read(self, keys: Sequence[RecordKey], *, within: Deadline) -> tuple[RecordSet | None, ...]:
        """The record sets of `keys` as the primary answers now."""
        return tuple(self._ask(self._primary, canonical_key(key), within) for key in keys)

    def replace(self, changes: Sequence[RecordChange], *, within: Deadline) -> Receipt:
        """Make all `changes` or none by one message; the receipt holds the zone's serial after it."""
        check(changes, self._where)
        if not changes:
            return Receipt("")
        message = update_message(self._origin, changes, self._where)
        compare(changes, self.read([change.key for change in changes], within=within), self._where)
        exchange(self._primary, message, within, f"UPDATE of {self._zone}")
        return Receipt(self._serial_made(within)) if self._servers else Receipt("")

    def settled(self, receipt: Receipt, *, within: Deadline) -> bool:
        """Whether every server of the site file has reached the serial of the change; at once where none is given.

        A server that is behind makes it False; :class:`Unavailable` where the others have it and one does not answer.
        """
        if not receipt.id or not self._servers:
            return True
        wanted = self._serial(self._primary, within) if receipt.id == _LATEST else int(receipt.id)
        with ThreadPoolExecutor(len(self._servers)) as pool:
            asked = [pool.submit(self._serial, server, within) for server in self._servers]
        failures = [error for outcome in asked if (error := outcome.exception()) is not None]
        reached = [_reached(outcome.result(), wanted) for outcome in asked if outcome.exception() is None]
        if not all(reached):
            return False
        if failures:
            raise failures[0]
        return True

    @property
    def _where(self) -> str:
        return f"zone {self._zone} at {self._primary}"

    def _ask(self, server: NameServer, key: RecordKey, within: Deadline) -> RecordSet | None:
        name = dns.name.from_text(key.name)
        if not name.is_subdomain(self._origin):
            raise NotFound(f"{key.name} is not in the zone {self._zone}", where=self._where)
        question = dns.message.make_query(name, key.type, flags=0)
        try:
            answer = exchange(server, question, within, f"reading {key}")
        except Denied as refusal:
            raise self._why_refused(refusal, within) from refusal
        if not answer.flags & dns.flags.AA:
            raise NotFound(
                f"{server} is not the authority for {key.name}",
                where=self._where,
                expected=f"a server of the zone {self._zone}",
                then="check dns.zone and dns.primary in the site file",
            )
        kind = dns.rdatatype.from_text(key.type)
        found = answer.get_rrset(answer.answer, name, dns.rdataclass.IN, kind)
        if found is None:
            return None
        return canonical(RecordSet(key, timedelta(seconds=found.ttl), tuple(rdata.to_text() for rdata in found)))

    def _why_refused(self, refusal: Denied, within: Deadline) -> Denied | NotFound:
        """Tell a server that does not know the zone, as most say REFUSED to a question about it, from one that denies.

        An UPDATE without any change is answered NOTAUTH where the zone is not served (RFC 2136, section 3.1.2).
        """
        probe = dns.update.UpdateMessage(self._origin)
        try:
            exchange(self._primary, probe, within, f"looking for the zone {self._zone}")
        except NotFound as error:
            return error
        except (Denied, Unavailable):
            return refusal  # the first answer says more
        return refusal

    def _serial(self, server: NameServer, within: Deadline) -> int:
        question = dns.message.make_query(self._origin, dns.rdatatype.SOA, flags=0)
        answer = exchange(server, question, within, f"reading the serial of {self._zone}")
        soa = answer.get_rrset(answer.answer, self._origin, dns.rdataclass.IN, dns.rdatatype.SOA)
        if soa is None or not isinstance(soa[0], SOA):
            raise NotFound(f"{server} does not serve the zone {self._zone}", where=str(server))
        return soa[0].serial

    def _serial_made(self, within: Deadline) -> str:
        try:
            return str(self._serial(self._primary, within))
        except Unavailable:
            return _LATEST  # the update is made and must not look as if it had failed: `settled` asks again


def _reached(serial: int, wanted: int) -> bool:
    """Whether `serial` is `wanted` or later, in the arithmetic of RFC 1982."""
    return (serial - wanted) % _SERIALS < _SERIALS // 2
