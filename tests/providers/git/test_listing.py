"""What a remote holds, in one request; and when git is asked instead, so that no half of an answer is taken for a whole."""

from __future__ import annotations

import random
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest
import trustme

from defib.clock import Deadline, SystemClock
from defib.errors import Unavailable
from defib.providers.git.command import GitCommand
from defib.providers.git.listing import Reading, list_refs
from defib.providers.git.remote import GitRemote, Troubled
from defib.providers.git.smart_http import SmartHttp
from defib.redeploy.offer import Trouble
from tests.providers.git.repository import Repository, git
from tests.providers.git.server import GitServer, serving

HEADS, TAGS = "refs/heads/", "refs/tags/"
COMMIT = "0123456789012345678901234567890123456789"
MAIN = {"refs/heads/main": COMMIT}
END = b"0000"


def within(seconds: float = 20) -> Deadline:
    """A deadline."""
    return Deadline.after(SystemClock(), timedelta(seconds=seconds))


def packet(text: str) -> bytes:
    """A line as Git sends it."""
    return f"{len(text.encode()) + 4:04x}{text}".encode()


WHOLE = packet(f"{COMMIT} refs/heads/main\n")


@pytest.fixture
def host(tmp_path: Path) -> Iterator[GitServer]:
    """A server with one repository: two branches, a tag, and a ref of the host's own."""
    with serving(tmp_path / "host") as server:
        there = Repository.make(server.root / "pulse.git")
        first = there.commit({"a": "1"})
        there.commit({"a": "2"}, first, branch="other")
        git(there.folder, "tag", "-a", "v1", "-m", "the first", first)
        git(there.folder, "update-ref", "refs/pull/1/head", first)
        yield server


def remote(host: GitServer, folder: Path) -> GitRemote:
    """Ready to be asked."""
    folder.mkdir()
    return GitRemote(GitCommand(folder), "github", host.at("pulse.git"), lambda: ("git", host.token))


def held(host: GitServer, *under: str) -> dict[str, str]:
    """What the repository has, by its own word."""
    lines = git(host.root / "pulse.git", "for-each-ref", "--format=%(refname) %(objectname)", *under).splitlines()
    return dict(line.split(" ", 1) for line in lines)


@pytest.mark.parametrize("under", [(HEADS, TAGS), (HEADS,), ("refs/heads/main",), ("refs/heads/o",), ("refs/notes/",), ()])
@pytest.mark.parametrize("old", [False, True])
def test_what_is_there(host: GitServer, tmp_path: Path, under: tuple[str, ...], old: bool) -> None:
    """Exactly the refs that begin so, of a host that understands the question and of one that git has to ask."""
    host.old = old
    expected = {ref: commit for ref, commit in held(host).items() if ref.startswith(under or "refs/")}
    assert remote(host, tmp_path / "store").refs(*under, within=within()) == expected


def test_one_request(host: GitServer) -> None:
    """G16: it is asked once, with our login."""
    login = "Basic Z2l0OmdscGF0LWFiY2RlZmdoaWprbG1ub3A="
    assert list_refs(SmartHttp(host.at("pulse.git"), login), (HEADS,), Reading(), within()) == held(host, HEADS)
    assert host.logins == [login]


def test_what_was_said_before() -> None:
    """The same listing is read once; another one, and another question, are read anew."""
    reading, tag = Reading(), packet(f"{COMMIT} refs/tags/v1\n")
    both = reading.refs(WHOLE + tag + END, (HEADS, TAGS))
    assert both == MAIN | {"refs/tags/v1": COMMIT}
    assert reading.refs(WHOLE + tag + END, (HEADS, TAGS)) is both
    assert reading.refs(WHOLE + tag + END, (HEADS,)) == MAIN
    assert reading.refs(tag + END, (HEADS,)) == {}
    assert reading.refs(tag, (HEADS,)) is None


def test_nothing_there(host: GitServer) -> None:
    """A repository without refs has none, which is an answer."""
    Repository.make(host.root / "new.git")
    host.token = ""
    assert list_refs(SmartHttp(host.at("new.git")), (HEADS,), Reading(), within()) == {}


