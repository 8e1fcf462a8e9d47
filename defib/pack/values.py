"""What the words in capitals of a runbook stand for at one site, and which of them only the moment tells."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from defib.redeploy.place import find_host
from defib.sites.git import repositories
from defib.sites.site import Site
from defib.sites.vendors import CloudflareZone, FailoverSwitch, Route53Zone, Server
from defib.users.ways import by_cdn, to_host

MOMENT: Mapping[str, str] = {
    "DIGEST": "what the plan prints",
    "RUN": "the run's id: `defib runs`",
    "ETAG": "what the command before printed",
    "COMMIT": "the commit that was built",
    "ID": "only known then: what was printed before",
    "USERS_HAD": "the commit that users had: the page's build marker",
    "CANDIDATE": "a commit that a remote offers",
    "OUTPUT": "the folder that the build made",
    "OLD": "the ref as it was at the mirror",
    "NEW": "the ref as it is at the source",
    "BRANCH": "the branch that was pushed over",
    "DATE": "today",
    "FILE": "the bundle",
    "KEY": "the object's key, or the private key of age",
    "VERSION": "the object's version",
    "ONCE": "any word that was not used before",
}
"""Words that no site file can say, and where they come from."""

FIXED = frozenset(
    {
        *("DELETE", "CREATE", "PATCH", "POST", "GET", "PUT", "CNAME", "CAA", "AAAA", "HTML", "JSON", "NONE", "FAILED"),
        *("ENABLED", "PENDING", "GB", "TLS", "DNS", "HTTPS", "AWS", "API", "CDN", "RTO", "RPO", "UTC", "ID.", "STATUS"),
    }
)
"""Words in capitals that stand for themselves."""

_OF_THE_SITE = frozenset({("dns-switch", "KEY")})
"""Where such a word is the site's after all."""

Resolve = Callable[[Site, str, str], Iterator[str]]
"""From a site, a procedure and the text that the word stands in, everything that it stands for."""


@dataclass(frozen=True)
class Values:
    """The words of one procedure at one site."""

    site: Site
    procedure: str

    def of(self, word: str, text: str) -> tuple[str, ...] | None:
        """All that a word stands for; nothing where the site has no such thing, None where only the moment tells."""
        resolve = _WORDS.get(word)
        found = tuple(dict.fromkeys(resolve(self.site, self.procedure, text))) if resolve else ()
        return found or (None if word in MOMENT and (self.procedure, word) not in _OF_THE_SITE else ())

    def is_word(self, word: str) -> bool:
        """Whether it stands for something."""
        return word in _WORDS or word in MOMENT


def _zones(site: Site, _procedure: str, text: str) -> Iterator[str]:
    cloudflare = "cloudflare.com" in text or "/zones/" in text
    for zone in site.dns:
        if isinstance(zone, CloudflareZone if cloudflare else Route53Zone):
            yield zone.zone_id


def _hostnames(site: Site, procedure: str, _text: str) -> Iterator[str]:
    """Where a look at the place goes to that the procedure sends users to."""
    if procedure == "cdn-failover":
        yield from (by_cdn(site, cdn).connect_to.rstrip(".") for cdn in site.standbys)
    elif procedure == "failback":
        primary = by_cdn(site, site.primary) if site.cdns else to_host(site, site.primary_host)
        yield primary.connect_to.rstrip(".")
    else:
        last = find_host(site)
        backups = [host for host in site.backups if host is not last]
        yield from (to_host(site, host).connect_to.rstrip(".") for host in backups)


def _servers(site: Site, _procedure: str, _text: str) -> Iterator[str]:
    yield from map(_dig, site.servers)


def _dig(server: Server) -> str:
    return server.address if server.port == 53 else f"{server.address} -p {server.port}"  # noqa: PLR2004 - of DNS


def _buckets(site: Site, procedure: str, _text: str) -> Iterator[str]:
    host = find_host(site)
    if procedure == "dns-switch":
        yield from (zone.bucket for zone in site.dns if isinstance(zone, FailoverSwitch))
    elif procedure == "git-mirror":
        yield from (each.copy_to.bucket for each in repositories(site.site, site.git) if each.copy_to)
    elif host is not None:
        yield host.bucket


def _keys(site: Site, procedure: str, _text: str) -> Iterator[str]:
    if procedure == "dns-switch":
        yield from (zone.key for zone in site.dns if isinstance(zone, FailoverSwitch))


def _ids(site: Site, _procedure: str, text: str) -> Iterator[str]:
    host = find_host(site)
    if "cloudfront" in text and host is not None:
        yield host.distribution


def _urls(site: Site, _procedure: str, _text: str) -> Iterator[str]:
    yield from (remote.url for each in repositories(site.site, site.git) for remote in each.remotes)


def _mirrors(site: Site, _procedure: str, _text: str) -> Iterator[str]:
    yield from (remote.name for each in repositories(site.site, site.git) for remote in each.remotes[1:])


def _repositories(site: Site, procedure: str, text: str) -> Iterator[str]:
    if "dns_records" in text:
        yield urlsplit(site.page.url).hostname or ""
    elif procedure == "git-mirror":
        yield from (each.name for each in repositories(site.site, site.git))


def _tokens(site: Site, _procedure: str, _text: str) -> Iterator[str]:
    for zone in site.dns:
        if isinstance(zone, CloudflareZone):
            yield shell(zone.token)


def shell(reference: str) -> str:
    """How a shell gets at a secret by its reference, without the secret standing anywhere."""
    kind, _, rest = reference.partition(":")
    if kind == "env":
        return f"${rest}"
    if kind == "file":
        return f'$(cat "$DEFIB_HOME/{rest}")'
    secret, _, key = rest.partition("#")
    picked = f" | python3 -c 'import json,sys; print(json.load(sys.stdin)[\"{key}\"])'" if key else ""
    return f"$(aws secretsmanager get-secret-value --secret-id {secret} --query SecretString --output text{picked})"


_WORDS: Mapping[str, Resolve] = {
    "ZONE": _zones,
    "HOSTNAME": _hostnames,
    "SERVER": _servers,
    "BUCKET": _buckets,
    "KEY": _keys,
    "ID": _ids,
    "URL": _urls,
    "MIRROR": _mirrors,
    "NAME": _repositories,
    "TOKEN": _tokens,
    "SITE": lambda site, _procedure, _text: iter((site.site,)),
    "SOURCE": lambda site, _procedure, _text: (pair.source.bucket for pair in site.replication),
    "REPLICA": lambda site, _procedure, _text: (pair.replica.bucket for pair in site.replication),
    "ACCOUNT": lambda site, _procedure, _text: (pair.account for pair in site.replication if pair.account),
    "ROLE": lambda site, _procedure, _text: (pair.batch_role for pair in site.replication if pair.batch_role),
}
