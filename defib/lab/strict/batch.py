"""One Route 53 change batch: read from XML, checked against the zone, applied to a copy of it."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from xml.etree.ElementTree import Element

from moto.route53.models import RecordSet as MotoRecordSet

from defib.lab.strict import xml
from defib.lab.strict.xml import AwsError
from defib.ports import RecordKey, RecordSet

_TYPES = {
    "SOA",
    "A",
    "TXT",
    "NS",
    "CNAME",
    "MX",
    "NAPTR",
    "PTR",
    "SRV",
    "SPF",
    "AAAA",
    "CAA",
    "DS",
    "HTTPS",
    "SVCB",
}
_MAX_TTL = 2_147_483_647
_MAX_CHANGES = 1_000
_MAX_VALUES = 1_000
_MAX_CHARACTERS = 32_000
_MAX_WEIGHT = 255
_FAILOVER = ("PRIMARY", "SECONDARY")
_HOST = re.compile(r"^(\*\.)?([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)+$")
_ROUTING = ("Weight", "Region", "Failover", "HealthCheckId", "MultiValueAnswer")
_ALIAS = ("HostedZoneId", "DNSName", "EvaluateTargetHealth")


@dataclass(frozen=True)
class Rrset:
    """One record set as Route 53 compares it: `routing` and `alias` are sorted pairs, `ttl` is None for an alias."""

    name: str
    type: str
    set_identifier: str = ""
    ttl: int | None = None
    values: tuple[str, ...] = ()
    routing: tuple[tuple[str, str], ...] = ()
    alias: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> tuple[str, str, str]:
        """What identifies the set within its zone."""
        return self.name, self.type, self.set_identifier

    def same_as(self, other: Rrset) -> bool:
        """Whether a DELETE that names this set may remove `other`; the order of values does not matter."""
        mine, its = sorted(self.values), sorted(other.values)
        rest = (self.ttl, self.routing, self.alias)
        return mine == its and rest == (other.ttl, other.routing, other.alias)

    def told(self) -> str:
        """The set as the service's messages name it."""
        identifier = f", set identifier='{self.set_identifier}'" if self.set_identifier else ""
        return f"resource record set [name='{self.name}', type='{self.type}'{identifier}]"

    def to_port(self) -> RecordSet:
        """The set in the words of the project."""
        attributes = self.routing + tuple((f"AliasTarget.{name}", value) for name, value in self.alias)
        key = RecordKey(self.name, self.type, self.set_identifier)
        return RecordSet(key, timedelta(seconds=self.ttl or 0), self.values, attributes)

    def for_moto(self) -> dict[str, Any]:
        """The keyword arguments of moto's own record set."""
        plain: dict[str, Any] = {"Name": self.name, "Type": self.type}
        plain |= {name: _typed(name, value) for name, value in self.routing}
        if self.set_identifier:
            plain["SetIdentifier"] = self.set_identifier
        if self.alias:
            plain["AliasTarget"] = {name: _typed(name, value) for name, value in self.alias}
        else:
            plain |= {"TTL": self.ttl, "ResourceRecords": list(self.values)}
        return plain


@dataclass(frozen=True)
class Change:
    """One entry of a batch."""

    action: str
    rrset: Rrset


def from_port(given: RecordSet) -> Rrset:
    """The project's record set as Route 53 holds it; for what the lab starts with."""
    key, prefix = given.key, "AliasTarget."
    alias = sorted((name.removeprefix(prefix), value) for name, value in given.attributes if name.startswith(prefix))
    routing = sorted(pair for pair in given.attributes if not pair[0].startswith(prefix))
    ttl = None if alias else int(given.ttl.total_seconds())
    return Rrset(key.name, key.type, key.set_identifier, ttl, given.values, tuple(routing), tuple(alias))


def from_moto(held: MotoRecordSet) -> Rrset:
    """A record set of moto's, read back."""
    alias = held.alias_target or {}
    routing = (held.weight, held.region, held.failover, held.health_check_id, held.multi_value_answer)
    return Rrset(
        name=held.name,
        type=held.type or "",
        set_identifier=held.set_identifier or "",
        ttl=None if alias or held.ttl is None else int(held.ttl),
        values=tuple(held.records or ()),
        routing=_pairs(dict(zip(_ROUTING, routing, strict=True))),
        alias=_pairs(alias),
    )


