"""``defib mirror`` in the real lab: GitHub is the source, GitLab the mirror."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from defib.clock import Deadline, SystemClock
from defib.lab import process
from defib.providers.git.lfs import LfsRemote
from defib.providers.git.lfs_http import Login
from defib.providers.git.lfs_pointers import Pointer
from defib.providers.git.lfs_store import LfsStore
from defib.providers.secret import resolve
from defib.sites.site import load_site
from tests.conftest import Defib, LabMaker
from tests.providers.git.repository import Repository, git

NET = "127.89"
MAIN = "refs/heads/main"
BODY = b"a picture that is too large for git " * 1000


@pytest.fixture(scope="module")
def lab(make_lab: LabMaker) -> Defib:
    """A lab for this module."""
    return make_lab(NET)


@pytest.fixture(autouse=True)
def healed(lab: Defib) -> Iterator[None]:
    """Nothing stays broken."""
    yield
    process.heal(lab.home)


def at(lab: Defib, host: str) -> Repository:
    """The repository of a host of the lab."""
    return Repository(next(lab.home.rglob(f"{host}/pulse-trading.git")))


def refs(lab: Defib, host: str) -> dict[str, str]:
    """What a host has."""
    lines = git(at(lab, host).folder, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    return dict(line.split(" ", 1) for line in lines)


def test_every_mirror_has_everything(lab: Defib) -> None:
    """One command, exit 0, and the figures for whoever reads JSON."""
    assert lab("mirror", "--site", "lab", "--no-prefect").code == 0
    at(lab, "github").commit({"index.html": "new"}, refs(lab, "github")[MAIN], branch="feature")
    ended = lab("mirror", "--site", "lab", "--json", "--no-prefect")
    (mirror,) = ended.json["mirrors"]
    assert (ended.code, ended.json["status"], mirror["mirror"], mirror["verdict"]) == (0, "recovered", "gitlab", "met")
    assert mirror["equal"] == mirror["refs"] == len(refs(lab, "github"))
    assert refs(lab, "gitlab") == refs(lab, "github")


def test_settings_are_kept_beside_the_bundle(lab: Defib) -> None:
    """What Git does not carry is written down for both vendors, without any value of a secret; differences are told."""
    ended = lab("mirror", "--site", "lab", "--json", "--no-prefect")
    kept = {path.name: path.read_text(encoding="utf-8") for path in (lab.home / "mirrors").glob("*.settings.json")}
    assert set(kept) == {"pulse-trading.github.settings.json", "pulse-trading.gitlab.settings.json"}
    assert all("STATUSPAGE_TOKEN" in text and "never-told" not in text for text in kept.values())
    process.break_(lab.home, "gitlab-api", "500")
    silent = lab("mirror", "--site", "lab", "--json", "--no-prefect")
    notes = [note["text"] for step in silent.json["steps"] for note in step["notes"]]
    assert (ended.code, silent.code) == (0, 0)
    assert any("the settings at gitlab are unknown" in note for note in notes)


@pytest.mark.parametrize("fault", ["emptied", "force-pushed"])
def test_the_source_is_gone_and_the_right_commit_is_built(lab: Defib, fault: str) -> None:
    """G1, G2, R3: the mirror keeps everything, the run is red, and aws-redeploy builds what users had, from the mirror."""
    lab("ready", "--site", "lab", "--json")
    assert lab("mirror", "--site", "lab", "--no-prefect").code == 0
    before = refs(lab, "gitlab")
    process.break_(lab.home, "github", fault)
    ended = lab("mirror", "--site", "lab", "--json", "--no-prefect")
    assert (ended.code, ended.json["status"], refs(lab, "gitlab")) == (4, "refused", before)
    assert "github" in ended.json["reason"]
    for host in ("vercel", "netlify"):
        process.break_(lab.home, host, "refuse")
    plan = lab("plan", "aws-redeploy", "--site", "lab", "--json")
    assert plan.code == 0, plan
    assert f"commit {before[MAIN][:12]} from gitlab" in "\n".join(plan.json["notes"])


@pytest.mark.parametrize("fault", ["emptied", "force-pushed", "expired-token"])
def test_drill(lab: Defib, fault: str) -> None:
    """G1, G2, G6: the source fails, the mirror keeps everything, the right commit can be built, and no trace is left."""
    ended = lab("drill", "git-mirror", "--site", "lab", "--fault", fault, "--json", "--no-prefect")
    told = ended.json
    assert (ended.code, told["status"], told["residue"]) == (0, "recovered", []), ended
    report = (lab.home / "runs" / told["drill_id"] / "report.md").read_text(encoding="utf-8")
    assert "every mirror has, by its own answer, exactly what it had before" in report
    assert "a redeploy would build" in report


def test_it_waits_for_nobody_who_is_recovering(lab: Defib) -> None:
    """A run about users and one about repositories hold leases of their own."""
    lease = lab.home / "sites" / "lab" / "git" / "lease.json"
    assert lab("mirror", "--site", "lab", "--no-prefect").code == 0
    assert lease.is_file()


@pytest.fixture
def with_lfs(lab: Defib) -> Path:
    """A site file that mirrors large files, one of which is on GitHub."""
    path = lab.home / "lab.yaml"
    text = (lab.home / "lab" / "sites" / "lab.yaml").read_text(encoding="utf-8")
    path.write_text(text.replace("\ngit:\n", "\ngit:\n  lfs: true\n"), encoding="utf-8")
    oid = hashlib.sha256(BODY).hexdigest()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(BODY)}\n"
    at(lab, "github").commit({"big.png": pointer, "index.html": "1"}, refs(lab, "github")[MAIN], branch="large")
    store = LfsStore(lab.home / "large")
    store.path(oid).parent.mkdir(parents=True, exist_ok=True)
    store.path(oid).write_bytes(BODY)
    assert not remote(lab, path, "github").send([Pointer(oid, len(BODY), "big.png")], store, within=soon()).refused
    return path


def remote(lab: Defib, site: Path, name: str) -> LfsRemote:
    """The LFS server of a remote."""
    config = load_site(site).git
    assert config is not None
    found = next(each for each in config.remotes if each.name == name)
    assert found.token is not None
    return LfsRemote(found.url, Login(found.user, resolve(found.token, lab.home)))


def soon() -> Deadline:
    """A deadline."""
    return Deadline.after(SystemClock(), timedelta(seconds=120))


def test_large_files_go_before_the_refs(lab: Defib, with_lfs: Path, tmp_path: Path) -> None:
    """G9, G10: what is missing at the source is named, and all refs go; once it is back, the mirror has it."""
    process.break_(lab.home, "github", "lfs-missing")
    red = lab("mirror", "--site", str(with_lfs), "--json", "--no-prefect")
    assert (red.code, refs(lab, "gitlab")) == (1, refs(lab, "github"))
    assert "big.png" in red.json["reason"]
    process.heal(lab.home)
    process.break_(lab.home, "gitlab", "lfs-429", {"retry_after": 1, "times": 1})
    green = lab("mirror", "--site", str(with_lfs), "--json", "--no-prefect")
    assert green.code == 0, green
    pointer = Pointer(hashlib.sha256(BODY).hexdigest(), len(BODY), "big.png")
    assert not remote(lab, with_lfs, "gitlab").fetch([pointer], LfsStore(tmp_path / "there"), within=soon()).missing
