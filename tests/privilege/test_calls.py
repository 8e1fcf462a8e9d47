"""What ``defib export iam`` allows, held against every call that the procedures make of AWS in the lab."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from defib.cli.privileges import ACT, READ, At, Exported, policies
from defib.clock import Deadline, SystemClock
from defib.home import Home
from defib.lab import process
from defib.lab.callbook import VARIABLE
from defib.objectives import Status
from defib.outside import open_outside
from defib.providers.open_replicas import open_replicas
from defib.providers.secret import resolve
from defib.redact import Redactor
from defib.releases.manifest import Manifest, encode
from defib.releases.rules import headers_of, key_of, manifest_key
from defib.releases.store import Upload
from defib.replication.pair import Pair
from defib.replication.port import Status as Replicating
from defib.sites.site import load_site
from tests.conftest import Defib, Ended, LabMaker
from tests.drills.schedule import schedules
from tests.privilege.iam import Statement, allows, covers
from tests.privilege.wire import ACCOUNT, Asked, Call, asked

NET = "127.168"
DONE = (0, 6)
"""Recovered; the second where nobody knows since when there was an outage, because none was watched."""


@dataclass
class Watched:
    """A lab whose AWS writes down what it is asked, and what was asked since somebody last looked."""

    lab: Defib
    book: Path
    seen: int = 0
    calls: dict[str, set[Asked]] = field(default_factory=dict)

    def __call__(self, activity: str, *arguments: str, site: str = "lab", codes: Collection[int] = DONE) -> Ended:
        """Run a command for an activity of a site; all that it asks of AWS must be allowed."""
        ended = self.lab(*arguments)
        assert ended.code in codes, f"{arguments}: {ended.err[-1500:]}{ended.out[:1500]}"
        self.judge(activity, site, only_reads=arguments[0] in {"plan", "ready"} or "--plan" in arguments)
        return ended

    def judge(self, activity: str, site: str, *, only_reads: bool = False) -> None:
        """All since the last look: allowed by what is exported for that activity, for reading alone where it reads."""
        statements = self.statements(activity, site, kinds=(READ,) if only_reads else (READ, ACT))
        found = self.since()
        refused = sorted(map(str, (each for each in found if not any(allows(one, each) for one in statements))))
        assert refused == [], f"{activity} of {site} asks for what is not exported"
        self.calls.setdefault(f"{activity} {site}", set()).update(found)

    def since(self) -> set[Asked]:
        """What was asked since the last look."""
        lines = self.book.read_text(encoding="utf-8").splitlines() if self.book.is_file() else []
        new, self.seen = lines[self.seen :], len(lines)
        return {each for line in new for each in asked(Call(**json.loads(line)))}

    def exported(self, activity: str, site: str) -> list[Exported]:
        """The policies of an activity."""
        path = Path(site) if site.endswith(".yaml") else self.lab.home / "lab" / "sites" / f"{site}.yaml"
        return list(policies(load_site(path), activity, At(ACCOUNT)))

    def statements(self, activity: str, site: str, kinds: Sequence[str] = (READ, ACT)) -> list[Statement]:
        """Theirs."""
        return [one for each in self.exported(activity, site) if each.kind in kinds for one in statements_of(each)]

    def idle(self, activity: str, site: str = "lab") -> set[str]:
        """What is allowed and was never asked for, and for which nothing says why."""
        found, used = self.exported(activity, site), self.calls[f"{activity} {site}"]
        explained = {action for each in found for why in each.whys for action in why.split(": ")[0].split(", ")}
        return {
            f"{action} on {resource}"
            for each in found
            for one in statements_of(each)
            for action in set(one["Action"]) - explained
            for resource in one["Resource"]
            if not any(call.action == action and covers(resource, call.resource) for call in used)
        }

    def variant(self, name: str) -> Callable[[Mapping[str, str]], str]:
        """Writes the site file of that name with other words in it, and gives its path."""
        sites = self.lab.home / "lab" / "sites"
        text, path = (sites / f"{name}.yaml").read_text(encoding="utf-8"), sites / "variant.yaml"

        def write(words: Mapping[str, str]) -> str:
            changed = text
            for word, other in words.items():
                assert word in changed
                changed = changed.replace(word, other)
            path.write_text(changed, encoding="utf-8")
            return str(path)

        return write

    def on(self, *faults: str) -> None:
        """Break vendors."""
        for target in faults:
            process.break_(self.lab.home, target, "refuse")

    def well(self) -> None:
        """Heal everything."""
        process.heal(self.lab.home)


def statements_of(policy: Exported) -> list[Statement]:
    """What stands in it."""
    return list(cast("list[Statement]", policy.document["Statement"]))


@pytest.fixture(scope="module")
def watched(make_lab: LabMaker, tmp_path_factory: pytest.TempPathFactory) -> Watched:
    """A lab for this module."""
    book = tmp_path_factory.mktemp("calls") / "calls.jsonl"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(book))
        lab = make_lab(NET)
    return Watched(lab, book)


@pytest.fixture(autouse=True)
def well(watched: Watched) -> Iterator[None]:
    """Nothing stays broken, and what one test asked for is not another's."""
    watched.since()
    yield
    watched.well()


