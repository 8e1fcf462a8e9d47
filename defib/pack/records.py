"""The record sets of a site, way by way, and what a person sends to change from one way to another.

Everything is as the site file has it. What stands may differ, in its TTL at least, and both Route 53 and name servers refuse
a change of what does not stand: so whoever sends it looks first.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import permutations

from defib.ports import RecordChange, RecordSet
from defib.providers.dns.route53_format import to_route53
from defib.sites.site import Site
from defib.sites.vendors import DnsZoneConfig, FailoverSwitch, Rfc2136Zone, Route53Zone
from defib.users.ways import SWITCH, Way, by_cdn, leads_at, to_host, ways

HEADING = "### The record sets, way by way"


def files(site: Site) -> dict[str, bytes]:
    """A batch for Route 53, or a script for ``nsupdate``, from each way to each other, by file name."""
    found: dict[str, bytes] = {}
    for config, here, there in _moves(site):
        changes = _changes(config, here, there)
        if changes and isinstance(config, Route53Zone):
            found[_name(config, here, there)] = _batch(changes)
        elif changes and isinstance(config, Rfc2136Zone):
            found[_name(config, here, there)] = _update(config, changes)
    return found


def told(site: Site, folder: str) -> str:
    """The table and the commands, as Markdown; `folder` is where the files are."""
    rows = [_row(way, config, record) for way in _every(site) for config in site.dns for record in _records(config, way)]
    lines = [HEADING, ""]
    lines += ["| way | zone | record set | leads to |", "|---|---|---|---|", *rows] if rows else []
    usual = _every(site)[0].name
    commands = [
        _command(config, here, there, folder) for config, here, there in _moves(site) if usual in {here.name, there.name}
    ]
    commands += [_switching(config) for config in site.dns if isinstance(config, FailoverSwitch)]
    wanted = [command for command in dict.fromkeys(commands) if command]
    lines += (
        ["", "Look at what stands before one of these is sent:", "", *(f"    {each}" for each in wanted)] if wanted else []
    )
    return "\n".join([*lines, ""])


def _row(way: Way, config: DnsZoneConfig, record: RecordSet) -> str:
    leads = ", ".join(record.values) or ", ".join(value for name, value in record.attributes if name.endswith("DNSName"))
    return f"| {way.name} | {config.provider} {config.zone} | {record.key} | `{leads}` |"


def _every(site: Site) -> tuple[Way, ...]:
    """Every way that users can be on, the usual one first."""
    usual = by_cdn(site, site.primary) if site.cdns else to_host(site, site.primary_host)
    return tuple({way.name: way for way in (usual, *ways(site))}.values())


def _moves(site: Site) -> Iterator[tuple[DnsZoneConfig, Way, Way]]:
    for here, there in permutations(_every(site), 2):
        for config in site.dns:
            yield config, here, there


def _records(config: DnsZoneConfig, way: Way) -> Iterator[RecordSet]:
    for lead in leads_at(config, way):
        record = lead.put_into(None)
        if record is not None and not lead.armed and lead.key.type != SWITCH:
            yield record


def _changes(config: DnsZoneConfig, here: Way, there: Way) -> Sequence[RecordChange]:
    if isinstance(config, FailoverSwitch):
        return ()
    before = {record.key: record for record in _records(config, here)}
    after = {record.key: record for record in _records(config, there)}
    keys = dict.fromkeys((*before, *after))
    return [RecordChange(before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)]


def _name(config: DnsZoneConfig, here: Way, there: Way) -> str:
    ending = "json" if isinstance(config, Route53Zone) else "txt"
    return f"{config.provider}-{config.zone.rstrip('.')}-{here.name}-to-{there.name}.{ending}"


def _batch(changes: Sequence[RecordChange]) -> bytes:
    actions = [
        *({"Action": "DELETE", "ResourceRecordSet": to_route53(each.before)} for each in changes if each.before),
        *({"Action": "CREATE", "ResourceRecordSet": to_route53(each.after)} for each in changes if each.after),
    ]
    return (json.dumps({"Comment": "by hand", "Changes": actions}, indent=2) + "\n").encode()


def _update(config: Rfc2136Zone, changes: Sequence[RecordChange]) -> bytes:
    lines = [f"server {config.primary.address} {config.primary.port}", f"zone {config.zone}"]
    for change in changes:
        key = change.key
        lines += [
            f"prereq yxrrset {key.name} {key.type} {value}" for value in (change.before.values if change.before else ())
        ]
        lines += [] if change.before else [f"prereq nxrrset {key.name} {key.type}"]
    for change in changes:
        key = change.key
        lines += [f"update delete {key.name} {key.type}"] if change.before else []
        if change.after:
            ttl = change.after.ttl // timedelta(seconds=1)
            lines += [f"update add {key.name} {ttl} {key.type} {value}" for value in change.after.values]
    return "\n".join([*lines, "send", ""]).encode()


def _command(config: DnsZoneConfig, here: Way, there: Way, folder: str) -> str:
    if not _changes(config, here, there):
        return ""
    file = f"{folder}/{_name(config, here, there)}"
    if isinstance(config, Route53Zone):
        batch = f"--change-batch file://{file}"
        return f"aws route53 change-resource-record-sets --hosted-zone-id {config.zone_id} {batch}"
    if isinstance(config, Rfc2136Zone):
        return f"nsupdate -k KEYFILE {file}"
    return ""


def _switching(config: FailoverSwitch) -> str:
    return f"aws s3api put-object --bucket {config.bucket} --key {config.key} --if-none-match '*'"
