"""The whole of aws-redeploy under a simulated clock: from whoever holds the sources to users on a release of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from defib import entries
from defib.building.built import Built, Kind
from defib.clock import Deadline
from defib.errors import StepFailed, Unavailable
from defib.objectives import Status, Verdict
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
from defib.run import PlanReady
from defib.timeline import timeline
from flows import aws_redeploy
from tests.stage import BUILD, GOOD, LAB, REFUSED, START, Stage, steps

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


class AwsStage(Stage):
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
        self._live(OLD)
        self.remember()
        self.host_fails()
        self.edges["netlify"] = REFUSED

    def _live(self, commit: str) -> None:
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


@pytest.fixture
def stage(tmp_path: Path) -> AwsStage:
    """The lab's site with a last resort on AWS, everything else down."""
    yaml = YAML(typ="safe")
    plain = yaml.load(LAB.read_text(encoding="utf-8"))
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
    path = tmp_path / "lab.yaml"
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(plain, file)
    return AwsStage(tmp_path, site_path=path)


class TestRedeploy:
    """From everything down to users on AWS."""

    def test_users_are_served_what_they_had(self, stage: AwsStage) -> None:
        """R1: GitHub is dead, GitLab holds the commit that users had: built, uploaded, served, and users are sent there."""
        run, outcome = stage.recover("aws-redeploy", since=stage.clock.now())
        told = timeline(run.journal.records)
        assert (outcome.status, outcome.reason) == (Status.RECOVERED, "")
        assert (stage.stands(), stage.serves()) == (ON_AWS, USERS_HAD)
        assert steps(run) == [(name, "done") for name in aws_redeploy.PROCEDURE.steps]
        assert (told.rto.verdict, told.rpo.verdict, told.rpo.actual) == (Verdict.MET, Verdict.MET, timedelta(0))
        assert "not from github: connection refused" in stage.notes()

    def test_newer_commit_that_descends_is_taken(self, stage: AwsStage) -> None:
        """The newest commit of the line that users were on wins."""
        stage.sources.offers["github"] = Offer("github", tip(NEWER, USERS_HAD, OLD, minutes=10))
        _, outcome = stage.recover("aws-redeploy")
        assert (outcome.status, stage.serves()) == (Status.RECOVERED, NEWER)

    def test_commit_that_a_person_insists_on(self, stage: AwsStage) -> None:
        """A person's word goes before what is newest; the journal keeps it, with the doubt."""
        stage.sources.offers["github"] = Offer("github", tip(NEWER, USERS_HAD, OLD, minutes=10))
        stage.sources.offers["gitlab"] = Offer("gitlab", tip(OLD, minutes=24 * 60))
        run, outcome = stage.recover("aws-redeploy", commit=OLD)
        opened = next(record.entry for record in run.journal.records if isinstance(record.entry, entries.Opened))
        assert (outcome.status, stage.serves(), opened.commit) == (Status.RECOVERED, OLD, OLD)
        assert "because a person insists on it" in stage.notes()

    def test_commit_that_nobody_holds(self, stage: AwsStage) -> None:
        """Who insists on a commit that nobody offers is told what there is."""
        _, outcome = stage.recover("aws-redeploy", commit=NEWER)
        assert (outcome.status, f"nobody offers {NEWER}" in outcome.reason) == (Status.REFUSED, True)

    def test_mirror_that_is_behind(self, stage: AwsStage) -> None:
        """R2: nobody holds more than an older commit: it is deployed, its age is shown, and the RPO is missed."""
        stage.sources.offers["gitlab"] = Offer("gitlab", tip(OLD, minutes=24 * 60))
        run, outcome = stage.recover("aws-redeploy")
        rpo = timeline(run.journal.records).rpo
        assert (outcome.status, outcome.reason) == (Status.RECOVERED, "")
        assert (stage.serves(), rpo.verdict, rpo.actual) == (OLD, Verdict.MISSED, BUILD.built - (START - timedelta(days=1)))
        assert "made 1 day" in stage.notes()

    def test_one_plan_for_release_and_names(self, stage: AwsStage) -> None:
        """The release and the record sets are approved together, by one digest, and put back together."""
        before = (stage.memory.records, stage.pointer.records)
        run, _ = stage.recover("aws-redeploy")
        planned = next(run.journal.of(entries.Planned))
        assert [change.vendor for change in planned.changes] == [pointer.VENDOR, "route53"]
        stage.rollback(run.id)
        assert (stage.memory.records, stage.pointer.records) == before

    def test_release_that_is_live_is_not_uploaded_again(self, stage: AwsStage) -> None:
        """What is there already costs no upload, and no flip."""
        run, _ = stage.recover("aws-redeploy")
        stage.rollback(run.id)
        stage.clock.sleep(timedelta(seconds=5))  # until no resolver sends users to AWS any more
        _, outcome = stage.recover("aws-redeploy")
        assert (outcome.status, outcome.reason) == (Status.RECOVERED, "")
        assert "0 uploaded" in stage.notes()

    def test_failback_takes_users_back(self, stage: AwsStage) -> None:
        """When the host is well again, users go back, and the pointer stands as it did."""
        before = stage.memory.records
        run, _ = stage.recover("aws-redeploy")
        stage.origin = GOOD
        stage.edges.update(dict.fromkeys(stage.edges, GOOD))
        _, outcome = stage.recover("failback", follows=run.id)
        assert (outcome.status, outcome.reason) == (Status.RECOVERED, "")
        assert (stage.memory.records, stage.serves()) == (before, OLD)


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


