"""What each step of a plan needs: a vendor's control plane, and whose, or only what users have themselves.

A data plane goes on answering while its control plane is down. Route 53's control plane is in us-east-1 alone, and its data
plane, which answers and checks health, is everywhere
(https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/appendix-b---edge-network-global-service-guidance.html).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from defib.about import About, about
from defib.objectives import Phase, Plane
from defib.plan import Plan
from defib.runbook import Runbook, RunbookStep
from defib.sites.git import repositories
from defib.sites.site import Site
from defib.sites.vendors import AwsHost, DnsZoneConfig, FailoverSwitch, Rfc2136Zone

_APIS: Mapping[str, str] = {
    "route53": "Amazon Route 53's API, us-east-1",
    "cloudflare": "Cloudflare's API",
    "cloudfront": "Amazon CloudFront's API, us-east-1",
    "vercel": "Vercel's API",
    "netlify": "Netlify's API",
    "s3-cloudfront": "Amazon CloudFront's API, us-east-1",
}
_OTHERWISE: Mapping[Plane, str] = {
    Plane.DATA: "data: DNS and HTTPS, as users have them",
    Plane.HUMAN: "human: a person who approves the digest",
    Plane.LOCAL: "local: this machine alone",
}


_ON_AWS: Mapping[str, str] = {
    "prepare-the-place": "control: the APIs of Amazon S3, CloudFront and WAF; nothing where all stands",
    "upload-the-release": "data: Amazon S3 in {region}",
    "serve-the-release": "control: Amazon CloudFront's API, us-east-1",
}
"""Steps that act on what a last resort serves, and not on where users go."""


def needs(site: Site, runbook: Runbook, step: RunbookStep, plan: Plan | None = None) -> str:
    """What `step` cannot be done without: the plane first, then whose.

    The step that acts needs what the `plan` changes, whatever plane the runbook gives it: a pre-armed switch is data plane.
    Without a plan that is every vendor that the site's names are at.
    """
    if step.plane in {Plane.CONTROL, Plane.DATA} and about(runbook.procedure) is not About.USERS:
        return _of_copies(site, about(runbook.procedure), step)
    if step.name in _ON_AWS:
        regions = _once(host.aws.region for host in site.hosts if isinstance(host, AwsHost))
        return _ON_AWS[step.name].format(region=", ".join(regions))
    if step.phase is Phase.ACT and step.plane in {Plane.CONTROL, Plane.DATA}:
        return "; ".join(_acting(site, plan)) or "nothing: there is nothing to change"
    if step.plane is Plane.CONTROL:
        places = site.cdns if runbook.against == "cdn" else site.hosts if runbook.against else ()
        named = (_APIS[place.provider] for place in places)
        return f"control: {', '.join(_once(named)) or 'a vendor that the runbook names'}"
    return _OTHERWISE[step.plane]


def _of_copies(site: Site, what: About, step: RunbookStep) -> str:
    """What copies are reached by: nobody's DNS has to be changed for them."""
    if what is About.REPOSITORIES:
        remotes = [remote.name for each in repositories(site.site, site.git) for remote in each.remotes]
        return f"{step.plane}: Git at {', '.join(_once(remotes))}"
    regions = _once(side.aws.region for pair in site.replication for side in (pair.source, pair.replica))
    if step.plane is Plane.CONTROL and step.phase is not Phase.ACT:
        return f"control: the configuration of Amazon S3, IAM, KMS and CloudWatch in {', '.join(regions)}"
    return f"data: Amazon S3 in {', '.join(regions)}"


def _acting(site: Site, plan: Plan | None) -> Sequence[str]:
    zones: Iterable[DnsZoneConfig] = site.dns
    if plan is not None:
        changed = {(change.vendor, record.key.name) for change in plan.changes for record in change.records}
        zones = [zone for zone in site.dns if any(zone.provider == at and _holds(zone, name) for at, name in changed)]
    return _once(_of_zone(zone) for zone in zones)


def _of_zone(zone: DnsZoneConfig) -> str:
    if isinstance(zone, FailoverSwitch):
        return f"data: Amazon S3 in {zone.aws.region} (the switch), no Route 53 control plane"
    if isinstance(zone, Rfc2136Zone):
        return f"control: the zone's own primary name server {zone.primary.address}"
    return f"control: {_APIS[zone.provider]}"


def _holds(zone: DnsZoneConfig, name: str) -> bool:
    return name in zone.names if isinstance(zone, FailoverSwitch) else f".{name}".endswith(f".{zone.zone}")


def _once(texts: Iterable[str]) -> Sequence[str]:
    return tuple(dict.fromkeys(texts))


def needs_of_all(site: Site, runbook: Runbook, plan: Plan | None = None) -> Iterator[tuple[RunbookStep, str]]:
    """Every step of the runbook with what it needs, in order."""
    for step in runbook.steps:
        yield step, needs(site, runbook, step, plan)
