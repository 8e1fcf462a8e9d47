"""Route 53's record sets as ours, and back, without losing what only Route 53 knows.

Everything but name, type, set identifier, TTL and values becomes an attribute under Route 53's own name, parts of a
structure joined by a dot: ``Weight``, ``HealthCheckId``, ``AliasTarget.DNSName``, ``GeoLocation.CountryCode``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, cast

from defib.ports import RecordKey, RecordSet
from defib.providers.dns.records import canonical

if TYPE_CHECKING:
    from mypy_boto3_route53.type_defs import ResourceRecordSetOutputTypeDef, ResourceRecordSetTypeDef

_OWN_FIELDS = {"Name", "Type", "SetIdentifier", "TTL", "ResourceRecords"}
_NUMBERS = {"Weight", "GeoProximityLocation.Bias"}
_FLAGS = {"MultiValueAnswer", "AliasTarget.EvaluateTargetHealth"}


def from_route53(found: ResourceRecordSetOutputTypeDef) -> RecordSet:
    """One record set as Route 53 lists it; an alias has no values, and no TTL of its own, which reads as zero."""
    return canonical(
        RecordSet(
            key=RecordKey(unescaped(found["Name"]), found["Type"], found.get("SetIdentifier", "")),
            ttl=timedelta(seconds=found.get("TTL", 0)),
            values=tuple(record["Value"] for record in found.get("ResourceRecords", [])),
            attributes=tuple(_flat(cast("Mapping[str, object]", found))),
        )
    )


def to_route53(record: RecordSet) -> ResourceRecordSetTypeDef:
    """`record` as Route 53 takes it: the exact inverse of :func:`from_route53`."""
    made: dict[str, object] = {"Name": record.key.name, "Type": record.key.type}
    if record.key.set_identifier:
        made["SetIdentifier"] = record.key.set_identifier
    if record.values:
        made["TTL"] = int(record.ttl.total_seconds())
        made["ResourceRecords"] = [{"Value": value} for value in record.values]
    for name, text in record.attributes:
        _put(made, name, text)
    return cast("ResourceRecordSetTypeDef", made)


def _flat(found: Mapping[str, object], prefix: str = "") -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for name, value in found.items():
        if not prefix and name in _OWN_FIELDS:
            continue
        path = f"{prefix}{name}"
        if isinstance(value, Mapping):
            pairs += _flat(value, f"{path}.")
        else:
            pairs.append((path, str(value).lower() if isinstance(value, bool) else str(value)))
    return pairs


def _put(made: dict[str, object], path: str, text: str) -> None:
    *parents, leaf = path.split(".")
    place = made
    for parent in parents:
        place = cast("dict[str, object]", place.setdefault(parent, {}))
    place[leaf] = int(text) if path in _NUMBERS else text == "true" if path in _FLAGS else text


def normalized(name: str) -> str:
    """A name as conditions of policies spell it: in lower case, without the trailing dot, all else by its octal code.

    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/specifying-conditions-route53.html
    """
    plain = name.lower().rstrip(".")
    return re.sub(r"[^a-z0-9._-]", lambda found: f"\\{ord(found[0]):03o}", plain)


def unescaped(name: str) -> str:
    """A name as Route 53 lists it, as ours."""
    # Route 53 lists the asterisk of a wildcard as its octal code:
    # https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DomainNameFormat.html
    return name.replace("\\052", "*")