def parse(body: bytes) -> tuple[Change, ...]:
    """The changes of a ChangeResourceRecordSets request; InvalidInput and its kin for what is no batch."""
    root = xml.parse(body)
    changes = tuple(_change(each) for each in root.findall("ChangeBatch/Changes/Change"))
    if not changes:
        raise AwsError(400, "InvalidInput", "Invalid XML ; ChangeBatch must contain at least one Change")
    if len(changes) > _MAX_CHANGES:
        raise _invalid(f"Number of records limit of {_MAX_CHANGES} exceeded.")
    _check_size(changes)
    return changes


def _check_size(changes: Sequence[Change]) -> None:
    """An UPSERT counts twice: https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html."""
    values = [value for change in changes for value in change.rrset.values * (2 if change.action == "UPSERT" else 1)]
    if len(values) > _MAX_VALUES:
        raise _invalid(f"Number of records limit of {_MAX_VALUES} exceeded.")
    if sum(map(len, values)) > _MAX_CHARACTERS:
        raise _invalid(f"Number of characters limit of {_MAX_CHARACTERS} exceeded.")


def apply(changes: Sequence[Change], before: Sequence[Rrset], zone: str) -> tuple[Rrset, ...]:
    """The zone after all `changes`; InvalidChangeBatch with every mistake found, and then nothing has changed."""
    zone = zone.rstrip(".") + "."
    mistakes = [mistake for change in changes for mistake in _mistakes(change, zone)]
    twice = Counter((change.action, change.rrset.key) for change in changes)
    mistakes += [
        f"The request contains an invalid set of changes for a resource record set '{action} {key[1]} {key[0]}'"
        for (action, key), count in twice.items()
        if count > 1
    ]
    if mistakes:
        raise _invalid(*mistakes)
    after = {each.key: each for each in before}
    for change in changes:
        mistakes += _make(change, after)
    mistakes += _conflicts({change.rrset.name for change in changes}, after.values(), zone)
    if mistakes:
        raise _invalid(*mistakes)
    return tuple(after.values())


def _change(node: Element) -> Change:
    action = xml.text(node, "Action")
    if action not in ("CREATE", "DELETE", "UPSERT"):
        raise AwsError(400, "InvalidInput", f"Value '{action}' at 'action' failed to satisfy enum value set")
    rrset = node.find("ResourceRecordSet")
    if rrset is None:
        raise AwsError(400, "InvalidInput", "ResourceRecordSet is missing")
    return Change(action, _rrset(rrset))


def _rrset(node: Element) -> Rrset:
    target = node.find("AliasTarget")
    return Rrset(
        name=xml.text(node, "Name").lower().rstrip(".") + ".",
        type=xml.text(node, "Type"),
        set_identifier=xml.text(node, "SetIdentifier"),
        ttl=_ttl(xml.text(node, "TTL")),
        values=tuple(xml.text(each, "Value") for each in node.findall("ResourceRecords/ResourceRecord")),
        routing=_pairs({name: xml.text(node, name) or None for name in _ROUTING}),
        alias=() if target is None else _pairs({name: xml.text(target, name) for name in _ALIAS}),
    )


def _ttl(written: str) -> int | None:
    if not written:
        return None
    if not written.isdigit() or int(written) > _MAX_TTL:
        message = f"Value '{written}' at 'TTL' failed to satisfy constraint: a whole number from 0 to {_MAX_TTL}"
        raise AwsError(400, "InvalidInput", message)
    return int(written)


def _mistakes(change: Change, zone: str) -> list[str]:
    """What is wrong with a change by itself."""
    rrset = change.rrset
    found = []
    if rrset.type not in _TYPES:
        found.append(f"Invalid Resource Record type '{rrset.type}'")
    if rrset.name != zone and not rrset.name.endswith("." + zone):
        found.append(f"RRSet with DNS name {rrset.name} is not permitted in zone {zone}")
    if rrset.alias:
        if rrset.ttl is not None or rrset.values:
            found.append(f"Expected exactly one of AliasTarget and TTL with ResourceRecords in {rrset.told()}")
    elif rrset.ttl is None or not rrset.values:
        found.append(f"Expected all of TTL and ResourceRecords in {rrset.told()}")
    if rrset.type == "CNAME" and len(rrset.values) > 1:
        found.append(f"RRSet of type CNAME with DNS name {rrset.name} may have only one value")
    found += _routing_mistakes(rrset)
    if len(set(rrset.values)) != len(rrset.values):
        found.append(f"Duplicate Resource Record in {rrset.told()}")
    return found + [problem for value in rrset.values if (problem := _bad_value(rrset.type, value))]


