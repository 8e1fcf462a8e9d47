"""The lab comes up, is broken and healed, agrees with its eyewitness, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from defib.clock import Deadline, SystemClock
from defib.errors import InputError, LabDown, PortTaken
from defib.lab import process
from defib.lab.eyewitness import TIME_LIMIT, log_name, outages, read_looks
from defib.lab.state import LabState
from defib.processid import ProcessId
from defib.sites.site import load_site
from tests.lab.lab_stage import PUBLIC, free_net

CLOCK = SystemClock()
TICK = timedelta(milliseconds=20)


def wait_until(condition: Callable[[], bool], within: float = 60) -> None:
    """Wait for a condition, or fail."""
    deadline = Deadline.after(CLOCK, timedelta(seconds=within))
    while not condition():
        assert not deadline.expired(), "the condition did not come true in time"
        CLOCK.sleep(TICK)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home whose lab is down afterwards."""
    yield tmp_path
    process.down(tmp_path)


def moved_sites(home: Path, net: str) -> list[Path]:
    """The lab's site files, on its network."""
    moved = []
    for path in sorted((Path(__file__).parents[2] / "runbooks" / "sites").glob("lab*.yaml")):
        moved.append(home / path.name)
        moved[-1].write_text(path.read_text().replace("127.77.", f"{net}."))
    return moved


@pytest.fixture
def lab(home: Path) -> LabState:
    """A lab that is up."""
    return process.up(home, free_net())


def test_up_writes_what_clients_need(home: Path, lab: LabState) -> None:
    """The authority's certificate, and secrets that nobody else can read."""
    assert (home / "lab" / "ca.pem").read_text().startswith("-----BEGIN CERTIFICATE-----")
    for name in ("aws-access-key", "aws-secret-key", "cloudflare-token", "tsig-key", "github-token", "gitlab-token"):
        file = home / "lab" / "secrets" / name
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert file.read_text().strip()
    plain = json.loads((home / "lab" / "lab.json").read_text())
    assert (plain["pid"], plain["net"], plain["control"]) == (lab.process.pid, lab.net, lab.control_url)


def test_a_commit_is_cloned_and_built_as_a_run_does(home: Path, lab: LabState, tmp_path: Path) -> None:
    """What the secrets open and the script on the lab's path makes of it is the build that is live."""
    (site,) = [load_site(path) for path in moved_sites(home, lab.net) if path.stem == "lab-aws"]
    assert site.git is not None
    assert site.build is not None
    for remote in site.git.remotes:
        token = (home / "lab" / "secrets" / f"{remote.name}-token").read_text().strip()
        url = remote.url.replace("://", f"://{remote.user}:{token}@")
        tree = tmp_path / remote.name
        subprocess.run(["git", "clone", "--quiet", url, str(tree)], check=True, env={"PATH": os.environ["PATH"]})
        told = subprocess.run(["git", "log", "-1", "--format=%H %cI"], cwd=tree, check=True, capture_output=True, text=True)
        commit, committed = told.stdout.split()
        path = os.pathsep.join([*(str(home / folder) for folder in site.build.path), os.environ["PATH"]])
        env = {"PATH": path, "DEFIB_COMMIT": commit, "DEFIB_COMMITTED": committed}
        subprocess.run(site.build.command, cwd=tree, check=True, env=env, capture_output=True)
        marker = re.search(site.page.build, (tree / site.build.output / "index.html").read_text())
        assert marker is not None
        assert marker["id"] == json.loads((home / "lab" / "lab.json").read_text())["build"]


def test_up_twice_is_up_once_and_down_twice_is_down(home: Path, lab: LabState) -> None:
    """Both are idempotent, and after down no process of the lab is left."""
    assert process.up(home, lab.net) == lab
    process.down(home)
    assert (lab.process.alive(), lab.eyewitness.alive()) == (False, False)
    process.down(home)
    with pytest.raises(LabDown, match="not up"):
        process.status(home)


