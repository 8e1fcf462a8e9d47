"""The LFS servers of the lab's Git hosts: strict, real enough for git-lfs, and broken on demand."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from defib.clock import Deadline, SimulatedClock, SystemClock
from defib.errors import Denied, InputError, Unavailable
from defib.lab.background import BackgroundLoop
from defib.lab.faults import GIT_FAULTS, Fault, check
from defib.lab.forge.furniture import github_api
from defib.lab.git import GitHost, GitVendor
from defib.lab.history import History, write_history
from defib.providers.git.command import GitCommand
from defib.providers.git.lfs import LfsRemote
from defib.providers.git.lfs_http import Login
from defib.providers.git.lfs_pointers import Pointer, pointers
from defib.providers.git.lfs_store import LfsStore

TOKEN = "glpat-0123456789-of-the-lab"
LOGIN = Login("oauth2", TOKEN)
BODY = b"real bytes " * 500
OID = hashlib.sha256(BODY).hexdigest()
TYPE = "application/vnd.git-lfs+json"


@dataclass(frozen=True)
class Stage:
    """One Git host of the lab, and a client's store."""

    host: GitHost
    loop: BackgroundLoop
    folder: Path

    @property
    def remote(self) -> LfsRemote:
        """Our client."""
        return LfsRemote(self.host.url, LOGIN)

    @property
    def store(self) -> LfsStore:
        """What our client has."""
        return LfsStore(self.folder / "store")

    def break_(self, fault: str, **options: float) -> None:
        """Break it."""
        asked = Fault(fault, options)
        check({"git": GIT_FAULTS}, "git", asked)
        self.loop.run(self.host.set_fault(asked))

    def heal(self) -> None:
        """Heal it."""
        self.loop.run(self.host.set_fault(None))

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Ask the LFS server with the right login, unless told otherwise."""
        given: dict[str, Any] = {"auth": (LOGIN.user, TOKEN), "headers": {"Accept": TYPE, "Content-Type": TYPE}} | options
        return httpx.request(method, f"{self.host.url}/info/lfs/{path}", trust_env=False, **given)

    def batch(self, operation: str, oid: str = OID, size: int = len(BODY), **more: Any) -> dict[str, Any]:
        """What is said of one object."""
        body = {"operation": operation, "objects": [{"oid": oid, "size": size}], **more}
        told: dict[str, Any] = self.ask("POST", "objects/batch", json=body).json()["objects"][0]
        return told

    def send(self, *bodies: bytes) -> list[Pointer]:
        """Let the host have these objects, by way of our client."""
        wanted = [Pointer(hashlib.sha256(body).hexdigest(), len(body), f"{body[:4]!r}") for body in bodies]
        with self.store.open(within()):
            for pointer, body in zip(wanted, bodies, strict=True):
                with self.store.incoming(pointer) as coming:
                    coming.write(body)
        assert not self.remote.send(wanted, self.store, within=within()).refused
        return wanted


def within(seconds: float = 60) -> Deadline:
    """A deadline."""
    return Deadline.after(SystemClock(), timedelta(seconds=seconds))


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    """What the hosts have."""
    return write_history(tmp_path_factory.mktemp("history") / "history.git", datetime(2026, 3, 1, 12, tzinfo=UTC))


@pytest.fixture
def stage(tmp_path: Path, history: History) -> Iterator[Stage]:
    """A host that runs while the test does."""
    api = github_api(TOKEN, datetime(2026, 3, 1, 12, tzinfo=UTC), SystemClock())
    host = GitHost(GitVendor("Lab", "Unknown.", "Missing."), "127.0.0.1", 0, tmp_path / "host", TOKEN, history, api)
    with BackgroundLoop() as loop:
        loop.run(host.start())
        try:
            yield Stage(host, loop, tmp_path)
        finally:
            loop.run(host.stop())


def git(*command: str, cwd: Path, home: Path) -> str:
    """The real git, with the real git-lfs and nobody's configuration."""
    own = {"PATH": os.environ["PATH"], "HOME": str(home), "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", "NO_PROXY": "127.0.0.1"}
    own |= {f"GIT_{role}_{part}": "x@example.org" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    done = subprocess.run(["git", *command], cwd=cwd, env=own, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_object_is_put_verified_and_had(stage: Stage) -> None:
    """The whole way, by the links that the server gives."""
    told = stage.batch("upload")
    put, verify = (told["actions"][name] for name in ("upload", "verify"))
    assert 200 == httpx.put(put["href"], headers=put["header"], content=BODY, trust_env=False).status_code
    named = {"oid": OID, "size": len(BODY)}
    assert 200 == httpx.post(verify["href"], headers=verify["header"], json=named, trust_env=False).status_code
    assert "actions" not in stage.batch("upload")
    get = stage.batch("download")["actions"]["download"]
    assert BODY == httpx.get(get["href"], headers=get["header"], trust_env=False).content
    part = httpx.get(get["href"], headers=get["header"] | {"Range": "bytes=5400-"}, trust_env=False)
    assert (206, "bytes 5400-5499/5500", BODY[5400:]) == (part.status_code, part.headers["content-range"], part.content)
    beyond = httpx.get(get["href"], headers=get["header"] | {"Range": "bytes=5500-"}, trust_env=False)
    assert 416 == beyond.status_code
    assert [OID] == stage.host.lfs.held()


@pytest.mark.parametrize(
    ("oid", "size", "body"),
    [
        (OID, len(BODY), BODY[:-1]),
        (OID, len(BODY), BODY[:-1] + b"x"),
        (OID, len(BODY) + 1, BODY),
        (hashlib.sha256(b"").hexdigest(), len(BODY), BODY),
    ],
)
def test_other_bytes_are_refused(stage: Stage, oid: str, size: int, body: bytes) -> None:
    """Neither another digest nor another size is stored."""
    assert 422 == stage.ask("PUT", f"objects/{oid}/{size}", content=body).status_code
    assert [] == stage.host.lfs.held()


def test_what_is_not_there(stage: Stage) -> None:
    """Each way of asking says so."""
    assert {"code": 404, "message": "Object does not exist"} == stage.batch("download")["error"]
    assert 404 == stage.ask("GET", f"objects/{OID}").status_code
    assert 404 == stage.ask("POST", "verify", json={"oid": OID, "size": 1}).status_code
    assert 404 == stage.ask("POST", "locks/verify", json={}).status_code
    assert 404 == stage.ask("GET", "objects/../../../etc/passwd").status_code


def test_another_size_is_told(stage: Stage) -> None:
    """An object has one size."""
    stage.send(BODY)
    assert 422 == stage.batch("download", size=1)["error"]["code"]
    assert 422 == stage.batch("upload", size=1)["error"]["code"]
    assert 422 == stage.ask("POST", "verify", json={"oid": OID, "size": 1}).status_code


@pytest.mark.parametrize(("oid", "size"), [("../../etc/passwd", 1), (OID.upper(), 1), (OID, -1)])
def test_no_object(stage: Stage, oid: str, size: int) -> None:
    """What can be no object is told of that object alone."""
    assert 422 == stage.batch("upload", oid, size)["error"]["code"]
    assert 404 == stage.ask("POST", "verify", json={"oid": oid, "size": size}).status_code


@pytest.mark.parametrize(
    ("status", "options"),
    [
        (406, {"headers": {"Content-Type": TYPE}}),
        (415, {"headers": {"Accept": TYPE, "Content-Type": "application/json"}}),
        (422, {"content": b"no json"}),
        (422, {"json": {"operation": "delete", "objects": []}}),
        (422, {"json": {"operation": "download", "objects": [], "transfers": ["tus"]}}),
        (422, {"json": {"operation": "download", "objects": [], "hash_algo": "sha512"}}),
        (413, {"json": {"operation": "download", "objects": [{"oid": OID, "size": 1}] * 101}}),
    ],
)
def test_a_bad_batch_is_refused(stage: Stage, status: int, options: dict[str, Any]) -> None:
    """As a whole, and with a message."""
    refused = stage.ask("POST", "objects/batch", **options)
    assert status == refused.status_code
    assert refused.json()["message"]


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "objects/batch"), ("GET", f"objects/{OID}"), ("PUT", f"objects/{OID}/1")]
)
@pytest.mark.parametrize("auth", [None, ("oauth2", "wrong")])
def test_who_has_no_token_is_refused(stage: Stage, method: str, path: str, auth: tuple[str, str] | None) -> None:
    """Without it nothing is said, put or given, and the answer says how to log in."""
    stage.send(BODY)
    refused = stage.ask(method, path, auth=auth)
    assert (401, 'Basic realm="Lab"') == (refused.status_code, refused.headers["lfs-authenticate"])
    with pytest.raises(Denied):
        LfsRemote(stage.host.url, Login("x", "wrong")).fetch([Pointer(OID, 1)], stage.store, within=within())


