"""Which permissions each procedure of a site needs at AWS: the parts of the site file, and what their adapters declare.

Nothing is asked. What stands here is held against the calls that procedures make, in the tests of ``defib export iam``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import get_args

from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo

from defib.errors import InputError
from defib.ports import RecordKey
from defib.privilege.permission import Permission
from defib.providers import access_aws, secret
from defib.providers.blocking import cloudwatch
from defib.providers.bucket import authority, inventory, jobs, metrics, settings
from defib.providers.bucket import s3 as objects
from defib.providers.cdn import cloudfront
from defib.providers.dns import route53, s3_switch
from defib.providers.host import s3_cloudfront
from defib.providers.pointer import distribution
from defib.providers.releases import s3 as releases
from defib.providers.standby import zone as standby
from defib.providers.status import s3 as status
from defib.redeploy.groundwork import groundwork
from defib.redeploy.place import find_host
from defib.sites.alerts import S3StatusPage
from defib.sites.git import repositories
from defib.sites.replication import BucketAt, Replicated
from defib.sites.site import Site
from defib.sites.values import Aws, secret_reference
from defib.sites.vendors import AwsHost, CdnOfSite, CloudFrontDistribution, FailoverSwitch, HostOfSite, Route53Zone
from defib.users.ways import SWITCH, Way, leads_at, to_host, ways

DEFAULT = ""
"""The credentials of who has no keys in the site file: those that AWS's own default chain finds."""


@dataclass(frozen=True)
class Needed:
    """One permission, and the credentials that need it: the reference to their access key, or :data:`DEFAULT`."""

    credentials: str
    permission: Permission


Part = Callable[[Site], Iterator[Needed]]


def needed(site: Site, procedure: str) -> tuple[Needed, ...]:
    """What one procedure, or one of the other activities of :data:`ACTIVITIES`, needs of AWS, each once."""
    if procedure not in ACTIVITIES:
        known = ", ".join(ACTIVITIES)
        raise InputError(f"no permissions are known of {procedure!r}", expected=f"one of: {known}", then="defib export iam")
    parts = (_secrets, *ACTIVITIES[procedure])
    return tuple(dict.fromkeys(each for part in parts for each in part(site)))


def of_zone(site: Site, config: Route53Zone, keys: tuple[RecordKey, ...] | None = None) -> tuple[Permission, ...]:
    """What a hosted zone needs for the record sets of a recovery, or for those of `keys`."""
    chosen = _keys(site, config) if keys is None else keys
    inside = [key for key in chosen if site.zone_of(key.name) == config.zone]
    return route53.permissions(config.zone_id, inside)


def of_cdn(config: CloudFrontDistribution) -> tuple[Permission, ...]:
    """What a CDN needs."""
    return cloudfront.permissions(config.distribution)


def of_host(config: AwsHost) -> tuple[Permission, ...]:
    """What a last resort needs to take a release and to serve it."""
    return (
        *s3_cloudfront.attaching(config.distribution),
        *s3_cloudfront.serving(config.bucket, config.distribution),
        *distribution.permissions(config.distribution),
        *releases.reading(config.bucket),
        *releases.uploading(config.bucket),
        releases.unmarking(config.bucket),
    )


def of_switch(config: FailoverSwitch) -> tuple[Permission, ...]:
    """What a switch needs."""
    return s3_switch.permissions(config.bucket, config.key)


def of_page(config: S3StatusPage) -> tuple[Permission, ...]:
    """What a status page needs."""
    return status.permissions(config.bucket, config.prefix)


def references(part: BaseModel) -> Iterator[tuple[str, str]]:
    """Every reference to a secret below a part of a site file, with the place where it stands."""
    for name, value in part:
        refers = _refers(type(part).model_fields[name])
        for place, each in _within(name, value):
            if isinstance(each, BaseModel):
                yield from ((f"{place}.{deeper}", reference) for deeper, reference in references(each))
            elif isinstance(each, str) and refers:
                yield place, each


def _refers(field: FieldInfo) -> bool:
    """Whether a field is a reference to a secret: all else that looks like one is text."""
    parts: list[object] = [*field.metadata, field.annotation]
    while parts:
        part = parts.pop()
        if isinstance(part, BeforeValidator) and part.func is secret_reference:
            return True
        parts += get_args(part)
    return False


def _within(name: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, tuple):
        for number, each in enumerate(value):
            called = getattr(each, "name", None) or number
            yield f"{name}[{called}]", each
    else:
        yield name, value


def _by(aws: Aws, *permissions: Permission) -> Iterator[Needed]:
    for permission in permissions:
        yield Needed(aws.access_key or DEFAULT, permission)


def _secrets(site: Site) -> Iterator[Needed]:
    """Every procedure resolves all secrets of the site before it begins."""
    for _, reference in references(site):
        permission = secret.permission(reference)
        if permission is not None:
            yield Needed(DEFAULT, permission)


def _every_way(site: Site) -> tuple[Way, ...]:
    primary = (to_host(site, site.primary_host),) if site.hosts else ()
    return (*ways(site), *primary)


