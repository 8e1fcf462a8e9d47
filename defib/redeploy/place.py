"""The last resort of a site: where its releases are kept, which of them it serves, and what it is made of."""

from __future__ import annotations

from dataclasses import dataclass

from defib.errors import InputError
from defib.ports import DnsZone
from defib.redeploy.groundwork import Audit
from defib.releases.store import ReleaseStore
from defib.sites.site import Site
from defib.sites.vendors import AwsHost


@dataclass(frozen=True)
class LastResort:
    """What a run reaches of it: `pointer` and `ground` are changed as zones are; `audit` knows how the ground must be."""

    pointer: DnsZone
    store: ReleaseStore
    ground: DnsZone
    audit: Audit

    @property
    def changeable(self) -> tuple[DnsZone, DnsZone]:
        """What a plan may change of it."""
        return self.pointer, self.ground


def find_host(site: Site) -> AwsHost | None:
    """The last resort of a site; None where its file names none."""
    return next((host for host in site.hosts if isinstance(host, AwsHost)), None)


def host_of(site: Site) -> AwsHost:
    """The last resort of a site; :class:`InputError` where its file names none."""
    host = find_host(site)
    if host is None:
        expected = "a host with provider: s3-cloudfront"
        raise InputError(f"the site {site.site} has no last resort", where=f"{site.site}.yaml", expected=expected)
    return host