REHEARSED = ("--mode", "rehearsal", "--no-prefect", "--json")


@pytest.mark.parametrize("site", ["lab", "lab-aws", "lab-armed"])  # which also tells what users have, as a run wants to know
def test_readiness(watched: Watched, site: str) -> None:
    """It asks what a recovery would, and needs no permission to change anything."""
    watched("readiness", "ready", "--site", site, "--json", site=site, codes=(0, 1, 6))
    assert watched.idle("readiness", site) == set()


def test_cdn_failover_and_its_rollback(watched: Watched) -> None:
    """One record set of one name and type, and nothing else of the zone."""
    watched.on("cloudfront")
    watched("cdn-failover", "plan", "cdn-failover", "--site", "lab", "--json")
    run = watched("cdn-failover", "run", "cdn-failover", "--site", "lab", *REHEARSED).json["run_id"]
    watched.well()
    watched("cdn-failover", "rollback", run, "--json", codes=(3,))
    assert watched.idle("cdn-failover") == set()
    (zone,) = [one for one in watched.statements("cdn-failover", "lab") if "Condition" in one]
    names = zone["Condition"]["ForAllValues:StringEquals"]["route53:ChangeResourceRecordSetsNormalizedRecordNames"]
    assert names == ["www.pulse-trading.test"]


def test_dns_switch_and_the_way_back(watched: Watched) -> None:
    """Every record set of every name; where no backup before it can take the users, the last resort is asked."""
    watched.on("vercel", "netlify")
    watched("dns-switch", "plan", "dns-switch", "--site", "lab", "--json", codes=(4,))
    watched.well()
    watched.on("vercel")
    run = watched("dns-switch", "run", "dns-switch", "--site", "lab", *REHEARSED).json["run_id"]
    watched.well()
    assert watched.idle("dns-switch") == set()
    watched("failback", "failback", run, *REHEARSED)
    assert watched.idle("failback") == set()


def test_a_switch_and_its_rollback(watched: Watched) -> None:
    """An object in the place of record sets, and no permission to change any of these."""
    watched.on("vercel")
    run = watched("dns-switch", "run", "dns-switch", "--site", "lab-armed", *REHEARSED, site="lab-armed").json["run_id"]
    watched.well()
    watched("dns-switch", "rollback", run, "--json", site="lab-armed", codes=(3,))
    assert watched.idle("dns-switch", "lab-armed") == set()


def test_aws_redeploy(watched: Watched) -> None:
    """A release is served by AWS within what is exported; it stands there already, so that nothing of it is uploaded."""
    site = "lab-aws"
    watched.on("vercel", "netlify")
    watched("aws-redeploy", "plan", "aws-redeploy", "--site", site, "--json", site=site)
    run = watched("aws-redeploy", "run", "aws-redeploy", "--site", site, *REHEARSED, site=site).json["run_id"]
    assert watched.idle("aws-redeploy", site) <= {"s3:PutObject on arn:aws:s3:::pulse-trading-aws/releases/*"}
    watched("aws-redeploy", "rollback", run, "--json", site=site, codes=(3,))


def test_a_new_release_and_back_to_the_one_before(watched: Watched, tmp_path: Path) -> None:
    """A commit that AWS does not have is uploaded; that it was bad costs one write, and nothing is uploaded."""
    site = "lab-aws"
    push(watched.lab, tmp_path / "tree")
    SystemClock().sleep(timedelta(seconds=3.2))  # the TTL: nobody is on AWS any more
    watched.on("vercel", "netlify")
    watched("aws-redeploy", "run", "aws-redeploy", "--site", site, *REHEARSED, site=site)
    assert watched.idle("aws-redeploy", site) == set()
    old, new = (release["commit"] for release in kept(watched)[::-1])
    assert live(watched) == new
    back = watched("release-rollback", "release", "rollback", "--site", site, *REHEARSED, site=site).json
    assert (back["status"], live(watched)) == ("recovered", old)
    assert watched.idle("release-rollback", site) == set()
    watched("release-rollback", "rollback", back["run_id"], "--json", site=site, codes=(3,))
    assert live(watched) == new