def test_lost_objects(stage: Stage, tmp_path: Path) -> None:
    """G9: the host has lost one, or as many as were asked for; our client names them, and all are back when it is healed."""
    wanted = stage.send(b"one", b"two", b"three", b"four")
    by_id = sorted(wanted, key=lambda each: each.oid)
    for count in (1, 3):
        stage.break_("lfs-missing", objects=count)
        fetched = stage.remote.fetch(wanted, LfsStore(tmp_path / str(count)), within=within())
        assert set(by_id[:count]) == {each.pointer for each in fetched.missing}
        assert set(by_id[count:]) == set(fetched.brought)
        assert 404 == stage.ask("GET", f"objects/{by_id[0].oid}").status_code
    stage.heal()
    assert 4 == len(stage.remote.fetch(wanted, LfsStore(tmp_path / "healed"), within=within()).brought)


def test_a_lost_object_can_be_sent_again(stage: Stage) -> None:
    """What the host lost it takes anew, while the fault lasts."""
    wanted = stage.send(BODY)
    stage.break_("lfs-missing")
    assert [] == stage.host.lfs.held()
    assert tuple(wanted) == stage.remote.send(wanted, stage.store, within=within()).uploaded


def test_a_full_server(stage: Stage, tmp_path: Path) -> None:
    """G10: it asks to wait so often; Git itself is answered, and does not use the fault up."""
    wanted = stage.send(BODY)
    stage.break_("lfs-429", retry_after=1, times=2)
    git("ls-remote", stage.host.url.replace("://", f"://x:{TOKEN}@"), cwd=tmp_path, home=tmp_path)
    clock = SimulatedClock()
    fetched = stage.remote.fetch(wanted, LfsStore(tmp_path / "other"), within=Deadline.after(clock, timedelta(seconds=9)))
    assert (tuple(wanted), timedelta(seconds=2)) == (fetched.brought, clock.monotonic())
    stage.break_("lfs-429", retry_after=300)
    with pytest.raises(Unavailable, match="wait 300 s"):
        stage.remote.fetch(wanted, LfsStore(tmp_path / "third"), within=within())