def _routing_mistakes(rrset: Rrset) -> list[str]:
    routing = dict(rrset.routing)
    kinds = [name for name in ("Weight", "Region", "Failover", "MultiValueAnswer") if name in routing]
    found = []
    if len(kinds) > 1 or bool(kinds) != bool(rrset.set_identifier):
        found.append(f"Expected exactly one routing policy with its SetIdentifier in {rrset.told()}")
    if routing.get("Failover", "PRIMARY") not in _FAILOVER:
        found.append(f"Invalid Failover '{routing['Failover']}' in {rrset.told()}")
    if not routing.get("Weight", "0").isdigit() or int(routing.get("Weight", "0")) > _MAX_WEIGHT:
        found.append(f"Invalid Weight '{routing['Weight']}' in {rrset.told()}")
    return found


def _bad_value(type_: str, value: str) -> str:
    problem = ""
    if type_ in ("A", "AAAA"):
        version, kind = (4, "ARRDATAIllegalIPv4Address") if type_ == "A" else (6, "AAAARRDATAIllegalIPv6Address")
        if not _is_address(value, version):
            problem = f"{kind} (Value is not a valid IPv{version} address)"
    elif type_ in ("CNAME", "NS", "PTR") and not _HOST.match(value.rstrip(".") + "."):
        problem = f"{type_}RRDATAIllegalDomainName (Value is not a valid domain name)"
    return f"Invalid Resource Record: 'FATAL problem: {problem} encountered with '{value}''" if problem else ""


def _is_address(value: str, version: int) -> bool:
    try:
        return ipaddress.ip_address(value).version == version
    except ValueError:
        return False


def _make(change: Change, after: dict[tuple[str, str, str], Rrset]) -> list[str]:
    """Make one change in `after`; what is wrong with it given what is there."""
    rrset, present = change.rrset, after.get(change.rrset.key)
    if change.action == "CREATE" and present is not None:
        return [f"Tried to create {rrset.told()} but it already exists"]
    if change.action == "DELETE":
        if present is None:
            return [f"Tried to delete {rrset.told()} but it was not found"]
        if not rrset.same_as(present):
            told = f"Tried to delete {rrset.told()}"
            return [f"{told} but the values provided do not match the current values"]
        del after[rrset.key]
    else:
        after[rrset.key] = rrset
    return []


def _conflicts(names: set[str], after: Iterable[Rrset], zone: str) -> list[str]:
    """What the zone as a whole would have wrong at the touched names."""
    found = []
    sets = [each for each in after if each.name in names]
    for name in sorted(names):
        here = [each for each in sets if each.name == name]
        types = {each.type for each in here}
        if "CNAME" in types and name == zone:
            found.append(f"RRSet of type CNAME with DNS name {name} is not permitted at apex in zone {zone}")
        elif "CNAME" in types and len(types) > 1:
            found.append(
                f"RRSet of type CNAME with DNS name {name} is not permitted as it conflicts with other records "
                f"with the same DNS name in zone {zone}"
            )
        for type_ in types:
            simple = [each for each in here if each.type == type_ and not each.set_identifier]
            if simple and len(simple) < len([each for each in here if each.type == type_]):
                found.append(f"RRSet with DNS name {name}, type {type_} cannot be both simple and routed")
            found += _same_failover([each for each in here if each.type == type_])
        if name == zone and not {"SOA", "NS"} <= types:
            found.append("A HostedZone must contain exactly one SOA record and at least one NS record")
    return found


def _same_failover(group: Sequence[Rrset]) -> list[str]:
    roles = Counter(dict(each.routing).get("Failover") for each in group)
    return [f"More than one {role} in {group[0].told()}" for role in _FAILOVER if roles[role] > 1]


def _pairs(plain: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    shown = {name: value for name, value in plain.items() if value is not None and value != ""}
    return tuple(
        sorted((name, str(value).lower() if isinstance(value, bool) else str(value)) for name, value in shown.items())
    )


def _typed(name: str, value: str) -> str | int | bool:
    if name == "Weight":
        return int(value)
    if name in ("MultiValueAnswer", "EvaluateTargetHealth"):
        return value.lower() == "true"
    return value


def _invalid(*mistakes: str) -> AwsError:
    return AwsError(400, "InvalidChangeBatch", f"[{', '.join(mistakes)}]")