def test_releases_that_nobody_needs(watched: Watched) -> None:
    """Listed by who may only read; removed with the permission to remove objects of releases, and no other."""
    path = watched.variant("lab-aws")(
        {"    distribution: EAWSPULSETRADING\n": "    distribution: EAWSPULSETRADING\n    retention: 1s\n"}
    )
    before = {release["commit"] for release in kept(watched)}
    for commit, days in ((FORGOTTEN, 400), ("e" * 40, 300)):
        put_long_ago(watched.lab, Path(path), next(iter(before)), commit, timedelta(days=days))
    watched.since()
    listed = watched("release-prune", "release", "prune", "--site", path, "--json", site=path)
    gone = {each["commit"] for each in listed.json["releases"]}
    assert {FORGOTTEN} <= gone <= {FORGOTTEN, "e" * 40}  # the other one may be the one before the live one
    removed = watched("release-prune", "release", "prune", "--site", path, "--yes", "--json", site=path).json
    assert (removed["removed"], removed["releases"]) == (True, listed.json["releases"])
    assert {release["commit"] for release in kept(watched)} == (before | {"e" * 40}) - gone
    assert watched.idle("release-prune", path) == set()


FORGOTTEN = "f" * 40
"""A release of long ago, after which another one came."""


def put_long_ago(lab: Defib, site: Path, like: str, commit: str, ago: timedelta) -> None:
    """A release of one page, as it was left behind so long ago."""
    clock = SystemClock()
    outside = open_outside(load_site(site), Home(lab.home), Redactor(), clock)
    outside.fence.arm(lambda: None)
    store, within = outside.the_last_resort.store, Deadline.after(clock, timedelta(seconds=30))
    store.copy(key_of(like, "index.html"), key_of(commit, "index.html"), within=within)
    text = encode(Manifest(commit, clock.now() - ago, clock.now() - ago, ()))
    key = manifest_key(commit)
    store.put(Upload(key, text, len(text), hashlib.sha256(text).hexdigest(), headers_of(key)), within=within)


def kept(watched: Watched) -> list[dict[str, Any]]:
    """The releases in the bucket, the newest first."""
    found: list[dict[str, Any]] = watched.lab("releases", "--site", "lab-aws", "--json").json["releases"]
    return found


def live(watched: Watched) -> str:
    """The release that is served."""
    (commit,) = (release["commit"] for release in kept(watched) if release["state"] == "live")
    return str(commit)


def push(lab: Defib, tree: Path) -> None:
    """A commit upon the one that is served, at GitHub."""
    config = load_site(lab.home / "lab" / "sites" / "lab-aws.yaml").git
    assert config is not None
    github = config.remotes[0]
    token = (lab.home / "lab" / "secrets" / "github-token").read_text(encoding="utf-8").strip()
    address = github.url.replace("://", f"://{github.user}:{token}@")
    who = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org"]
    for command in (
        ["clone", "--quiet", address, str(tree)],
        ["-C", str(tree), *who, "commit", "--quiet", "--allow-empty", "--message", "A release that turns out to be bad"],
        ["-C", str(tree), "push", "--quiet", "origin", "HEAD"],
    ):
        subprocess.run(["git", *command], check=True, capture_output=True, timeout=30, env=lab.environment())


def test_what_holds_a_drill_back(watched: Watched) -> None:
    """The alarms that the site file names are asked, and all that readiness asks; one that is not there may be ringing."""
    with schedules(watched.lab) as make:
        make("cdn-failover", timedelta(minutes=1))
        path = watched.lab.home / "lab" / "sites" / "lab.yaml"
        aws = load_site(path).dns[0].model_dump(mode="json")["aws"]
        alarms = json.dumps([{"names": ["checkout-is-down"], "aws": aws}])
        path.write_text(path.read_text(encoding="utf-8").replace('"procedures": [', f'"alarms": {alarms}, "procedures": ['))
        ended = watched("drill", "drills", "--site", "lab", "--hold", "--no-prefect", "--json", codes=(4,))
        assert "there is no alarm 'checkout-is-down'" in ended.json["reason"]
        assert watched.idle("drill") == set()


