"""``defib ready`` as a user runs it, against a lab in which one thing after the other is broken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import boto3
import pytest

from defib.clock import Deadline, SystemClock
from defib.lab import furniture, process
from defib.ports import DnsZone, RecordChange, RecordKey, RecordSet
from defib.providers.open import open_zone
from defib.providers.secret import resolve
from defib.ready import board
from defib.sites.site import Site, load_site
from tests.conftest import Defib, Ended, LabMaker

NET = "127.97"
WWW = "www.pulse-trading.test."
NEVER_TOLD = {("credentials", "netlify"), ("quota", "netlify"), ("quota", "aws")}
"""What Netlify's API tells nobody."""

Checks = Mapping[tuple[str, str], tuple[str, str]]


@pytest.fixture(scope="module")
def lab(make_lab: LabMaker) -> Defib:
    """A lab for this module."""
    return make_lab(NET)


@pytest.fixture
def whole(lab: Defib) -> Iterator[Defib]:
    """The lab, healed afterwards."""
    yield lab
    process.heal(lab.home)


@pytest.fixture(scope="module")
def site(lab: Defib) -> Site:
    """The site of the lab."""
    return load_site(lab.home / "lab" / "sites" / "lab.yaml")


def checks(ended: Ended) -> Checks:
    """State and text of each check, by name and by whom it is about."""
    return {(each["name"], each["about"]): (each["state"], each["text"]) for each in ended.json["checks"]}


def not_well(ended: Ended) -> set[tuple[str, str]]:
    """Name and first word of whom it is about, of what fails or cannot be told."""
    return {(name, about.split()[0]) for (name, about), (state, _) in checks(ended).items() if state in {"fail", "unknown"}}


def zone_of(lab: Defib, site: Site) -> DnsZone:
    """The zone of the site, as a run writes to it."""
    return open_zone(site.dns[0], lambda reference: resolve(reference, lab.home))


@contextmanager
def standing(zone: DnsZone, after: RecordSet) -> Iterator[None]:
    """`after` in place of what stands there, until the end."""

    def soon() -> Deadline:
        return Deadline.after(SystemClock(), timedelta(seconds=60))

    (before,) = zone.read([after.key], within=soon())
    zone.replace([RecordChange(before, after)], within=soon())
    try:
        yield
    finally:
        zone.replace([RecordChange(after, before)], within=soon())


def test_a_healthy_lab_after_its_drill(lab: Defib) -> None:
    """All that vendors tell is well, the procedure that was drilled is proved, and looking has changed nothing outside."""
    assert lab("drill", "cdn-failover", "--site", "lab", "--no-prefect", "--json").code == 0
    before = process.client(lab.home).fingerprint()
    ended = lab("ready", "--site", "lab", "--json")
    assert process.client(lab.home).fingerprint() == before
    assert {(name, about) for name, about in not_well(ended) if (name, about) not in NEVER_TOLD} == set(), ended.out
    told = checks(ended)
    assert told["proved", "cdn-failover"][0] == "ok"
    assert told["steering", "route53 pulse-trading.test."] == ("ok", "users are sent to cloudfront")
    assert told["credentials", f"route53 {furniture.ZONE_ID}"][0] == "ok"
    assert told["build", "cloudflare"] == ("ok", "it serves the build that users have")
    assert (lab.home / "sites" / "lab" / "users-build.json").is_file()
    expected = "unknown" if not_well(ended) else ended.json["state"]
    assert (ended.json["site"], ended.json["state"], ended.json["exit_code"]) == ("lab", expected, ended.code)
    assert ended.code == (6 if not_well(ended) else 0)


@pytest.mark.parametrize(
    ("api", "about", "says"),
    [
        ("route53-api", f"route53 {furniture.ZONE_ID}", "it lacks route53:ChangeResourceRecordSets"),
        ("cloudfront-api", f"cloudfront {furniture.DISTRIBUTION}", "it lacks cloudfront:CreateInvalidation"),
        ("cloudflare-api", "cloudflare 023e105f4ecef8ad9ca31a8372d0c353 #cache_purge:edit", "it lacks #cache_purge:edit"),
        ("vercel-api", "vercel prj_PulseTrading0000000000000001", "it may not attach names (projectDomain)"),
    ],
)
def test_a_token_that_may_read_but_not_edit(whole: Defib, api: str, about: str, says: str) -> None:
    """D11: found in the readiness check, with what is lacking."""
    process.break_(whole.home, api, "read-only")
    ended = whole("ready", "--site", "lab", "--json")
    state, text = checks(ended)["credentials", about]
    assert (ended.code, state, says in text) == (1, "fail", True)
    vendor = about.split(maxsplit=1)[0]
    also = {("credentials", "s3-cloudfront")} if vendor == "cloudfront" else set()  # the last resort is that, too
    assert not_well(ended) - NEVER_TOLD - also == {("credentials", vendor)}


def test_a_ttl_of_a_day(whole: Defib, site: Site) -> None:
    """D12: more than 300 s fails, for resolvers would keep users from their recovery for so long."""
    day = RecordSet(site.steered.key, timedelta(days=1), (site.primary.hostname,))
    with standing(zone_of(whole, site), day):
        ended = whole("ready", "--site", "lab", "--json")
    state, text = checks(ended)["ttl", f"{WWW} CNAME"]
    assert (ended.code, state, "TTL 86400 s" in text) == (1, "fail", True)


