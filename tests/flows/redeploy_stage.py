"""A world under a simulated clock in which every host has failed, with a last resort and somebody who holds the sources."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from defib import entries
from defib.building.built import Built, Kind
from defib.clock import Deadline
from defib.errors import StepFailed
from defib.ports import Aim, Attachment, Build, Deployment, Expect, RecordChange, RecordKey, RecordSet
from defib.providers.dns.memory import MemoryZone
from defib.providers.host.memory import MemoryHost
from defib.providers.releases.memory import MemoryReleases
from defib.redeploy import groundwork, pointer
from defib.redeploy.offer import Deployed, Offer, Offers, Tip, Trouble
from defib.redeploy.place import LastResort
from defib.redeploy.workshop import Workshop
from defib.releases.crowd import Crowd
from defib.releases.deploy import deploy
from defib.releases.plan import Before
from defib.releases.tree import files_of
from tests.stage import BUILD, GOOD, LAB, REFUSED, START, Stage

DISTRIBUTION = "EAWSPULSETRADING"
WWW, APEX = "www.pulse-trading.test.", "pulse-trading.test."
OLD, USERS_HAD, NEWER, STRANGE = "0" * 40, BUILD.id, "5e" * 20, "bad" + "0" * 37
ON_AWS = {(WWW, "CNAME"): ("d3pulsetrading.cloudfront.net.",), (APEX, "A"): ("127.77.3.2",)}


def tip(commit: str, *holds: str, minutes: float = 30) -> Tip:
    """A commit, so many minutes old, and what it descends from."""
    return Tip(commit, START - timedelta(minutes=minutes), frozenset({commit, *holds}))


@dataclass
class MemorySources:
    """What remotes offer; change the fields to break them."""

    offers: dict[str, Offer]
    bundle: Offer | None = None
    asked: list[Sequence[str]] = field(default_factory=list)

    def ask(self, deployed: Sequence[str], *, within: Deadline, users_had: datetime | None = None) -> Offers:
        self.asked.append(deployed)
        known = Deployed(tip(deployed[0], *deployed[1:])) if deployed else None
        return Offers(tuple(self.offers.values()), self.bundle, known)

    def export(self, commit: str, folder: Path, *, within: Deadline) -> None:
        folder.mkdir(parents=True)


class Bench(Workshop):
    """A workshop whose build is a page with the commit in it."""

    fails = False

    def make(self, commit: str, committed: datetime, *, within: Deadline, line: Callable[[str], None]) -> Built:
        if self.fails:
            raise StepFailed("the build failed", seen="exit 1")
        line("compiling")
        folder = self._home.path / "artefacts" / commit
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "index.html").write_text(commit, encoding="utf-8")
        (folder / "main.dart.js").write_text(f"run('{commit}')", encoding="utf-8")
        build = Build(commit, committed)
        return Built(commit, folder, Kind.FLUTTER, (), (), False, "", build, timedelta(seconds=3))


class RedeployStage(Stage):
    """A world in which every host has failed, and GitHub with them; GitLab holds what users had."""

    def __post_init__(self) -> None:
        super().__post_init__()
        before = pointer.pointing_at(DISTRIBUTION, pointer.path_of(OLD))
        self.pointer = MemoryZone(DISTRIBUTION, [before], vendor=pointer.VENDOR)
        self.store = MemoryReleases(self.clock)
        dead = Offer("github", None, Trouble.UNREACHABLE, "connection refused")
        self.sources = MemorySources({"github": dead, "gitlab": Offer("gitlab", tip(USERS_HAD, OLD))})
        self.bench = Bench(self.site, self.desk.home, self.sources, Crowd(parallel=1))
        zone = MemoryZone("pulse-trading-aws", vendor=groundwork.VENDOR)
        self.ground = Ground(zone)
        self.more = {"last_resort": LastResort(self.pointer, self.store, zone, self.ground), "workshop": self.bench}
        self.put_release(OLD)
        self.live(OLD)
        self.remember()
        self.host_fails()
        self.edges["netlify"] = REFUSED
        self.start = self.memory.records

    def live(self, commit: str) -> None:
        """The platform says that it serves this release."""
        deployment = Deployment(commit, START - timedelta(days=1), commit)
        self.hosts["aws"] = MemoryHost(DISTRIBUTION, [deployment], commit, self._attached())

    def _attached(self) -> list[Attachment]:
        until = START + timedelta(days=60)
        return [Attachment(name, attached=True, verified=True, certificate_until=until) for name in (WWW, APEX)]

    def put_release(self, commit: str) -> None:
        """A whole release in the bucket."""
        folder = self.home / f"build-{commit[:6]}"
        folder.mkdir()
        (folder / "index.html").write_text(commit, encoding="utf-8")
        within, one = Deadline.after(self.clock, timedelta(minutes=1)), Crowd(parallel=1)
        files = partial(files_of, folder, within=within, crowd=one)
        before = Before(None, timedelta(days=30), self.clock.now())
        deploy(self.store, commit, files, START - timedelta(days=1), before, within=within, crowd=one)
        self.clock.sleep(timedelta(seconds=1))

    def see(self, observer: str, aim: Aim, _at: datetime) -> Any:
        """The distribution serves the release that its pointer names, if that is there."""
        elsewhere = aim.url == self.site.origin.url or aim.expect is Expect.REACHABLE
        if elsewhere or (aim.connect_to or self._resolve(observer)) != ON_AWS[WWW, "CNAME"][0]:
            return super().see(observer, aim, _at)
        commit = pointer.commit_of(self.pointer.records[0].values[0])
        there = self.store.list(f"releases/{commit}/", within=Deadline.after(self.clock, timedelta(seconds=1)))
        known = {
            OLD: Build(OLD, START - timedelta(days=1)),
            USERS_HAD: BUILD,
            NEWER: Build(NEWER, START - timedelta(minutes=10)),
        }
        return replace(GOOD, build=known[commit]) if there and commit in known else REFUSED

    def stands(self) -> dict[tuple[str, str], tuple[str, ...]]:
        """What stands in the zone, by name and type."""
        return {(record.key.name, record.key.type): record.values for record in self.memory.records}

    def serves(self) -> str:
        """The commit that the pointer names."""
        return pointer.commit_of(self.pointer.records[0].values[0])

    def notes(self) -> str:
        """All notes in one text."""
        return "\n".join(record.entry.text for record in self.seen if isinstance(record.entry, entries.Noted))


class Ground:
    """A bucket that is there or not; without a distribution, what is made first would have no place in the site file."""

    def __init__(self, zone: MemoryZone) -> None:
        self.zone = zone
        self.wanted: list[RecordSet] = []

    def lacks(self, kind: str) -> None:
        """From now on this is missing."""
        self.wanted.append(RecordSet(groundwork.key_of(kind, "pulse-trading-aws"), timedelta(0), ("{}",)))

    @property
    def keys(self) -> tuple[RecordKey, ...]:
        return tuple(record.key for record in self.wanted)

    def audit(self, *, within: Deadline) -> tuple[RecordChange, ...]:
        present = self.zone.read(self.keys, within=within)
        return tuple(RecordChange(None, record) for record, there in zip(self.wanted, present, strict=True) if not there)

    def misplaced(self, *, within: Deadline) -> str:
        del within
        return ""


def redeploy_stage(home: Path, edit: Callable[[str], str] = lambda text: text) -> RedeployStage:
    """The lab's site with a last resort on AWS, everything else down."""
    yaml = YAML(typ="safe")
    plain = yaml.load(edit(LAB.read_text(encoding="utf-8")))
    plain["hosts"] = [host for host in plain["hosts"] if host["name"] != "aws"]
    plain["hosts"].append(
        {
            "name": "aws",
            "provider": "s3-cloudfront",
            "role": "backup",
            "bucket": "pulse-trading-aws",
            "distribution": DISTRIBUTION,
            "hostname": "d3pulsetrading.cloudfront.net",
            "records": [
                {"name": WWW, "type": "CNAME", "values": ["d3pulsetrading.cloudfront.net"], "ttl": "3s"},
                {"name": APEX, "type": "A", "values": ["127.77.3.2"], "ttl": "3s"},
            ],
        }
    )
    plain["git"] = {"remotes": [{"name": "github", "url": "https://github.com/a/b.git"}]}
    plain["build"] = {"command": ["true"], "output": "build/web"}
    path = home / "lab.yaml"
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(plain, file)
    return RedeployStage(home, site_path=path)
