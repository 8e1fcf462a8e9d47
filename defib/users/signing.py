"""DNSSEC across several providers of one zone: where only some sign, resolvers that validate refuse the others' answers."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from defib.errors import Refused
from defib.ports import RecordKey
from defib.run import Step
from defib.sites.vendors import FailoverSwitch

_ASK_WITHIN = timedelta(seconds=2)


def must_agree_on_signing(step: Step) -> None:
    """Refuse where a zone is held by several providers and not all of its servers sign, or none do (RFC 8901).

    A resolver that validates would take the unsigned answers of a signed zone for forged, and give its users nothing.
    """
    held = Counter(zone.zone for zone in step.site.dns if not isinstance(zone, FailoverSwitch))
    for zone in (name for name, providers in held.items() if providers > 1):
        keys = step.run.outside.answers.authoritative(RecordKey(zone, "DNSKEY"), within=step.within.sooner(_ASK_WITHIN))
        silent = sorted(answer.server for answer in keys if answer.values is None)
        if silent:
            step.note(f"nobody can tell whether {', '.join(silent)} sign {zone}", warning=True)
        unsigned = sorted(answer.server for answer in keys if answer.values == ())
        if unsigned and any(answer.values for answer in keys):
            raise Refused(
                f"{zone} is signed, and not by all of its servers: resolvers that validate would refuse the others' answers",
                where=zone,
                expected="every server signs, or none does",
                seen=f"unsigned at {', '.join(unsigned)}",
                then="sign the zone at every provider (RFC 8901), or take one out of the delegation",
            )
