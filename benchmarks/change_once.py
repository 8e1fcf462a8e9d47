"""``python -m benchmarks.change_once ENDPOINT ZONE_ID NAME BEFORE AFTER``: one CNAME changed as a run does it, in a process.

The keys come in ``AWS_ACCESS_KEY_ID`` and ``AWS_SECRET_ACCESS_KEY``, as they do for the peer.
"""

from __future__ import annotations

import os
import sys
from datetime import timedelta

from defib.clock import Deadline, SystemClock
from defib.ports import DnsZone, RecordChange, RecordKey, RecordSet
from defib.providers.aws import AwsAccess
from defib.providers.dns.route53 import Route53

_WITHIN = timedelta(seconds=30)


def change(zone: DnsZone, wanted: RecordChange) -> None:
    """Look, change by compare-and-set, and look again, as every change of a run is made."""
    within = Deadline.after(SystemClock(), _WITHIN)
    if zone.read([wanted.key], within=within) != (wanted.before,):
        sys.exit("the zone is not as it was")
    zone.replace([wanted], within=within)
    if zone.read([wanted.key], within=within) != (wanted.after,):
        sys.exit("the zone does not hold the change")


def cname(name: str, target: str) -> RecordSet:
    """The record set that is changed, leading to `target`."""
    return RecordSet(RecordKey(name, "CNAME"), timedelta(seconds=60), (target,))


def main(endpoint: str, zone_id: str, name: str, before: str, after: str) -> None:
    """One change."""
    access = AwsAccess(
        endpoint=endpoint, access_key=os.environ["AWS_ACCESS_KEY_ID"], secret_key=os.environ["AWS_SECRET_ACCESS_KEY"]
    )
    change(Route53(zone_id, access), RecordChange(cname(name, before), cname(name, after)))


if __name__ == "__main__":
    main(*sys.argv[1:])
