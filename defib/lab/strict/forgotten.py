"""What moto forgets of a distribution's configuration, told back to it: who may read an origin, and functions.

A configuration is read whole and written back whole. Were a part lost on the way, whoever moves a distribution's origin
path would cut it off from its bucket, and the lab would be blind to that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element

from defib.lab.strict import xml


@dataclass(frozen=True)
class Origin:
    """One origin: its id, its access control, "" where it has none, and whether it is a bucket."""

    id: str
    access_control: str
    bucket: bool


def origins_of(config: Mapping[str, Any]) -> tuple[Origin, ...]:
    """Those of a configuration in the shape of JSON."""
    return tuple(
        Origin(each["Id"], each.get("OriginAccessControlId", ""), "S3OriginConfig" in each)
        for each in config["Origins"]["Items"]
    )


def origins_in(request: Element) -> tuple[Origin, ...]:
    """Those of a configuration as it is sent."""
    return tuple(
        Origin(xml.text(each, "Id"), xml.text(each, "OriginAccessControlId"), each.find("S3OriginConfig") is not None)
        for each in request.iterfind(".//Origins/Items/Origin")
    )


def remember_origins(held: Any, origins: tuple[Origin, ...]) -> None:
    """Put what moto dropped into the configuration that it holds, whose answers are made of its attributes."""
    known = {origin.id: origin for origin in origins}
    for each in held.Origins["Items"]:
        origin = known[each.id]
        each.origin_access_control_id = origin.access_control
        if origin.bucket:
            each.s3_origin_config = {"OriginAccessIdentity": each.s3_access_identity}


def remember_functions(held: Any, request: Element) -> None:
    """The same for the functions of the default behaviour; those of other behaviours nobody needs yet."""
    found = [
        {"FunctionARN": xml.text(each, "FunctionARN"), "EventType": xml.text(each, "EventType")}
        for each in _functions(request)
    ]
    if found:
        held.DefaultCacheBehavior.function_associations = {"Quantity": len(found), "Items": found}


def _functions(request: Element) -> Iterator[Element]:
    return request.iterfind(".//DefaultCacheBehavior/FunctionAssociations/Items/FunctionAssociation")
