"""Record sets of the site's names that the site file does not name, and that would keep users from where they are sent.

A switched without its AAAA is an outage for everyone with IPv6; and browsers ask for HTTPS records (RFC 9460) before
anything else, which may lead elsewhere than A, AAAA and CNAME do, or hold a key that only the failed place can answer to.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from defib.clock import Deadline
from defib.ports import Answers, DnsZone, RecordKey, RecordSet
from defib.sites.vendors import DnsZoneConfig, Route53Zone
from defib.users.ways import Lead

_ADDRESSING = ("A", "AAAA", "CNAME")
_HTTPS = "HTTPS"

_ASK_SERVERS_WITHIN = timedelta(seconds=1)
"""For one question to all name servers of a provider: one that is silent keeps users waiting."""


def left_behind(leads: Sequence[Lead], zone: DnsZone, within: Deadline) -> tuple[RecordSet, ...]:
    """What stands in `zone` for the names of `leads`, would stay as it is, and leads users or holds a key of its own."""
    named = {(lead.key.name, lead.key.type) for lead in leads}
    names = sorted({name for name, _ in named})
    keys = [RecordKey(name, kind) for name in names for kind in (*_ADDRESSING, _HTTPS) if (name, kind) not in named]
    found = (record for record in zone.read(keys, within=within) if record is not None)
    return tuple(record for record in found if is_address(record) or leads_elsewhere(record))


def is_address(record: RecordSet) -> bool:
    """Whether all of its users are sent by it, and not those alone whose browsers ask for more."""
    return record.key.type in _ADDRESSING


def leads_elsewhere(record: RecordSet) -> bool:
    """Whether an HTTPS record set names another host, or a key for encrypted hellos.

    A browser that was told a key of the failed place gives up where another certificate answers it (RFC 9849, section
    6.1.6). Hints of addresses are left out: browsers drop them once A and AAAA have come (RFC 9460, section 7.3).
    """
    for value in record.values:
        _, target, *more = value.split()
        if target.lower().rstrip(".") not in {"", record.key.name.rstrip(".")} or any(
            each.startswith("ech=") for each in more
        ):
            return True
    return False


def routed(config: DnsZoneConfig, leads: Sequence[Lead], answers: Answers, within: Deadline) -> dict[RecordKey, str]:
    """What Route 53 answers from weighted and other routed sets, which nobody can read without their identifiers."""
    if not isinstance(config, Route53Zone):
        return {}
    beside = {"A": "AAAA", "AAAA": "A"}  # a name with a CNAME has neither, and what a switch turns it may turn whole
    stand = {lead.key for lead in leads if not lead.armed and not lead.absent}
    named = {(lead.key.name, lead.key.type) for lead in leads}
    others = {RecordKey(key.name, beside[key.type]) for key in stand if key.type in beside}
    found = {}
    for key in sorted(each for each in others if (each.name, each.type) not in named):
        asked = answers.authoritative(key, within=within.sooner(_ASK_SERVERS_WITHIN), at=config.provider)
        if values := next((answer.values for answer in asked if answer.values), None):
            found[key] = f"{', '.join(values)}, from routed record sets"
    return found
