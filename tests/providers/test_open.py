"""A site file leads to the right adapters, with the right ids, keys and limits around them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from defib.clock import Deadline, SystemClock
from defib.errors import LeaseLost, SecretMissing
from defib.lab.alone import serve_aws, serve_cloudflare
from defib.lab.furniture import DISTRIBUTION_DOMAIN
from defib.ports import RecordChange
from defib.providers.open import open_cdn, open_zone
from defib.sites.site import Site, load_site
from defib.sites.values import Aws
from defib.sites.vendors import CloudflareDistribution, CloudflareZone, CloudFrontDistribution, Rfc2136Zone, Route53Zone
from tests.contracts.dns_zone import WWW
from tests.providers.dns.test_rfc2136 import SECRET, running_primary, server

SITES = Path(__file__).parents[2] / "runbooks" / "sites"
CLOCK = SystemClock()


def soon() -> Deadline:
    """A deadline."""
    return Deadline.after(CLOCK, timedelta(seconds=10))


def site(name: str = "lab") -> Site:
    """A site of the lab as it stands in the repository."""
    return load_site(SITES / f"{name}.yaml")


def known(**values: str) -> Callable[[str], str]:
    """Secrets by the last part of their reference."""
    return lambda reference: values[reference.rpartition("/")[2].replace("-", "_")]


def test_opens_route53_and_cloudfront() -> None:
    """The lab's site reads its own steering record and its own distribution through what was opened."""
    lab = site()
    assert isinstance(lab.dns[0], Route53Zone)
    assert isinstance(lab.primary, CloudFrontDistribution)
    with serve_aws() as aws:
        reached = lab.dns[0].aws.model_copy(update={"endpoint": aws.endpoint})
        dns = lab.dns[0].model_copy(update={"aws": reached})
        secrets = known(aws_access_key=aws.credentials.access_key, aws_secret_key=aws.credentials.secret_key)
        zone = open_zone(dns, secrets)
        assert (zone.vendor, zone.zone) == ("route53", "Z0PULSETRADING")
        (steering,) = zone.read([lab.steered.key], within=soon())
        assert steering is not None
        assert steering.values == (f"{DISTRIBUTION_DOMAIN}.",)
        config = lab.primary.model_copy(update={"aws": reached})
        cdn = open_cdn(lab, config, secrets)
        assert (cdn.vendor, cdn.distribution) == ("cloudfront", "E2PULSETRADING")
        assert lab.steered.name in cdn.status(within=soon()).names


def test_opens_cloudflare_for_the_name_of_the_page() -> None:
    """The public name comes from the page's URL, without which Cloudflare's zone could not be judged."""
    lab = site()
    config = lab.standbys[0]
    assert isinstance(config, CloudflareDistribution)
    with serve_cloudflare() as running:
        reached = config.model_copy(update={"api": running.endpoint})
        cdn = open_cdn(lab, reached, known(cloudflare_token=running.token))
        assert (cdn.vendor, cdn.distribution) == ("cloudflare", config.zone_id)
        assert cdn.status(within=soon()).names == (lab.steered.name,)


def test_opens_a_zone_at_cloudflare() -> None:
    """The lab's zone at Cloudflare reads its steering record through what was opened, TTL and comment included."""
    lab = site("lab-cloudflare")
    assert isinstance(lab.dns[0], CloudflareZone)
    with serve_cloudflare() as running:
        dns = lab.dns[0].model_copy(update={"api": running.endpoint})
        zone = open_zone(dns, known(cloudflare_token=running.token))
        assert (zone.vendor, zone.zone) == ("cloudflare", lab.dns[0].zone_id)
        (steering,) = zone.read([lab.steered.key], within=soon())
        assert steering is not None
        assert (steering.ttl, steering.values) == (lab.steered.ttl, (f"{DISTRIBUTION_DOMAIN}.",))
        assert steering.attributes == (("comment", "steering, by defib"),)


def test_writing_at_cloudflare_is_checked_first() -> None:
    """E8: who may no longer write is stopped between the limit of calls and the vendor, and nothing is asked."""

    def lost() -> None:
        raise LeaseLost("another run holds the site")

    lab = site("lab-cloudflare")
    assert isinstance(lab.dns[0], CloudflareZone)
    with serve_cloudflare() as running:
        dns = lab.dns[0].model_copy(update={"api": running.endpoint})
        secrets = known(cloudflare_token=running.token)
        zone = open_zone(dns, secrets, lost)
        (steering,) = zone.read([lab.steered.key], within=soon())
        assert steering is not None
        stood = running.api.zones
        with pytest.raises(LeaseLost):
            zone.replace([RecordChange(steering, replace(steering, values=("other.test.",)))], within=soon())
        assert running.api.zones == stood


def test_opens_rfc2136_with_its_key_and_servers() -> None:
    """The zone on a name server is asked at the site file's primary, signed with the site file's key."""
    lab = site("lab-rfc2136")
    assert isinstance(lab.dns[0], Rfc2136Zone)
    with running_primary() as running:
        dns = lab.dns[0].model_copy(
            update={
                "zone": "contract.test.",
                "primary": server(running.primary.authority),
                "servers": running.servers(),
            }
        )
        zone = open_zone(dns, known(tsig_key=SECRET))
        assert (zone.vendor, zone.zone) == ("rfc2136", "contract.test.")
        assert zone.read([WWW.key], within=soon()) == (WWW,)


def test_tsig_secret_that_is_not_base64_is_told_and_not_shown() -> None:
    """E13: a mangled secret is refused by its reference, and not repeated."""
    with pytest.raises(SecretMissing) as caught:
        open_zone(site("lab-rfc2136").dns[0], known(tsig_key="mangled-secret!"))
    assert caught.value.where == "file:lab/secrets/tsig-key"
    assert "mangled" not in f"{caught.value} {caught.value.__cause__!r}"


def test_half_a_pair_of_keys_is_refused() -> None:
    """An access key without its secret is a mistake, not a reason to look elsewhere."""
    lab = site()
    assert isinstance(lab.primary, CloudFrontDistribution)
    config = lab.primary.model_copy(update={"aws": Aws(access_key="env:KEY")})
    with pytest.raises(SecretMissing) as caught:
        open_cdn(lab, config, known())
    assert caught.value.where == "aws.secret_key"


def test_missing_secret_is_told_before_anything_is_asked() -> None:
    """A secret that is not there ends the opening with its own error."""

    def nowhere(reference: str) -> str:
        raise SecretMissing("nothing there", where=reference)

    for name in ("lab", "lab-rfc2136", "lab-cloudflare"):
        with pytest.raises(SecretMissing):
            open_zone(site(name).dns[0], nowhere)


def test_importing_loads_no_vendor_library() -> None:
    """Opening is imported by every command, so vendors' libraries wait until they are needed."""
    program = "import sys, defib.providers.open; print(sorted({'boto3', 'httpx', 'dns'} & set(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert told.stdout.strip() == "[]"
