"""What a zone holds and how a question is answered from it, without any network.

:class:`PublishedZone` is what a publisher hands over, in presentation format. :class:`CompiledZone` is the
same, checked and ready to answer. Both are immutable: a server changes its mind by swapping one for
another.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

import dns.exception
import dns.name
import dns.rdataset
import dns.rdtypes.ANY.SOA
from dns.name import Name
from dns.rcode import Rcode
from dns.rdataclass import IN
from dns.rdataset import Rdataset
from dns.rdatatype import RdataType

from defib.errors import InputError

_LONGEST_CHAIN = 16
_NEGATIVE_TTL = timedelta(seconds=60)


@dataclass(frozen=True)
class PublishedSet:
    """One record set, its name and values as in a zone file; relative names are inside the zone.

    Several sets may share name and type if each has a `weight` (0 to 255, as Route 53 has it): every answer
    then takes one of them at random by weight, and any of them if all weights are 0.
    """

    name: str
    type: str
    ttl: timedelta
    values: tuple[str, ...]
    weight: int | None = None


@dataclass(frozen=True)
class PublishedZone:
    """The whole content of a zone. It must hold its SOA record."""

    origin: str
    sets: tuple[PublishedSet, ...]

    @classmethod
    def with_apex(
        cls,
        origin: str,
        sets: tuple[PublishedSet, ...],
        *,
        server: str,
        serial: int = 1,
        negative_ttl: timedelta = _NEGATIVE_TTL,
    ) -> PublishedZone:
        """A zone of `sets` with an SOA and an NS record naming `server`, where the publisher keeps none."""
        minimum = int(negative_ttl.total_seconds())
        soa = f"{server} hostmaster.{origin} {serial} 7200 900 1209600 {minimum}"
        apex = (
            PublishedSet(origin, "SOA", negative_ttl, (soa,)),
            PublishedSet(origin, "NS", timedelta(hours=1), (server,)),
        )
        return cls(origin, apex + sets)

    def find(self, name: str, rdtype: str) -> tuple[PublishedSet, ...]:
        """The sets of `name` and `rdtype` (one, several weighted ones, or none)."""
        wanted = _name(name, _name(self.origin, dns.name.root))
        origin = _name(self.origin, dns.name.root)
        return tuple(each for each in self.sets if each.type == rdtype and _name(each.name, origin) == wanted)


@dataclass(frozen=True)
class Choice:
    """One of the record sets that an answer may take; `weight` is None where there is no choice."""

    weight: int | None
    rdataset: Rdataset


Node = Mapping[RdataType, tuple[Choice, ...]]
Placed = tuple[Name, Rdataset]


@dataclass(frozen=True)
class CompiledZone:
    """A checked zone. `names` also holds the empty names between the nodes and the origin (RFC 8020)."""

    origin: Name
    nodes: Mapping[Name, Node]
    names: frozenset[Name]
    soa: Rdataset
    """With the TTL of negative answers: the smaller of its own and its minimum (RFC 2308, section 3)."""

    def negative(self) -> tuple[Placed, ...]:
        """The authority section of an answer that says no."""
        return ((self.origin, self.soa),)


@dataclass(frozen=True)
class Found:
    """An answer by section; `authoritative` is False for a referral."""

    rcode: Rcode
    answer: tuple[Placed, ...] = ()
    authority: tuple[Placed, ...] = ()
    additional: tuple[Placed, ...] = ()
    authoritative: bool = True


def compile_zone(zone: PublishedZone) -> CompiledZone:
    """Check `zone` and make it answerable; :class:`InputError` names the record set that is wrong."""
    origin = _name(zone.origin, dns.name.root)
    nodes: dict[Name, dict[RdataType, tuple[Choice, ...]]] = {}
    for each in zone.sets:
        name = _name(each.name, origin)
        if not name.is_subdomain(origin):
            raise _wrong(zone, each, f"a name inside {origin}", str(name))
        rdataset = _rdataset(zone, each, origin)
        node = nodes.setdefault(name, {})
        node[rdataset.rdtype] = (*node.get(rdataset.rdtype, ()), Choice(each.weight, rdataset))
    _check_choices(zone, nodes)
    return CompiledZone(origin, nodes, _with_ancestors(origin, nodes), _negative_soa(zone, origin, nodes))


def look_up(zones: Mapping[Name, CompiledZone], name: Name, rdtype: RdataType, dice: random.Random) -> Found | None:
    """Answer from `zones`, following CNAMEs that stay inside them; None if no zone holds `name`."""
    answer: tuple[Placed, ...] = ()
    found: Found | None = None
    for _ in range(_LONGEST_CHAIN):
        zone = _zone_of(zones, name)
        if zone is None:
            return Found(Rcode.NOERROR, answer) if answer else None
        found = _look_up_once(zone, name, rdtype, dice)
        answer += found.answer
        target = _alias(found, rdtype)
        if target is None or any(owner == target for owner, _ in answer):
            break
        name = target
    assert found is not None, "the loop runs at least once"
    # A referral met at the end of a chain: the chain itself is still ours (RFC 1034, section 4.3.2).
    authoritative = found.authoritative or len(answer) > len(found.answer)
    return Found(found.rcode, answer, found.authority, found.additional, authoritative)


def _look_up_once(zone: CompiledZone, name: Name, rdtype: RdataType, dice: random.Random) -> Found:
    cut = _cut_above(zone, name)
    if cut is not None:
        return _referral(zone, cut, dice)
    node = zone.nodes.get(name)
    if node is None and name not in zone.names:
        node = zone.nodes.get(_wildcard(zone, name))
        if node is None:
            return Found(Rcode.NXDOMAIN, authority=zone.negative())
    node = node or {}
    if rdtype == RdataType.ANY:
        taken = tuple((name, _pick(choices, dice)) for choices in node.values())
        return Found(Rcode.NOERROR, taken, () if taken else zone.negative())
    choices = node.get(rdtype) or node.get(RdataType.CNAME)
    if choices is None:
        return Found(Rcode.NOERROR, authority=zone.negative())
    return Found(Rcode.NOERROR, ((name, _pick(choices, dice)),))


def _alias(found: Found, rdtype: RdataType) -> Name | None:
    """Where the answer points to, if it is a CNAME that was not asked for."""
    if rdtype in (RdataType.CNAME, RdataType.ANY) or not found.answer:
        return None
    rdataset = found.answer[-1][1]
    return rdataset[0].target if rdataset.rdtype == RdataType.CNAME else None


def _pick(choices: tuple[Choice, ...], dice: random.Random) -> Rdataset:
    if len(choices) == 1:
        return choices[0].rdataset
    weights = [choice.weight or 0 for choice in choices]
    # Route 53: with weight 0 on all records of a group, traffic goes to all of them with equal probability
    # (Developer Guide, "Values specific for weighted records").
    if not any(weights):
        weights = [1] * len(choices)
    return dice.choices(choices, weights)[0].rdataset


def _zone_of(zones: Mapping[Name, CompiledZone], name: Name) -> CompiledZone | None:
    return next((zones[each] for each in _lineage(name) if each in zones), None)


def _lineage(name: Name) -> Iterator[Name]:
    """`name`, its parent, and so on up to the root."""
    yield name
    while name != dns.name.root:
        name = name.parent()
        yield name


def _cut_above(zone: CompiledZone, name: Name) -> Name | None:
    """The highest delegation at or above `name`, below the apex."""
    below_apex = [each for each in _lineage(name) if each.is_subdomain(zone.origin) and each != zone.origin]
    cuts = [each for each in below_apex if RdataType.NS in zone.nodes.get(each, {})]
    return cuts[-1] if cuts else None


def _referral(zone: CompiledZone, cut: Name, dice: random.Random) -> Found:
    servers = _pick(zone.nodes[cut][RdataType.NS], dice)
    glue = tuple(
        (server.target, _pick(choices, dice))
        for server in servers
        for rdtype, choices in zone.nodes.get(server.target, {}).items()
        if rdtype in (RdataType.A, RdataType.AAAA)
    )
    return Found(Rcode.NOERROR, (), ((cut, servers),), glue, authoritative=False)


def _wildcard(zone: CompiledZone, name: Name) -> Name:
    """The one wildcard that may speak for `name`: below its closest existing ancestor (RFC 4592)."""
    encloser = next(each for each in _lineage(name.parent()) if each in zone.names)
    return dns.name.from_text("*", encloser)


def _with_ancestors(origin: Name, nodes: Mapping[Name, object]) -> frozenset[Name]:
    return frozenset({origin}) | {each for name in nodes for each in _lineage(name) if each.is_subdomain(origin)}


def _negative_soa(zone: PublishedZone, origin: Name, nodes: Mapping[Name, Node]) -> Rdataset:
    choices = nodes.get(origin, {}).get(RdataType.SOA)
    if choices is None:
        raise InputError(
            f"zone {zone.origin} has no SOA record",
            expected="one at its apex",
            then="publish it, or build the zone with PublishedZone.with_apex",
        )
    rdataset = choices[0].rdataset
    soa = rdataset[0]
    assert isinstance(soa, dns.rdtypes.ANY.SOA.SOA), "a set of type SOA holds SOA records"
    return dns.rdataset.from_rdata(min(rdataset.ttl, soa.minimum), soa)


def _check_choices(zone: PublishedZone, nodes: Mapping[Name, Node]) -> None:
    for name, node in nodes.items():
        if RdataType.CNAME in node and len(node) > 1:
            raise InputError(
                f"zone {zone.origin}: {name} has a CNAME beside other types",
                expected="a CNAME alone (RFC 1034, section 3.6.2)",
                seen=", ".join(sorted(rdtype.name for rdtype in node)),
            )
        for rdtype, choices in node.items():
            if len(choices) > 1 and any(choice.weight is None for choice in choices):
                raise InputError(
                    f"zone {zone.origin}: {name} {rdtype.name} stands twice without weights",
                    expected="one set, or a weight on each",
                )


def _rdataset(zone: PublishedZone, each: PublishedSet, origin: Name) -> Rdataset:
    try:
        rdataset = dns.rdataset.from_text_list(
            IN, each.type, _seconds(each.ttl), each.values, origin=origin, relativize=False
        )
    except (dns.exception.DNSException, ValueError) as error:
        raise _wrong(zone, each, "values in presentation format", str(error)) from error
    # dnspython keeps the last value only of types that allow but one.
    if not each.values or len(rdataset) != len(set(each.values)):
        raise _wrong(zone, each, "one value, or distinct ones", ", ".join(each.values))
    return rdataset


def _seconds(ttl: timedelta) -> int:
    if ttl < timedelta(0) or ttl % timedelta(seconds=1):
        raise ValueError(f"a TTL is whole seconds from 0 up, not {ttl.total_seconds():g} s")
    return ttl // timedelta(seconds=1)


def _name(text: str, origin: Name) -> Name:
    try:
        return dns.name.from_text(text, origin)
    except dns.exception.DNSException as error:
        raise InputError(f"not a domain name: {text!r}", seen=str(error)) from error


def _wrong(zone: PublishedZone, each: PublishedSet, expected: str, seen: str) -> InputError:
    return InputError(f"zone {zone.origin}: {each.name} {each.type} cannot be published", expected=expected, seen=seen)
