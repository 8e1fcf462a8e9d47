"""What an RFC 2136 update does to a zone, without any network: a pure function from zone and message to zone.

Section numbers in comments are those of RFC 2136.
"""

from __future__ import annotations

from datetime import timedelta

import dns.rdataset
import dns.rdatatype
import dns.rdtypes.ANY.SOA
import dns.serial
from dns.name import Name
from dns.rcode import Rcode
from dns.rdata import Rdata
from dns.rdataclass import ANY, NONE
from dns.rdataset import Rdataset
from dns.rdatatype import RdataType
from dns.rrset import RRset
from dns.update import UpdateMessage

from defib.lab.dns.zone import CompiledZone, PublishedSet, PublishedZone

Records = dict[Name, dict[RdataType, Rdataset]]

_LARGEST_SERIAL = 2**32 - 1


class UpdateFailed(Exception):
    """The update is refused with `rcode`, and nothing has changed."""

    def __init__(self, rcode: Rcode) -> None:
        super().__init__(rcode.name)
        self.rcode = rcode


def updated(zone: CompiledZone, message: UpdateMessage, *, refuse_conflicts: bool = True) -> PublishedZone | None:
    """The zone after `message`, or None if nothing in it would change; raises :class:`UpdateFailed`.

    A CNAME beside other types is refused with REFUSED, as PowerDNS does; with `refuse_conflicts` off it is
    passed over in silence with NOERROR, as RFC 2136 (3.4.2.2) has it and BIND does.
    """
    records = _records(zone)
    _require_all(zone.origin, records, message.prerequisite)
    for change in message.update:
        _check_form(zone.origin, change)
    for change in message.update:
        _apply(zone.origin, records, change, refuse_conflicts=refuse_conflicts)
    before = _records(zone)
    if _content(records) == _content(before):
        return None
    if records[zone.origin][RdataType.SOA] == before[zone.origin][RdataType.SOA]:
        _bump(records[zone.origin])
    return _published(zone.origin, records)


def _records(zone: CompiledZone) -> Records:
    return {name: {rdtype: choices[0].rdataset for rdtype, choices in node.items()} for name, node in zone.nodes.items()}


def _content(records: Records) -> frozenset[tuple[Name, RdataType, int, frozenset[Rdata]]]:
    """What two zones must share to be the same; dnspython's own comparison of sets leaves the TTL out."""
    return frozenset(
        (name, rdtype, rdataset.ttl, frozenset(rdataset))
        for name, node in records.items()
        for rdtype, rdataset in node.items()
    )


def _published(origin: Name, records: Records) -> PublishedZone:
    return PublishedZone(
        str(origin),
        tuple(
            PublishedSet(str(name), rdtype.name, timedelta(seconds=rdataset.ttl), _texts(rdataset))
            for name, node in records.items()
            for rdtype, rdataset in node.items()
        ),
    )


def _texts(rdataset: Rdataset) -> tuple[str, ...]:
    return tuple(rdata.to_text() for rdata in rdataset)


def _require_all(origin: Name, records: Records, prerequisites: list[RRset]) -> None:
    """The five forms of prerequisite (2.4); the values of one name and type count as one set (3.2.3)."""
    by_value: dict[tuple[Name, RdataType], set[Rdata]] = {}
    for each in prerequisites:
        _expect(each.ttl == 0, Rcode.FORMERR)
        _expect(each.name.is_subdomain(origin), Rcode.NOTZONE)
        # dnspython keeps the class ANY or NONE of such a record in `deleting`.
        if each.deleting is None:
            by_value.setdefault((each.name, each.rdtype), set()).update(each)
        else:
            _require(records.get(each.name, {}), each.rdtype, absent=each.deleting == NONE)
    for (name, rdtype), values in by_value.items():
        present = records.get(name, {}).get(rdtype)
        _expect(present is not None and set(present) == values, Rcode.NXRRSET)


def _require(node: dict[RdataType, Rdataset], rdtype: RdataType, *, absent: bool) -> None:
    if rdtype == RdataType.ANY:
        _expect(bool(node) != absent, Rcode.YXDOMAIN if absent else Rcode.NXDOMAIN)
    else:
        _expect((rdtype in node) != absent, Rcode.YXRRSET if absent else Rcode.NXRRSET)