def _keys(site: Site, config: Route53Zone) -> tuple[RecordKey, ...]:
    """The record sets of a zone that differ from way to way."""
    leads = (lead for way in _every_way(site) for lead in leads_at(config, way))
    return tuple(dict.fromkeys(lead.key for lead in leads if not lead.armed and lead.key.type != SWITCH))


def _steering(site: Site) -> Iterator[Needed]:
    for config in site.dns:
        if isinstance(config, Route53Zone) and site.steering and site.zone_of(site.steering.name) == config.zone:
            yield from _by(config.aws, *of_zone(site, config, (site.steering.key,)))


def _records(site: Site) -> Iterator[Needed]:
    for config in site.dns:
        if isinstance(config, Route53Zone):
            yield from _by(config.aws, *of_zone(site, config))
        elif isinstance(config, FailoverSwitch):
            yield from _by(config.aws, *of_switch(config))


def _cdns(site: Site, *cdns: CdnOfSite) -> Iterator[Needed]:
    for cdn in cdns or site.cdns:
        if isinstance(cdn, CloudFrontDistribution):
            yield from _by(cdn.aws, *of_cdn(cdn))


def _status_of_standbys(site: Site) -> Iterator[Needed]:
    yield from _reading(_cdns(site, *site.standbys)) if site.standbys else ()


def _hosts(site: Site, *hosts: HostOfSite) -> Iterator[Needed]:
    for host in hosts or site.hosts:
        if isinstance(host, AwsHost):
            yield from _by(host.aws, *s3_cloudfront.attaching(host.distribution))


def _backups(site: Site) -> Iterator[Needed]:
    """A last resort is a backup like any other, where those before it cannot take the users."""
    last = find_host(site)
    if last is not None and last in site.backups:
        yield from _hosts(site, last)


def _redeployed(site: Site) -> Iterator[Needed]:
    """What a redeploy changed beside record sets, put back."""
    host = find_host(site)
    if host is not None:
        found = distribution.permissions(host.distribution)
        yield from _by(host.aws, *(replace(each, why="only where what is taken back is a redeploy") for each in found))


def _purging(site: Site) -> Iterator[Needed]:
    """A CDN that comes back with an older build than users have is told to forget it."""
    for each in _cdns(site):
        if each.permission.acts:
            yield Needed(each.credentials, replace(each.permission, why="only where the CDN comes back with an older build"))


def _redeploying(site: Site) -> Iterator[Needed]:
    host = find_host(site)
    if host is not None:
        yield from _by(host.aws, *of_host(host))
        yield from _shared_cdn(site, host)


def _serving(site: Site) -> Iterator[Needed]:
    """An earlier release, which is there."""
    host = find_host(site)
    if host is not None:
        manifests = s3_cloudfront.serving(host.bucket, host.distribution)
        yield from _by(host.aws, *distribution.permissions(host.distribution), *manifests, *releases.reading(host.bucket))
        yield from _shared_cdn(site, host)


def _shared_cdn(site: Site, host: AwsHost) -> Iterator[Needed]:
    """Where the release is served by one of the CDNs, that is told to forget the page."""
    for cdn in site.cdns:
        if isinstance(cdn, CloudFrontDistribution) and cdn.distribution == host.distribution:
            yield from _cdns(site, cdn)


def _ground(site: Site) -> Iterator[Needed]:
    host = find_host(site)
    if host is not None:
        yield from _by(host.aws, *standby.permissions(groundwork(site, host)))


def _ground_that_lacks(site: Site) -> Iterator[Needed]:
    """A redeploy looks at all of it, and makes what is missing."""
    for each in _ground(site):
        own = each.permission
        why = own.why or ("only where the standby lacks something, or has it otherwise" if own.acts else "")
        yield Needed(each.credentials, replace(own, why=why))


def _pages(site: Site) -> Iterator[Needed]:
    for page in site.status:
        if isinstance(page, S3StatusPage):
            yield from _by(page.aws, *of_page(page))


def _copies_elsewhere(site: Site) -> Iterator[Needed]:
    for repository in repositories(site.site, site.git):
        copy = repository.copy_to
        if copy is not None:
            below = f"{site.site}/{repository.name}.bundle*"
            uploads = releases.uploading(copy.bucket, below)
            yield from _by(copy.aws, *releases.reading(copy.bucket, below), *uploads)


def _sides(pair: Replicated) -> tuple[BucketAt, BucketAt]:
    return pair.source, pair.replica


def _auditing(site: Site) -> Iterator[Needed]:
    """How replication is configured."""
    for pair in site.replication:
        for side in _sides(pair):
            yield from _by(side.aws, *settings.permissions(side.bucket), *authority.permissions(side.aws.region))


def _comparing(site: Site) -> Iterator[Needed]:
    yield from _auditing(site)
    for pair in site.replication:
        for side in _sides(pair):
            yield from _by(side.aws, *objects.reading(side.bucket, versions=not pair.unversioned))
        if pair.inventory is not None:
            of_source, of_replica = pair.inventory.source, pair.inventory.replica
            yield from _by(pair.source.aws, *inventory.permissions(of_source.bucket, of_source.prefix))
            yield from _by(pair.replica.aws, *inventory.permissions(of_replica.bucket, of_replica.prefix))


