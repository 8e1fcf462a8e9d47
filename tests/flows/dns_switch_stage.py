"""The world of the tests of dns-switch: the lab's own site under a simulated clock, its primary host down."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from defib import entries
from defib.clock import Deadline
from defib.errors import Unavailable
from defib.ports import Answer, Answers, Receipt, RecordChange, RecordKey, RecordSet
from defib.providers.dns.memory import MemoryZone
from defib.providers.host.memory import MemoryHost
from defib.providers.wrappers.around import ZoneAround
from tests.stage import LAB, RUNBOOKS, Stage, seconds

WWW, APEX = "www.pulse-trading.test.", "pulse-trading.test."
BACKUP = {(WWW, "CNAME"): ("pulse-trading.netlify.app.",), (APEX, "A"): ("127.77.9.1",)}
PRIMARY = {(WWW, "CNAME"): ("d2pulsetrading.cloudfront.net.",), (APEX, "A"): ("127.77.8.1",)}

Site = dict[str, Any]


def world(folder: Path, edit: Callable[[Site], None] = lambda _: None, runbooks: Path = RUNBOOKS) -> Stage:
    """A world whose primary host refuses connections, of the lab's site file as `edit` leaves it."""
    yaml = YAML(typ="safe")
    plain = yaml.load(LAB.read_text(encoding="utf-8"))
    plain["hosts"] = [host for host in plain["hosts"] if host["name"] != "aws"]
    edit(plain)
    path = folder / "lab.yaml"
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(plain, file)
    stage = Stage(folder, site_path=path, runbooks=runbooks)
    stage.remember()
    stage.host_fails()
    return stage


class ControlPlaneDown(ZoneAround):
    """Its name servers answer, and its API does not."""

    def read(self, keys: Sequence[RecordKey], *, within: Deadline) -> tuple[RecordSet | None, ...]:
        raise Unavailable("control plane down")


class ReadOnceChanged(ZoneAround):
    """Its API answers until a change was made and read back, and then no more."""

    _reads_left = 99

    def read(self, keys: Sequence[RecordKey], *, within: Deadline) -> tuple[RecordSet | None, ...]:
        """As ever, and once after a change."""
        if not self._reads_left:
            raise Unavailable("control plane down")
        self._reads_left -= 1
        return super().read(keys, within=within)

    def replace(self, changes: Sequence[RecordChange], *, within: Deadline) -> Receipt:
        """As ever."""
        self._reads_left = 1
        return super().replace(changes, within=within)


@dataclass
class Routed:
    """Answers of servers that have an AAAA from weighted sets beside what can be read."""

    inner: Answers

    def authoritative(self, key: RecordKey, *, within: Deadline, at: str = "") -> tuple[Answer, ...]:
        """The weighted answer, or that of the world."""
        if key == RecordKey(APEX, "AAAA"):
            return (Answer("ns-1", None, problem="silent"), Answer("ns-2", ("2001:db8::1",), seconds(60)))
        return self.inner.authoritative(key, within=within, at=at)

    def resolvers(self, key: RecordKey, *, within: Deadline, only: Collection[str] = ()) -> tuple[Answer, ...]:
        """As in the world."""
        return self.inner.resolvers(key, within=within, only=only)


@dataclass
class AsProxied:
    """Answers of a provider that gives addresses for every name, and nothing for CNAME."""

    inner: Answers

    def authoritative(self, key: RecordKey, *, within: Deadline, at: str = "") -> tuple[Answer, ...]:
        """No CNAME."""
        return _without_names(key, self.inner.authoritative(key, within=within, at=at))

    def resolvers(self, key: RecordKey, *, within: Deadline, only: Collection[str] = ()) -> tuple[Answer, ...]:
        """No CNAME."""
        return _without_names(key, self.inner.resolvers(key, within=within, only=only))


def _without_names(key: RecordKey, answers: tuple[Answer, ...]) -> tuple[Answer, ...]:
    return tuple(replace(each, values=()) if key.type == "CNAME" else each for each in answers)