def _expect(holds: bool, otherwise: Rcode) -> None:
    if not holds:
        raise UpdateFailed(otherwise)


def _check_form(origin: Name, change: RRset) -> None:
    """The prescan of 3.4.1: a later mistake must not leave an earlier change behind."""
    if not change.name.is_subdomain(origin):
        raise UpdateFailed(Rcode.NOTZONE)
    deletes_any = change.deleting == ANY and change.rdtype == RdataType.ANY
    if dns.rdatatype.is_metatype(change.rdtype) and not deletes_any:
        raise UpdateFailed(Rcode.FORMERR)
    if change.deleting is not None and change.ttl != 0:
        raise UpdateFailed(Rcode.FORMERR)


def _apply(origin: Name, records: Records, change: RRset, *, refuse_conflicts: bool) -> None:
    if change.deleting == ANY:
        _delete_sets(origin, records, change)
    elif change.deleting == NONE:
        _delete_record(origin, records, change)
    elif _conflicts(records.get(change.name, {}), change.rdtype):
        _expect(not refuse_conflicts, Rcode.REFUSED)
    elif change.rdtype != RdataType.SOA or _newer(origin, records, change):
        _add(records, change)
    _forget_empty(records, change.name)


def _conflicts(node: dict[RdataType, Rdataset], rdtype: RdataType) -> bool:
    if rdtype == RdataType.CNAME:
        return any(present != RdataType.CNAME for present in node)
    return RdataType.CNAME in node


def _newer(origin: Name, records: Records, change: RRset) -> bool:
    """Whether an SOA may replace the present one (3.4.2.2): at the apex, with a newer serial (RFC 1982)."""
    if change.name != origin:
        return False
    present = dns.serial.Serial(_soa(records[origin][RdataType.SOA]).serial)
    return bool(dns.serial.Serial(_soa(change).serial) > present)


def _add(records: Records, change: RRset) -> None:
    node = records.setdefault(change.name, {})
    kept = node.get(change.rdtype, ())
    # A new TTL holds for the whole set (RFC 2181, section 5.2). A set of a type that allows one value keeps
    # the last.
    node[change.rdtype] = dns.rdataset.from_rdata_list(change.ttl, [*kept, *change])


def _delete_sets(origin: Name, records: Records, change: RRset) -> None:
    """Delete one set or a whole name; SOA and NS of the apex stay (3.4.2.3)."""
    node = records.get(change.name, {})
    for rdtype in list(node):
        protected = change.name == origin and rdtype in (RdataType.SOA, RdataType.NS)
        if change.rdtype in (RdataType.ANY, rdtype) and not protected:
            del node[rdtype]


def _delete_record(origin: Name, records: Records, change: RRset) -> None:
    """Delete one value; the SOA and the last NS of the apex stay (3.4.2.4)."""
    node = records.get(change.name, {})
    present = node.get(change.rdtype)
    if present is None or change.rdtype == RdataType.SOA:
        return
    left: list[Rdata] = [rdata for rdata in present if rdata not in change]
    if left:
        node[change.rdtype] = dns.rdataset.from_rdata_list(present.ttl, left)
    elif not (change.name == origin and change.rdtype == RdataType.NS):
        del node[change.rdtype]


def _forget_empty(records: Records, name: Name) -> None:
    if not records.get(name, True):
        del records[name]


def _bump(apex: dict[RdataType, Rdataset]) -> None:
    """Count the SOA's serial up (3.6); 0 is passed over, because some servers take it for "unset" (7.11)."""
    present = apex[RdataType.SOA]
    soa = _soa(present)
    serial = soa.serial % _LARGEST_SERIAL + 1
    apex[RdataType.SOA] = dns.rdataset.from_rdata(present.ttl, soa.replace(serial=serial))


def _soa(rdataset: Rdataset) -> dns.rdtypes.ANY.SOA.SOA:
    soa = rdataset[0]
    assert isinstance(soa, dns.rdtypes.ANY.SOA.SOA), "a set of type SOA holds SOA records"
    return soa
