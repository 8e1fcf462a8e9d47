"""DNSSEC across several providers of one zone: where only some sign, resolvers that validate refuse the others' answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from defib.clock import Deadline
from defib.errors import Refused
from defib.ports import Answer, Answers, RecordKey
from defib.run import Step
from defib.sites.site import Site
from defib.sites.vendors import FailoverSwitch

CONSEQUENCE = "resolvers that validate would refuse the others' answers"
REMEDY = "sign the zone at every provider (RFC 8901), or take one out of the delegation"

_ASK_WITHIN = timedelta(seconds=2)


@dataclass(frozen=True)
class Signing:
    """Which servers of a zone that several providers hold sign it, which do not, and which did not tell."""

    zone: str
    signed: tuple[str, ...]
    unsigned: tuple[str, ...]
    silent: tuple[str, ...]

    @property
    def agreed(self) -> bool:
        """Whether all that tell do the same."""
        return not (self.signed and self.unsigned)


def signing(site: Site, answers: Answers, within: Deadline) -> Iterator[Signing]:
    """How each zone that several providers hold is signed, asked of every server of theirs."""
    held = Counter(zone.zone for zone in site.dns if not isinstance(zone, FailoverSwitch))
    for zone in (name for name, providers in held.items() if providers > 1):
        told = answers.authoritative(RecordKey(zone, "DNSKEY"), within=within.sooner(_ASK_WITHIN))
        by = {kind: sorted(each.server for each in told if _kind(each) == kind) for kind in ("signed", "unsigned", "silent")}
        yield Signing(zone, tuple(by["signed"]), tuple(by["unsigned"]), tuple(by["silent"]))


def must_agree_on_signing(step: Step) -> None:
    """Refuse where a zone is held by several providers and not all of its servers sign, or none do (RFC 8901).

    A resolver that validates would take the unsigned answers of a signed zone for forged, and give its users nothing.
    """
    for told in signing(step.site, step.run.outside.answers, step.within):
        if told.silent:
            step.note(f"nobody can tell whether {', '.join(told.silent)} sign {told.zone}", warning=True)
        if not told.agreed:
            raise Refused(
                f"{told.zone} is signed, and not by all of its servers: {CONSEQUENCE}",
                where=told.zone,
                expected="every server signs, or none does",
                seen=f"unsigned at {', '.join(told.unsigned)}",
                then=REMEDY,
            )


def _kind(answer: Answer) -> str:
    if answer.values is None:
        return "silent"
    return "signed" if answer.values else "unsigned"
