"""The outside state that a recovery could change, as one canonical text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from defib.lab import furniture, standby
from defib.lab.cloudflare_state import CloudflareZone
from defib.lab.dns.zone import PublishedZone
from defib.lab.replication.state import state as replication_state
from defib.ports import RecordSet

if TYPE_CHECKING:
    from defib.lab.world import World

_TIMES = ("created_on", "modified_on", "activated_on")


def fingerprint(world: World) -> str:
    """Everything that can be changed by way of an API, and the faults in force.

    Zones, distributions, hosts, refs, LFS objects, releases, the assets in two Regions with every version, the pre-armed
    switch, Cloudflare's zones, open incidents. What changes without meaning is left out: SOA serials, ETags, times of change
    and the ids of Cloudflare's records, which are new where a record was removed and comes back.
    """
    route53 = world.aws.route53
    state = {
        "route53": {zone_id: [_record_set(each) for each in route53.content(zone_id)] for zone_id in route53.zones()},
        "rfc2136": [each for primary in world.names.primaries for each in _dynamic(primary.zone)],
        "cloudfront": world.aws.cloudfront.configurations(),
        "headers policies": world.aws.headers_policies.state(),
        "cloudflare": [_cloudflare(zone) for zone in world.cloudflare.zones],
        "statuspage": {"open": list(world.statuspage.unresolved), "component": world.statuspage.component_status},
        "static status page": _static_page(world),
        "switch": {"turned": world.switch_bucket.get(furniture.SWITCH_KEY) is not None},
        "hosting": world.hosting.state(),
        "releases": standby.releases(world.standby_bucket),
        "assets": replication_state(world.aws.replication.configurations),
        "git": {name: each.refs() for name, each in world.git.items()},
        "lfs": {name: each.lfs.held() for name, each in world.git.items()},
        "faults": world.active_plain(),
    }
    return json.dumps(state, sort_keys=True, indent=1)


def _static_page(world: World) -> dict[str, Any]:
    """Whether users read of an open incident; what they read of one that is over is history."""
    pages = (world.status_bucket.get(key) for key in world.status_bucket.keys() if key.endswith("status.json"))  # noqa: SIM118
    states = (json.loads(page.body)["state"] for page in pages if page is not None)
    return {"open": [state for state in states if state != "operational"]}


def _record_set(each: RecordSet) -> dict[str, Any]:
    return {
        "name": each.key.name,
        "type": each.key.type,
        "set_identifier": each.key.set_identifier,
        "ttl": each.ttl.total_seconds(),
        "values": sorted(each.values),
        "attributes": dict(each.attributes),
    }


def _dynamic(zone: PublishedZone) -> list[dict[str, Any]]:
    sets = sorted(zone.sets, key=lambda each: (each.name, each.type))
    return [
        {
            "name": each.name,
            "type": each.type,
            "ttl": each.ttl.total_seconds(),
            "values": [] if each.type == "SOA" else sorted(each.values),
        }
        for each in sets
    ]


def _cloudflare(zone: CloudflareZone) -> dict[str, Any]:
    records = [_without_times(each.shown()) for each in zone.records]
    for record in records:
        del record["id"]
    records.sort(key=lambda each: (each["name"], each["type"], each["content"]))
    return _without_times(zone.shown()) | {"records": records, "headers": [list(pair) for pair in zone.headers]}


def _without_times(shown: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in shown.items() if name not in _TIMES}
