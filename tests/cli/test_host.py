"""``defib host`` as a user runs it, against the platforms of the lab."""

from __future__ import annotations

import pytest

from defib.clock import SystemClock
from defib.home import Home
from defib.lab import process
from defib.lab.hosting.furniture import NETLIFY_LIVE, NETLIFY_OLDER, VERCEL_LIVE
from defib.lease import Holder, Lease
from tests.conftest import Defib, LabMaker

NET = "127.84"
NEW = "app.pulse-trading.test"


@pytest.fixture(scope="module")
def lab(make_lab: LabMaker) -> Defib:
    """A lab for this module."""
    return make_lab(NET)


@pytest.fixture(scope="module")
def grown(lab: Defib, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The lab's site with one more name, that no platform has been told of."""
    text = (lab.home / "lab" / "sites" / "lab.yaml").read_text(encoding="utf-8")
    lines = []
    for line in text.splitlines():
        lines.append(line)
        if "name: pulse-trading.test, type: A" in line:
            lines.append(line.replace("name: pulse-trading.test", f"name: {NEW}"))
    path = tmp_path_factory.mktemp("sites") / "grown.yaml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def test_every_platform_is_told_of(lab: Defib) -> None:
    """What is live, from which commit, and each name; one that fails is told, and keeps no other from it."""
    ended = lab("host", "show", "--site", "lab", "--json")
    told = {each["host"]: each for each in ended.json["hosts"]}
    assert (ended.code, ended.json["exit_code"]) == (0, 0), ended.out
    assert (told["netlify"]["live"]["id"], told["vercel"]["live"]["id"]) == (NETLIFY_LIVE, VERCEL_LIVE)
    assert len(told["netlify"]["live"]["commit"]) == 40
    assert all(name["ready"] for name in told["netlify"]["names"])
    process.break_(lab.home, "vercel-api", "500")
    try:
        broken = lab("host", "show", "--site", "lab")
    finally:
        process.heal(lab.home)
    assert broken.code == 6, broken
    assert "cannot be asked" in broken.out
    assert NETLIFY_LIVE in broken.out


def test_a_name_that_is_missing_is_named_with_the_command_that_attaches_it(lab: Defib, grown: str) -> None:
    """Without --yes nothing is written; with it the name is there, and what the platform could not do is told."""
    ready = lab("ready", "--site", grown, "--json").json["checks"]
    (check,) = [each for each in ready if each["name"] == "attachment" and each["about"] == f"{NEW}. at netlify"]
    assert (check["state"], check["next"]) == ("fail", "defib host attach netlify --site lab")
    before = process.client(lab.home).fingerprint()
    listed = lab("host", "attach", "netlify", "--site", grown)
    assert (listed.code, f"{NEW}.  not attached" in listed.out, "add --yes" in listed.out) == (1, True, True)
    assert process.client(lab.home).fingerprint() == before
    attached = lab("host", "attach", "netlify", "--site", grown, "--yes", "--json")
    (name,) = attached.json["names"]
    assert (name["name"], name["attached"], name["verified"]) == (f"{NEW}.", True, True), attached.out
    assert attached.code == (0 if name["ready"] else 1)


def test_an_earlier_deployment_and_back(lab: Defib) -> None:
    """Shown first, then done, and taken back by the command that is printed; the lab is as it was."""
    before = process.client(lab.home).fingerprint()
    shown = lab("host", "publish", "netlify", NETLIFY_OLDER, "--site", "lab")
    assert (shown.code, NETLIFY_LIVE in shown.out) == (0, True)
    assert process.client(lab.home).fingerprint() == before
    done = lab("host", "publish", "netlify", NETLIFY_OLDER, "--site", "lab", "--yes")
    assert done.code == 0, done
    assert f"To take it back: defib host publish netlify {NETLIFY_LIVE} --site lab --yes" in done.out
    back = lab("host", "publish", "netlify", NETLIFY_LIVE, "--site", "lab", "--yes", "--json")
    assert (back.code, back.json["live"], back.json["before"]["id"]) == (0, True, NETLIFY_OLDER)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("attach", "netlifi"), 2, "vercel, netlify"),
        (("attach", "aws"), 2, "standby-prepare"),
        (("publish", "netlify", "0000000000000000deadbeef", "--yes"), 1, "0000000000000000deadbeef"),
    ],
)
def test_what_cannot_be_done(lab: Defib, arguments: tuple[str, ...], code: int, says: str) -> None:
    """One clear message and an exit code."""
    ended = lab("host", *arguments, "--site", "lab")
    assert ended.code == code, ended
    assert says in ended.err
    assert "Traceback" not in ended.err


def test_another_run_holds_the_site(lab: Defib) -> None:
    """E7: nothing is published beside a run."""
    held = Lease.take(Home.open(lab.home).site("lab"), SystemClock(), Holder.me("somebody-else"))
    try:
        ended = lab("host", "publish", "netlify", NETLIFY_OLDER, "--site", "lab", "--yes")
    finally:
        held.release()
    assert (ended.code, "somebody-else" in ended.err) == (16, True)