def _checking(site: Site) -> Iterator[Needed]:
    """Comparing, CloudWatch, and a canary, which is removed from both sides."""
    yield from _comparing(site)
    for pair in site.replication:
        yield from _by(pair.source.aws, objects.writing_canaries(pair.source.bucket, pair.canary))
        for side in _sides(pair):
            yield from _by(side.aws, metrics.METRICS)
            yield from _by(side.aws, objects.removing(side.bucket, pair.canary, versions=not pair.unversioned))


def _repairing(site: Site) -> Iterator[Needed]:
    """Copies at the replica, by its credentials, which read the source too; jobs by those of the source."""
    yield from _comparing(site)
    for pair in site.replication:
        versions, replica = not pair.unversioned, pair.replica
        yield from _by(replica.aws, *objects.reading(pair.source.bucket, versions=versions))
        yield from _by(replica.aws, *objects.copying_into(replica.bucket))
        yield from _by(replica.aws, objects.removing(replica.bucket, versions=versions))
        if pair.account:
            region = pair.source.aws.region
            yield from _by(pair.source.aws, *jobs.permissions(pair.account, region, pair.batch_role))


_FROM_THERE = "asked where the source lacks something, and with --from replica"


def _restoring(site: Site) -> Iterator[Needed]:
    """From either side into the source, or into another bucket that the site file names for it."""
    for pair in site.replication:
        source, replica = pair.source, pair.replica
        yield from _by(source.aws, *objects.reading(source.bucket))
        yield from _by(replica.aws, *objects.reading(replica.bucket))
        settled = settings.permissions(replica.bucket)
        yield from _by(replica.aws, *(replace(each, why=each.why or _FROM_THERE) for each in settled))
        for target in (source, *pair.restore_into):
            yield from _by(target.aws, *settings.permissions(target.bucket))
            for bucket in dict.fromkeys((source.bucket, replica.bucket, target.bucket)):
                yield from _by(target.aws, *objects.reading(bucket))
            yield from _by(target.aws, *objects.copying_into(target.bucket), objects.marking_deleted(target.bucket))
            yield from _by(target.aws, objects.removing(target.bucket))
        # What was replicated of a restore that is taken back is removed as well.
        yield from _by(replica.aws, objects.removing(replica.bucket))


def _asking(site: Site) -> Iterator[Needed]:
    """Every set of credentials is asked what it may do."""
    credentials = dict.fromkeys(each.credentials for part in (_records, _cdns, _hosts, _pages) for each in part(site))
    for each in credentials:
        for permission in access_aws.ASKING:
            yield Needed(each, permission)


def _claims(site: Site) -> Iterator[Needed]:
    for cdn in site.cdns:
        if isinstance(cdn, CloudFrontDistribution):
            yield from _by(cdn.aws, access_aws.claiming(cdn.distribution))


def _reading(found: Iterator[Needed]) -> Iterator[Needed]:
    return (each for each in found if not each.permission.acts)


def _ready(site: Site) -> Iterator[Needed]:
    """It reads what a recovery would, and changes nothing."""
    for part in (_asking, _records, _cdns, _claims, _hosts, _ground, _auditing):
        yield from _reading(part(site))


def _alarms(site: Site) -> Iterator[Needed]:
    """What holds a drill back."""
    for each in site.drills.alarms if site.drills else ():
        yield from _by(each.aws, cloudwatch.ALARMS)


def _hushing(site: Site) -> Iterator[Needed]:
    """In the lab: what an earlier drill has said on a status page before it was killed is taken back."""
    for each in _pages(site) if site.lab else ():
        own = each.permission
        why = own.why or ("" if own.actions == ("s3:GetObject",) else "only where a drill was killed")
        yield Needed(each.credentials, replace(own, why=why))


def _pruning(site: Site) -> Iterator[Needed]:
    host = find_host(site)
    if host is not None:
        manifests = s3_cloudfront.serving(host.bucket, host.distribution)
        yield from _by(host.aws, *manifests, *releases.reading(host.bucket), releases.removing(host.bucket))


ACTIVITIES: dict[str, tuple[Part, ...]] = {
    "cdn-failover": (_steering, _status_of_standbys, _pages),
    "dns-switch": (_records, _backups, _pages),
    "aws-redeploy": (_records, _redeploying, _ground_that_lacks, _pages),
    "release-rollback": (_serving,),
    "standby-prepare": (_ground,),
    "failback": (_records, _redeployed, _purging),
    "git-mirror": (_copies_elsewhere,),
    "git-promote": (),
    "replication-check": (_checking,),
    "replication-repair": (_repairing,),
    "asset-restore": (_restoring,),
    "readiness": (_ready,),
    "drill": (_alarms, _ready, _hushing),
    "release-prune": (_pruning,),
}
"""Every procedure by its name, and what else asks AWS: ``defib ready``, what holds a drill back, and ``release prune``.

Users read on status pages of what they lose: procedures that keep them served, or take them back, say nothing there.
"""