def test_each_start_has_secrets_of_its_own(home: Path, lab: LabState) -> None:
    """What one lab gave away opens nothing in the next."""
    secret = home / "lab" / "secrets" / "cloudflare-token"
    before = secret.read_text()
    process.down(home)
    process.up(home, lab.net)
    assert secret.read_text() != before


def test_a_taken_network_is_said_and_leaves_nothing(lab: LabState, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A second lab on the same network fails with PortTaken, and the first goes on."""
    other = tmp_path_factory.mktemp("other")
    with pytest.raises(PortTaken):
        process.up(other, lab.net)
    assert not (other / "lab" / "lab.json").exists()
    assert lab.alive()


def test_a_home_has_one_lab(home: Path, lab: LabState) -> None:
    """The same home on another network is refused, not moved."""
    another = "127.2" if lab.net != "127.2" else "127.3"
    with pytest.raises(PortTaken, match="another network"):
        process.up(home, another)


def test_an_unknown_word_is_refused_with_the_nearest(home: Path, lab: LabState) -> None:
    """Targets, faults and options; and a refused break breaks nothing."""
    with pytest.raises(InputError, match="did you mean 'cloudfront'"):
        process.break_(home, "cloudfrnt", "refuse")
    with pytest.raises(InputError, match="did you mean 'expired-certificate'"):
        process.break_(home, "cloudfront", "expired-cert")
    with pytest.raises(InputError, match="did you mean 'retry_after'"):
        process.break_(home, "cloudflare-api", "429", {"retry-after": 1})
    with pytest.raises(InputError, match="no target"):
        process.heal(home, "nothing")
    assert process.status(home).faults == {}


def test_break_and_heal_show_in_status(home: Path, lab: LabState) -> None:
    """What is broken is said with its options; healing one leaves the other."""
    process.break_(home, "cloudfront", "refuse")
    process.break_(home, "cloudflare-api", "429", {"retry_after": 300})
    faults = process.status(home).faults
    assert {target: (fault.name, dict(fault.options)) for target, fault in faults.items()} == {
        "cloudfront": ("refuse", {}),
        "cloudflare-api": ("429", {"retry_after": 300}),
    }
    assert set(process.heal(home, "cloudfront").faults) == {"cloudflare-api"}
    assert process.heal(home).faults == {}


def test_the_fingerprint_tells_residue(home: Path, lab: LabState) -> None:
    """C9, promise 9: equal when all is put back, different while anything is not."""
    control = process.client(home)
    before = control.fingerprint()
    process.break_(home, "ns-3", "frozen")
    assert control.fingerprint() != before
    process.heal(home)
    assert control.fingerprint() == before


def test_the_eyewitness_sees_an_outage_as_it_was(home: Path, lab: LabState) -> None:
    """Its outage begins and ends with the fault, a look or two later at the most, or a second of a busy machine."""
    log = home / "lab" / log_name(PUBLIC)
    wait_until(lambda: any(look.good for look in read_looks(log, lab.started)))
    since = CLOCK.now()
    process.break_(home, "cloudfront", "refuse")
    broken = CLOCK.now()
    wait_until(lambda: len([look for look in read_looks(log, since) if not look.good]) > 5)
    healed = CLOCK.now()
    process.heal(home)
    whole = CLOCK.now()
    wait_until(lambda: len([look for look in read_looks(log, whole) if look.good]) > 12)
    (found,) = outages(log, since)
    assert found.end is not None
    assert since <= found.start < broken + timedelta(seconds=1)
    assert healed - timedelta(seconds=1) < found.end < whole + timedelta(seconds=1)


def test_the_eyewitness_looks_on_while_looks_hang(home: Path, lab: LabState) -> None:
    """A hang makes looks end late, not rare: the tenth is sent long before ten would have been waited for, one by one."""
    log = home / "lab" / log_name(PUBLIC)
    wait_until(lambda: any(look.good for look in read_looks(log, lab.started)))
    process.break_(home, "cloudfront", "hang")
    broken = CLOCK.now()
    wait_until(lambda: len([look for look in read_looks(log, broken) if not look.good]) > 10)
    looks = [look for look in read_looks(log, broken) if not look.good]
    assert looks[9].sent_at - looks[0].sent_at < 4 * TIME_LIMIT
    assert {look.reason for look in looks} == {"no answer within 2 s"}


def test_the_lab_ends_with_its_parent(home: Path) -> None:
    """Killed with -9, the process that asked for the lab takes it along."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as parent:
        state = process.up(home, free_net(), parent=parent.pid)
        parent.kill()
        parent.wait()
        wait_until(lambda: not state.process.alive() and not state.eyewitness.alive())


def test_nothing_survives_a_killed_lab(home: Path, lab: LabState) -> None:
    """The eyewitness ends by itself when the lab is killed, and up starts a new lab."""
    os.kill(lab.process.pid, signal.SIGKILL)
    wait_until(lambda: not lab.process.alive() and not lab.eyewitness.alive())
    again = process.up(home, lab.net)
    assert (again.alive(), again.process == lab.process) == (True, False)


def test_a_lab_without_its_eyewitness_ends(home: Path, lab: LabState) -> None:
    """Without ground truth nothing is proved, so the lab does not go on."""
    os.kill(lab.eyewitness.pid, signal.SIGKILL)
    wait_until(lambda: not lab.process.alive())


def test_down_kills_what_ignores_it(home: Path, lab: LabState) -> None:
    """A stopped lab cannot take SIGTERM; it is killed."""
    os.kill(lab.process.pid, signal.SIGSTOP)
    process.down(home)
    assert not lab.process.alive()


def test_a_reused_pid_is_never_killed(tmp_path: Path) -> None:
    """A state whose pid now belongs to another process ends nothing."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as bystander:
        old = ProcessId(bystander.pid, "1")
        (tmp_path / "lab").mkdir()
        state = LabState("127.77", old, old, "http://127.77.0.1:7700", CLOCK.now(), "")
        state.write(tmp_path / "lab")
        process.down(tmp_path)
        assert bystander.poll() is None
        bystander.kill()
    assert not (tmp_path / "lab" / "lab.json").exists()


def test_a_wrong_network_is_refused(tmp_path: Path) -> None:
    """Only loopback networks are taken."""
    for net in ("10.0", "127.1", "127.300", "127"):
        with pytest.raises(InputError, match="not a network"):
            process.up(tmp_path, net)


def test_a_stop_by_the_control_api_ends_all(home: Path, lab: LabState) -> None:
    """POST /stop ends the lab and its eyewitness, and takes the state away."""
    process.client(home).stop()
    wait_until(lambda: not lab.process.alive() and not lab.eyewitness.alive())
    assert not (home / "lab" / "lab.json").exists()


def test_labs_run_side_by_side(home: Path, lab: LabState, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Two homes on two networks know nothing of each other."""
    other = tmp_path_factory.mktemp("other")
    try:
        second = process.up(other, free_net())
        assert second.net != lab.net
        process.break_(other, "cloudfront", "refuse")
        assert (process.status(home).faults, set(process.status(other).faults)) == ({}, {"cloudfront"})
    finally:
        process.down(other)
    assert lab.alive()


def test_the_control_api_refuses_what_it_cannot_read(home: Path, lab: LabState) -> None:
    """No JSON, no object, a missing word, an option that is no number, an unknown path: each is said."""
    for path, body, told in (
        ("/break", "nonsense", "not JSON"),
        ("/break", "[]", "not a JSON object"),
        ("/break", '{"target": "cloudfront"}', "fault is missing"),
        ("/break", '{"target": "vercel", "fault": "5xx", "options": {"status": "x"}}', "not a number"),
        ("/nonsense", "{}", "the lab has no POST /nonsense"),
    ):
        answer = httpx.post(f"{lab.control_url}{path}", content=body)
        assert answer.status_code in (400, 404)
        assert told in answer.json()["error"]["error"]
    assert process.status(home).faults == {}