def test_a_caa_record_that_excludes_the_backups_authority(whole: Defib) -> None:
    """D13: the backup host could not renew its certificate. No resolver of the lab knows this zone's CAA records yet."""
    site = load_site(whole.home / "lab" / "sites" / "lab-rfc2136.yaml")
    zone = site.dns[0].zone
    caa = RecordSet(RecordKey(zone, "CAA"), timedelta(hours=1), ('0 issue "amazon.com"',))
    with standing(zone_of(whole, site), caa):
        ended = whole("ready", "--site", "lab-rfc2136", "--json")
    state, text = checks(ended)["caa", f"www.{zone} at netlify"]
    assert (ended.code, state, "letsencrypt.org may not issue" in text) == (1, "fail", True)


def test_a_name_that_another_distribution_holds(whole: Defib, site: Site, tmp_path: Path) -> None:
    """C14: a standby that cannot take the name, because another distribution has it, is found before the incident."""
    names = ["pulse-trading-2136.test"]
    with _distribution_with(whole, site, names), _another_with(whole, site, [WWW.rstrip(".")]):
        ended = whole("ready", "--site", "lab", "--json")
    state, text = checks(ended)["alias", f"{WWW} at cloudfront"]
    assert (ended.code, state, "CNAMEAlreadyExists" in text, "of account" in text) == (1, "fail", True, True)


@contextmanager
def _distribution_with(lab: Defib, site: Site, names: list[str]) -> Iterator[None]:
    """The site's distribution with other aliases, until the end."""
    client = _cloudfront(lab, site)

    def change(aliases: list[str]) -> list[str]:
        told = client.get_distribution_config(Id=furniture.DISTRIBUTION)
        config, before = told["DistributionConfig"], list(told["DistributionConfig"]["Aliases"].get("Items", []))
        config["Aliases"] = {"Quantity": len(aliases), "Items": aliases}
        client.update_distribution(Id=furniture.DISTRIBUTION, IfMatch=told["ETag"], DistributionConfig=config)
        return before

    before = change(names)
    try:
        yield
    finally:
        change(before)


@contextmanager
def _another_with(lab: Defib, site: Site, names: list[str]) -> Iterator[None]:
    """One more distribution with these aliases, gone at the end."""
    client = _cloudfront(lab, site)
    config = client.get_distribution_config(Id=furniture.DISTRIBUTION)["DistributionConfig"]
    config |= {"CallerReference": "another", "Aliases": {"Quantity": len(names), "Items": names}}
    made = client.create_distribution(DistributionConfig=config)
    other = made["Distribution"]["Id"]
    try:
        yield
    finally:
        off = client.update_distribution(Id=other, IfMatch=made["ETag"], DistributionConfig={**config, "Enabled": False})
        client.delete_distribution(Id=other, IfMatch=off["ETag"])


def _cloudfront(lab: Defib, site: Site):  # type: ignore[no-untyped-def]  # noqa: ANN202 - boto3's clients have no type to name
    aws = site.primary.aws  # type: ignore[union-attr]
    return boto3.client(
        "cloudfront",
        region_name=aws.region,
        endpoint_url=aws.endpoint,
        aws_access_key_id=resolve(aws.access_key or "", lab.home),
        aws_secret_access_key=resolve(aws.secret_key or "", lab.home),
    )


def test_a_table_for_people(whole: Defib) -> None:
    """On a terminal or in a log: every check with its state and what to do, and the verdict in the last line."""
    process.break_(whole.home, "cloudflare", "refuse")
    ended = whole("ready", "--site", "lab")
    assert ended.code == 1
    lines = ended.out.splitlines()
    assert lines[0].split() == ["check", "of", "state", "found"]
    assert lines[-1].startswith("lab: NOT READY (")
    assert any(line.startswith("build") for line in lines)
    assert "next: " in ended.out
    assert max(map(len, lines)) <= 100


def test_vendors_that_all_hang(whole: Defib) -> None:
    """Whatever hangs, the check ends in time, and says of everything that it could not ask that it does not know."""
    for api in ("route53-api", "cloudfront-api", "cloudflare-api", "vercel-api", "netlify-api"):
        process.break_(whole.home, api, "hang")
    clock = SystemClock()
    started = clock.monotonic()
    ended = whole("ready", "--site", "lab", "--json")
    assert clock.monotonic() - started < board.WHOLE + timedelta(seconds=20)
    told = checks(ended)
    for name in ("steering", "alias", "quota", "attachment"):
        assert {state for (known, _), (state, _) in told.items() if known == name} == {"unknown"}
    assert told["lease", "lab"][0] == "ok"
    assert told["build", "cloudflare"][0] == "ok"
    assert ended.code == 6


def test_without_its_lab(defib: Defib) -> None:
    """A site of the lab cannot be checked while the lab is down, and the answer says what to do."""
    ended = defib("ready", "--site", "lab", "--json")
    assert (ended.code, ended.json["next"]) == (18, "defib lab up")
    assert defib("ready", "--site", "nowhere", "--json").code == 12


def test_what_is_not_there(lab: Defib) -> None:
    """A secret that is missing is a failure, and not the end of the check."""
    secret = lab.home / "lab" / "secrets" / "cloudflare-token"
    kept = secret.read_bytes()
    secret.unlink()
    try:
        ended = lab("ready", "--site", "lab", "--json")
    finally:
        secret.write_bytes(kept)
    told = checks(ended)
    assert ended.code == 1
    assert told["credentials", "file:lab/secrets/cloudflare-token"][0] == "fail"
    assert told["outside", "lab"][0] == "unknown"
    assert told["disk", str(replace(lab).home)][0] in {"ok", "warn"}