class TestGround:
    """What the last resort is made of."""

    def test_what_is_missing_is_made_first(self, stage: AwsStage) -> None:
        """The bucket is a change of the approved plan, made before anything is brought there; and it stays."""
        stage.ground.lacks(groundwork.BUCKET)
        run, outcome = stage.recover("aws-redeploy")
        planned = next(run.journal.of(entries.Planned))
        assert (outcome.status, outcome.reason) == (Status.RECOVERED, "")
        assert [change.vendor for change in planned.changes] == [groundwork.VENDOR, pointer.VENDOR, "route53"]
        stage.origin = GOOD
        stage.edges.update(dict.fromkeys(stage.edges, GOOD))
        assert stage.recover("failback", follows=run.id)[1].status is Status.RECOVERED
        assert len(stage.ground.zone.records) == 1

    def test_distribution_is_not_there(self, stage: AwsStage) -> None:
        """What would get an id that no site file names is refused, with what is to be done before."""
        stage.ground.lacks(groundwork.DISTRIBUTION)
        _, outcome = stage.recover("aws-redeploy")
        assert (outcome.status, "standby-prepare" in outcome.reason) == (Status.REFUSED, True)


class TestRefusals:
    """What is refused or fails, with users where they are."""

    @pytest.fixture(autouse=True)
    def nothing_changed(self, stage: AwsStage) -> Any:
        """Neither a name nor the release is changed."""
        yield
        assert (stage.memory.applied, stage.serves()) == ((), OLD)

    def test_backup_host_serves(self, stage: AwsStage) -> None:
        """Where a backup host serves the site, it is quicker to send users there."""
        stage.edges["netlify"] = GOOD
        _, outcome = stage.recover("aws-redeploy")
        assert (outcome.status, "defib plan dns-switch" in outcome.reason) == (Status.REFUSED, True)

    def test_mirror_that_was_pushed_over(self, stage: AwsStage) -> None:
        """R3: a remote whose branch is another line is refused by its name."""
        stage.sources.offers["gitlab"] = Offer("gitlab", tip(STRANGE))
        _, outcome = stage.recover("aws-redeploy")
        assert (outcome.status, "gitlab" in outcome.reason) == (Status.REFUSED, True)

    def test_build_fails(self, stage: AwsStage) -> None:
        """R4: a build that fails switches nothing, and nothing is uploaded."""
        stage.bench.fails = True
        _, outcome = stage.recover("aws-redeploy")
        assert (outcome.status, "the build failed" in outcome.reason) == (Status.FAILED, True)
        assert USERS_HAD not in str(stage.store.list("", within=Deadline.after(stage.clock, timedelta(seconds=1))))

    def test_upload_fails(self, stage: AwsStage) -> None:
        """R6: a store that refuses leaves the release incomplete, and users where they are."""
        stage.store.failures.schedule(Unavailable("slow down"), calls=99, methods={"put"})
        _, outcome = stage.recover("aws-redeploy")
        assert outcome.status is Status.FAILED

    def test_distribution_keeps_serving_the_old_release(self, stage: AwsStage) -> None:
        """C13: the pointer moved and the edges do not follow: waited for within the budget, then told, and put back."""
        stage.view = lambda observer, aim, at: (
            REFUSED if aim.connect_to.startswith("d3pulse") else stage.see(observer, aim, at)
        )
        _, outcome = stage.recover("aws-redeploy")
        assert (outcome.status, "does not serve the release" in outcome.reason) == (Status.ROLLED_BACK, True)