def test_options_of_the_faults() -> None:
    """Each takes its own."""
    for good in (Fault("lfs-missing", {"objects": 2}), Fault("lfs-429", {"retry_after": 3, "times": 1})):
        check({"git": GIT_FAULTS}, "git", good)
    with pytest.raises(InputError, match="no option"):
        check({"git": GIT_FAULTS}, "git", Fault("lfs-missing", {"times": 1}))


@pytest.mark.skipif(not shutil.which("git-lfs"), reason="git-lfs is not installed")
def test_the_real_git_lfs(stage: Stage, tmp_path: Path) -> None:
    """git-lfs pushes and clones here; our client finds and fetches what it pushed, and it reads what our client sent."""
    url = stage.host.url.replace("://", f"://{LOGIN.user}:{TOKEN}@")
    git("lfs", "install", "--skip-repo", cwd=tmp_path, home=tmp_path)
    git("clone", "--quiet", url, "tree", cwd=tmp_path, home=tmp_path)
    tree = tmp_path / "tree"
    bodies = {f"{number}.bin": os.urandom(50_000 + number) for number in range(120)}
    for name, body in bodies.items():
        (tree / name).write_bytes(body)
    git("lfs", "track", "*.bin", cwd=tree, home=tmp_path)
    git("add", ".", cwd=tree, home=tmp_path)
    git("commit", "--quiet", "-m", "Pictures", cwd=tree, home=tmp_path)
    git("push", "--quiet", "origin", "main", cwd=tree, home=tmp_path)
    assert 120 == len(stage.host.lfs.held())
    found = pointers(GitCommand(stage.host.repository), [stage.host.refs()["refs/heads/main"]], [], within())
    assert {name: len(body) for name, body in bodies.items()} == {each.path: each.size for each in found}
    assert 120 == len(stage.remote.fetch(found, stage.store, within=within()).brought)
    for oid in stage.host.lfs.held():
        stage.host.lfs.path(oid).unlink()
    assert 120 == len(stage.remote.send(found, stage.store, within=within()).uploaded)
    git("clone", "--quiet", url, "again", cwd=tmp_path, home=tmp_path)
    assert bodies == {path.name: path.read_bytes() for path in (tmp_path / "again").glob("*.bin")}