def test_names_that_git_does_not_allow(host: GitServer) -> None:
    """A listing that holds a name which git allows nowhere is left to git; all others are taken."""
    chance = random.Random(2801)
    parts = [*"ab@-./~^:?*[\\{é\u3000", "refs", "..", "//", "@{", ".lock"]
    names = {f"refs/heads/{''.join(chance.choices(parts, k=chance.randint(1, 4)))}" for _ in range(200)}
    host.token, left = "", set()
    for name in names:
        host.lists = WHOLE + packet(f"{COMMIT} {name}\n") + END
        told = list_refs(SmartHttp(host.at("pulse.git")), (), Reading(), within())
        left |= {name} if told is None else set()
        assert told is None or set(told) == {*MAIN, name}
    checked = {name for name in names if subprocess.run(["git", "check-ref-format", name], check=False).returncode}
    assert checked <= left
    assert all(".lock" in name for name in left - checked)
    assert 0 < len(left) < len(names)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        WHOLE,
        WHOLE[:-3],
        WHOLE + END[:3],
        WHOLE + END + WHOLE,
        WHOLE + b"0001" + END,
        WHOLE + packet("ERR it hurts") + END,
        packet(f"{COMMIT[1:]} refs/heads/main\n") + END,
        packet(f"{COMMIT} refs/heads/a b\n") + END,
        packet(f"{COMMIT} refs/heads/a\nrefs/heads/b\n") + END,
        b"fffff" + WHOLE + END,
        b"-001" + END,
        b"<html>",
    ],
)
def test_half_an_answer_is_none(host: GitServer, answer: bytes) -> None:
    """A listing that is cut, broken or none leaves the question to git: a ref that is missing in it would look deleted."""
    host.token, host.lists = "", answer
    assert list_refs(SmartHttp(host.at("pulse.git")), (HEADS,), Reading(), within()) is None
    host.lists = WHOLE + END
    assert list_refs(SmartHttp(host.at("pulse.git")), (HEADS,), Reading(), within()) == MAIN


def test_connection_breaks_off(host: GitServer) -> None:
    """So does an answer that breaks off."""
    host.token, host.cut_at = "", b"command=ls-refs"
    assert list_refs(SmartHttp(host.at("pulse.git")), (HEADS,), Reading(), within()) is None


def test_more_than_was_asked_for(host: GitServer) -> None:
    """A host may send refs of other kinds as well; they are none of ours."""
    host.token, host.lists = "", packet(f"{COMMIT} HEAD\n") + packet(f"{COMMIT} refs/pull/1/head\n") + WHOLE + END
    assert list_refs(SmartHttp(host.at("pulse.git")), (HEADS, TAGS), Reading(), within()) == MAIN


def test_who_refuses_is_asked_by_git(host: GitServer, tmp_path: Path) -> None:
    """G6: what is wrong is told in git's words."""
    host.token = "another-one-that-is-valid"
    there = GitRemote(GitCommand(tmp_path), "github", host.at("pulse.git"), lambda: ("git", "glpat-expired-0123456789"))
    with pytest.raises(Troubled, match="denied: the token is missing, expired") as trouble:
        there.refs(HEADS, within=within())
    assert trouble.value.trouble is Trouble.DENIED


@pytest.mark.parametrize("proxy", ["all_proxy", "https_proxy"])
def test_hosts_behind_a_proxy(host: GitServer, monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    """A host that is reached through a proxy is left to git; this machine is asked past every proxy."""
    monkeypatch.setenv(proxy, host.url)
    assert list_refs(SmartHttp("https://example.test/pulse.git"), (HEADS,), Reading(), within()) is None
    assert host.logins == []
    host.token = ""
    assert list_refs(SmartHttp(host.at("pulse.git")), (HEADS,), Reading(), within()) == held(host, HEADS)


def test_whom_git_trusts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over TLS only a certificate counts that git, too, would take; authorities that cannot be read trust nobody."""
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    with serving(tmp_path / "host", tls) as host:
        host.token, host.lists = "", WHOLE + END
        for file, expected in ((None, None), ("authority.pem", MAIN), ("not-there.pem", None)):
            if file is not None:
                monkeypatch.setenv("GIT_SSL_CAINFO", str(tmp_path / file))
            assert list_refs(SmartHttp(host.at("pulse.git")), (HEADS,), Reading(), within()) == expected


def test_no_time_left(host: GitServer) -> None:
    """Who has no time left asks nobody."""
    with pytest.raises(Unavailable):
        list_refs(SmartHttp(host.at("pulse.git")), (HEADS,), Reading(), within(0))
    assert host.logins == []


@contextmanager
def dripping() -> Iterator[str]:
    """A host that answers byte after byte, and comes to no end."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            connected, _ = listener.accept()
            with connected, suppress(OSError):
                connected.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-result\r\n\r\n")
                while not over.wait(0.02):
                    connected.sendall(b"0")

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/pulse.git"
        finally:
            over.set()
            thread.join()


def test_an_answer_without_end() -> None:
    """The time is that of the whole call, not of each byte."""
    clock = SystemClock()
    with dripping() as url:
        began = clock.monotonic()
        with suppress(Unavailable):
            assert list_refs(SmartHttp(url), (HEADS,), Reading(), within(0.5)) is None
        assert clock.monotonic() - began < timedelta(seconds=20)
