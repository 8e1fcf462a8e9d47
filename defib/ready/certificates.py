"""What browsers would say at every place that users may be sent to: certificates now, and who may issue the next ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from urllib.parse import urlsplit

from defib.clock import Deadline
from defib.ports import Health
from defib.ready.check import Check, Question, State, lasting
from defib.ready.scene import Scene
from defib.sites.site import Site
from defib.sites.vendors import CloudFrontDistribution, HostOfSite
from defib.users.trust import SeenCertificate
from defib.users.ways import SWITCH, Lead, ways

_AMAZON = ("amazon.com", "amazontrust.com", "awstrust.com", "amazonaws.com")
"""Any one will do (https://docs.aws.amazon.com/acm/latest/userguide/setup-caa.html)."""

_CLOUDFLARE = ("letsencrypt.org", "pki.goog", "ssl.com", "sectigo.com")
"""The authorities that Cloudflare takes turns with (https://developers.cloudflare.com/ssl/reference/certificate-authorities/)."""


@dataclass(frozen=True)
class Place:
    """One public name at one place that users may be sent to: where a look at it connects."""

    way: str
    name: str
    connect_to: str


def places(site: Site) -> tuple[Place, ...]:
    """Every public name on every way; wildcards have no certificate of their own to look at."""
    found = []
    for way in ways(site):
        for lead in way.leads:
            if lead.key.type != SWITCH and not lead.key.name.startswith("*."):
                found += [Place(way.name, lead.key.name, target) for target in _targets(lead)]
    return tuple(dict.fromkeys(found))


def questions(scene: Scene) -> Iterator[Question]:
    """One for each public name at each place, and one for each name at each backup."""
    for place in places(scene.site):
        yield Question("certificate", f"{place.name} at {place.way}", partial(_shown, scene, place))
    for host in scene.site.hosts:
        for name in dict.fromkeys(record.name for record in host.records):
            yield Question("caa", f"{name} at {host.name}", partial(_may_issue, scene, host, name))
    for cdn in scene.site.cdns:
        issuers = _AMAZON if isinstance(cdn, CloudFrontDistribution) else _CLOUDFLARE
        about = f"{scene.site.steered.name} at {cdn.name}"
        yield Question("caa", about, partial(_may_renew, scene, about, scene.site.steered.name, issuers))


def _targets(lead: Lead) -> tuple[str, ...]:
    return lead.values or tuple(value for name, value in lead.attributes if name.endswith("DNSName"))


def _shown(scene: Scene, place: Place, within: Deadline) -> Iterator[Check]:
    port = urlsplit(scene.site.page.url).port
    url = f"https://{place.name.rstrip('.')}{f':{port}' if port else ''}/"
    about = f"{place.name} at {place.way}"
    for seen in scene.outside.certificates.look(url, place.connect_to, within=within):
        yield judge(about, seen, scene.clock.now())


def judge(about: str, seen: SeenCertificate, now: datetime) -> Check:
    """What one certificate means for users who are sent there."""
    where = f" ({seen.address})" if seen.address else ""
    if seen.health is not Health.GOOD or seen.not_after is None:
        text = (seen.problem or "it does not say until when it is valid") + where
        if seen.health is not Health.BAD:
            return Check("certificate", about, State.UNKNOWN, text)
        text += ": users sent there would see a warning, or nothing"
        return Check("certificate", about, State.FAIL, text, "have one issued there for the name")
    state, text = lasting(seen.not_after, now)
    return Check("certificate", about, state, text + where, "" if state is State.OK else "see why it is not renewed there")


def _may_issue(scene: Scene, host: HostOfSite, name: str, within: Deadline) -> Iterator[Check]:
    """D13: the backup's authority must be allowed to issue, or its certificate is the last one."""
    about, policy = f"{name} at {host.name}", scene.outside.caa.policy(name, within=within)
    allowed = policy.allows(host.issuer)
    if allowed is None:
        yield Check("caa", about, State.UNKNOWN, policy.problem)
    elif allowed:
        by = f" by the CAA records of {policy.found_at}" if policy.found_at else ": there are no CAA records"
        yield Check("caa", about, State.OK, f"{host.issuer} may issue{by}")
    else:
        text = f"{host.issuer} may not issue for it, by the CAA records of {policy.found_at}"
        yield Check("caa", about, State.FAIL, text, f'add CAA 0 issue "{host.issuer}" there')


def _may_renew(scene: Scene, about: str, name: str, issuers: Sequence[str], within: Deadline) -> Iterator[Check]:
    """A CDN may hold a certificate that its owner brought, so what it could not renew by itself is a warning."""
    policy = scene.outside.caa.policy(name, within=within)
    allowed = [issuer for issuer in issuers if policy.allows(issuer)]
    if policy.problem:
        yield Check("caa", about, State.UNKNOWN, policy.problem)
    elif allowed:
        yield Check("caa", about, State.OK, f"{allowed[0]} may issue")
    else:
        text = f"none of {', '.join(issuers)} may issue for it, by the CAA records of {policy.found_at}"
        yield Check("caa", about, State.WARN, text, "allow one of them, unless you bring the certificate yourself")