def test_a_standby_that_is_not_there_and_one_that_differs(watched: Watched) -> None:
    """Everything is made, down to a distribution whose names another one has; everything is changed; and all taken back."""
    site, more = watched.variant("lab-aws"), ("standby-prepare", "--site")
    path = site({"bucket: pulse-trading-aws\n": "bucket: pulse-made-anew\n", "EAWSPULSETRADING": "ENOTTHEREYET1"})
    watched("standby-prepare", "run", *more, path, *REHEARSED, site=path, codes=(3,))
    limits = "    bucket: pulse-made-too\n    limits: [{name: all, per_minute: 500}]\n    logs: pulse-made-logs\n"
    site(
        {
            "    bucket: pulse-trading-aws\n": limits,
            "X-Frame-Options: DENY": "X-Frame-Options: SAMEORIGIN",
        }
    )
    run = watched("standby-prepare", "run", *more, path, *REHEARSED, site=path).json["run_id"]
    watched("standby-prepare", "rollback", run, "--json", site=path, codes=(3,))
    used = {call.action for call in watched.calls[f"standby-prepare {path}"]}
    assert {each for each in watched.idle("standby-prepare", path) if each.partition(" ")[0] not in used} == set()


def test_replicas(watched: Watched) -> None:
    """Compared with a canary; then mended; then brought back to an earlier moment, and that undone."""
    watched("replication-check", "run", "replication-check", "--site", "lab", *REHEARSED)
    assert watched.idle("replication-check") == set()
    at = f"{(SystemClock().now() - timedelta(days=40)).astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    restored = ("assets", "restore", "--site", "lab", "--at", at, "--prefix", "images/")
    watched("asset-restore", *restored, "--plan", "--json")
    run = watched("asset-restore", *restored, *REHEARSED).json["run_id"]
    assert watched("asset-restore", "rollback", run, "--json", codes=(3,)).json["status"] == Status.ROLLED_BACK
    # In place, what was not there 40 days ago gets markers. Into the empty bucket what was there is copied, and a marker is
    # put on what somebody has written there.
    beside = (*restored, "--into", "pulse-assets-restored")
    put_beside(watched, "images/by-a-test.webp")
    watched.since()
    run = watched("asset-restore", *beside, *REHEARSED).json["run_id"]
    assert watched("asset-restore", "rollback", run, "--json", codes=(3,)).json["status"] == Status.ROLLED_BACK
    # Copies in place are made by the repair below, by the same calls.
    assert watched.idle("asset-restore") <= {"s3:PutObject on arn:aws:s3:::pulse-assets/*"}


def test_replicas_that_are_mended(watched: Watched) -> None:
    """What was damaged is copied, what failed is replicated by a job; and the copies taken back."""
    write(watched, "by-a-test/damaged.bin", "corrupt")
    write(watched, "by-a-test/failed.bin", "fail")
    watched.since()
    watched("replication-repair", "plan", "replication-repair", "--site", "lab", "--json")
    run = watched("replication-repair", "run", "replication-repair", "--site", "lab", *REHEARSED).json["run_id"]
    watched("replication-repair", "rollback", run, "--json", codes=(1,))  # what a job has replicated stays
    assert watched.idle("replication-repair") == set()


def pair_of(watched: Watched) -> Pair:
    """The lab's buckets, to be written to by hand."""
    lab = watched.lab
    opened = open_replicas(
        load_site(lab.home / "lab" / "sites" / "lab.yaml"), Home(lab.home), lambda secret: resolve(secret, lab.home)
    )
    assert opened is not None
    return opened.pairs[0]


def put_beside(watched: Watched, key: str) -> None:
    """Write into the bucket that may be restored into."""
    (beside,) = pair_of(watched).others
    beside.put(key, key.encode(), within=Deadline.after(SystemClock(), timedelta(seconds=120)))


def write(watched: Watched, key: str, fault: str) -> None:
    """Write at the source while replication has a fault, until S3 says what became of it."""
    lab, within = watched.lab, Deadline.after(SystemClock(), timedelta(seconds=120))
    process.break_(lab.home, "s3-replication", fault)
    source = pair_of(watched).source
    version = source.put(key, key.encode(), within=within)
    while (told := source.details(key, version, within=within)) is not None and told.status is Replicating.PENDING:
        within.clock.sleep(timedelta(milliseconds=50))
    process.heal(lab.home)