def test_plan_builds_and_changes_nothing(stage: AwsStage) -> None:
    """A plan shows the release and the record sets before and after."""
    run = stage.plan("aws-redeploy")
    with pytest.raises(PlanReady) as ready:
        aws_redeploy.play(run)
    first = ready.value.plan.changes[0]
    after = pointer.pointing_at(DISTRIBUTION, pointer.path_of(USERS_HAD))
    assert first.records == (RecordChange(_pointing(OLD), after),)
    assert (stage.memory.applied, stage.serves()) == ((), OLD)


def _pointing(commit: str) -> RecordSet:
    return pointer.pointing_at(DISTRIBUTION, pointer.path_of(commit))


class TestReleaseRollback:
    """Users are on AWS, and what they get is bad."""

    @pytest.fixture
    def on_aws(self, stage: AwsStage) -> AwsStage:
        """Users are on a release on AWS."""
        stage.recover("aws-redeploy")
        stage._live(USERS_HAD)
        stage.store.calls.clear()
        return stage

    def test_release_before_is_served(self, on_aws: AwsStage) -> None:
        """R17: one write flips back to the release before, nothing is uploaded, and users have it within seconds."""
        flips = len(on_aws.pointer.applied)
        begun = on_aws.clock.now()
        _, outcome = on_aws.recover("release-rollback")
        assert (outcome.status, outcome.reason) == (Status.RECOVERED, "")
        assert (on_aws.serves(), len(on_aws.pointer.applied)) == (OLD, flips + 1)
        assert on_aws.store.calls.get("put", 0) == 0
        assert on_aws.clock.now() - begun < timedelta(seconds=60)
        assert on_aws.stands() == ON_AWS

    def test_and_forward_again(self, on_aws: AwsStage) -> None:
        """What was rolled back can be put back as any change."""
        run, _ = on_aws.recover("release-rollback")
        on_aws.rollback(run.id)
        assert on_aws.serves() == USERS_HAD

    def test_no_release_before(self, stage: AwsStage) -> None:
        """With the live one alone there is nothing to go back to."""
        _, outcome = stage.recover("release-rollback")
        assert (outcome.status, "no complete release but the live one" in outcome.reason) == (Status.REFUSED, True)

    def test_incomplete_release_is_not_taken(self, on_aws: AwsStage) -> None:
        """R8: a release that lacks an object is no release to go back to."""
        within = Deadline.after(on_aws.clock, timedelta(seconds=9))
        on_aws.store.delete([f"releases/{OLD}/index.html"], within=within)
        _, outcome = on_aws.recover("release-rollback")
        assert (outcome.status, on_aws.serves()) == (Status.FAILED, USERS_HAD)