@dataclass
class Unheard:
    """Answers where no name server is heard: some network keeps port 53 to itself."""

    inner: Answers

    def authoritative(self, key: RecordKey, *, within: Deadline, at: str = "") -> tuple[Answer, ...]:
        """No answer from anybody."""
        found = self.inner.authoritative(key, within=within, at=at)
        return tuple(replace(each, values=None, problem="no answer within 2 s") for each in found)

    def resolvers(self, key: RecordKey, *, within: Deadline, only: Collection[str] = ()) -> tuple[Answer, ...]:
        """As in the world, over HTTPS."""
        return tuple(replace(each, via="https") for each in self.inner.resolvers(key, within=within, only=only))


@dataclass
class Flattened:
    """Answers where every other resolver asks a provider that flattens the apex."""

    inner: Answers

    def authoritative(self, key: RecordKey, *, within: Deadline, at: str = "") -> tuple[Answer, ...]:
        """As in the world."""
        return self.inner.authoritative(key, within=within, at=at)

    def resolvers(self, key: RecordKey, *, within: Deadline, only: Collection[str] = ()) -> tuple[Answer, ...]:
        """Half of them have other addresses."""
        found = self.inner.resolvers(key, within=within, only=only)
        if key != RecordKey(APEX, "A"):
            return found
        return tuple(replace(each, values=("192.0.2.77",)) if number % 2 else each for number, each in enumerate(found))


@dataclass
class Together:
    """Answers that come once every name is asked for: of resolvers, and of name servers while a run watches."""

    inner: Answers
    names: int

    def __post_init__(self) -> None:
        self._resolvers, self._servers = (threading.Barrier(self.names, timeout=30) for _ in range(2))
        self.watching = False

    def authoritative(self, key: RecordKey, *, within: Deadline, at: str = "") -> tuple[Answer, ...]:
        """When the others are asked for, too."""
        if self.watching and at:
            self._servers.wait()
        return self.inner.authoritative(key, within=within, at=at)

    def resolvers(self, key: RecordKey, *, within: Deadline, only: Collection[str] = ()) -> tuple[Answer, ...]:
        """When the others are asked for, too."""
        if self.watching:
            self._resolvers.wait()
        return self.inner.resolvers(key, within=within, only=only)


def at_cloudflare(plain: Site) -> None:
    """The zone is held by Cloudflare."""
    own = {name: plain["dns"][name] for name in ("zone", "zone_id", "servers")}
    plain["dns"] = own | {"provider": "cloudflare", "token": "file:lab/secrets/cloudflare-token"}


def two_providers(plain: Site) -> None:
    """The zone is held by a second provider as well."""
    second = {
        "provider": "rfc2136",
        "zone": plain["dns"]["zone"],
        "primary": {"name": "primary", "address": "127.77.5.11", "port": 5300},
        "servers": [{"name": "second-1", "address": "127.77.5.11", "port": 5300}],
        "tsig": {"name": "defib", "secret": "file:lab/secrets/tsig-key"},
    }
    plain["dns"] = [plain["dns"], second]


def with_ipv6(plain: Site) -> None:
    """Both hosts have an address of each family for the apex."""
    for host, address in zip(plain["hosts"], ("2001:db8::8", "2001:db8::9"), strict=True):
        host["records"].append({"name": "pulse-trading.test", "type": "AAAA", "values": [address]})


def without_ipv6_at_the_backup(plain: Site) -> None:
    """The backup has no IPv6: while users are there, there is no AAAA."""
    with_ipv6(plain)
    plain["hosts"][1]["records"][-1]["values"] = []


def two_addresses_at_the_backup(plain: Site) -> None:
    """The apex leads to two servers of the backup."""
    plain["hosts"][1]["records"][1]["values"] = ["127.77.9.1", "127.77.9.2"]


def with_a_wildcard(plain: Site) -> None:
    """Whatever else is in the zone leads to the hosts, too."""
    for host, address in zip(plain["hosts"], ("127.77.8.1", "127.77.9.1"), strict=True):
        host["records"].append({"name": "*.pulse-trading.test", "type": "A", "values": [address]})


def stands(zone: MemoryZone) -> dict[tuple[str, str], tuple[str, ...]]:
    """What stands in a zone, by name and type."""
    return {(record.key.name, record.key.type): record.values for record in zone.records}


def notes(stage: Stage) -> str:
    """All notes in one text."""
    return "\n".join(record.entry.text for record in stage.seen if isinstance(record.entry, entries.Noted))


def netlify(stage: Stage) -> MemoryHost:
    """The backup's platform."""
    return stage.hosts["netlify"]
