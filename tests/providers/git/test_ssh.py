"""Git over SSH, against a real server: one key, one host, nobody else."""

from __future__ import annotations

import getpass
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from defib.clock import Deadline, SystemClock
from defib.providers.git.command import GitCommand
from defib.providers.git.remote import GitRemote, Troubled
from defib.redeploy.offer import Trouble
from defib.sites.git import Remote
from tests.ports import free_port
from tests.providers.git.repository import Repository, git

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
pytestmark = pytest.mark.skipif(SSHD is None, reason="OpenSSH's sshd is not installed (apt-get install openssh-server)")


@dataclass
class SshStage:
    """A server with one repository, the keys of both sides, and a store to fetch into."""

    folder: Path
    port: int
    there: Repository

    def remote(self, key: str = "client", host: str = "host") -> Remote:
        """The remote of a site file."""
        kind, public = (self.folder / f"{host}.pub").read_text(encoding="ascii").split()[:2]
        url = f"ssh://127.0.0.1:{self.port}{self.there.folder}"
        return Remote(name="github", url=url, user=getpass.getuser(), key=f"file:{key}", host_key=f"{kind} {public}")

    def open(self, remote: Remote) -> GitRemote:
        """Ready to be talked to."""
        command = GitCommand(self.folder / "store.git")
        command.run("init", "--bare", "--quiet", within=soon())
        return GitRemote.of(command, remote, lambda name: (self.folder / name.partition(":")[2]).read_text(encoding="ascii"))


def soon() -> Deadline:
    """A deadline."""
    return Deadline.after(SystemClock(), timedelta(seconds=60))


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[SshStage]:
    """A server that runs while the test does."""
    for name in ("host", "client", "stranger"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)], check=True)
    authorized = tmp_path / "authorized"
    authorized.write_text((tmp_path / "client.pub").read_text(encoding="ascii"), encoding="ascii")
    port = free_port()
    config = tmp_path / "sshd_config"
    config.write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {tmp_path / 'host'}\nAuthorizedKeysFile {authorized}\nUsePAM no\n"
        f"PidFile none\nStrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n",
        encoding="ascii",
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    assert SSHD is not None
    server = subprocess.Popen([SSHD, "-D", "-e", "-f", str(config)], stderr=subprocess.DEVNULL)
    try:
        _until_it_listens(port)
        there = Repository.make(tmp_path / "pulse.git")
        yield SshStage(tmp_path, port, there)
    finally:
        server.terminate()
        server.wait()


def _until_it_listens(port: int) -> None:
    within = soon()
    while not within.expired():
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError("sshd did not come up")


def test_fetched_and_pushed(stage: SshStage) -> None:
    """A branch is listed, fetched and pushed with the key of the site file alone."""
    first = stage.there.commit({"index.html": "1"})
    remote = stage.open(stage.remote())
    assert remote.refs(within=soon()) == {"refs/heads/main": first}
    remote.fetch(["+refs/heads/*:refs/incoming/heads/*"], within=soon())
    (pushed,) = remote.push(["refs/incoming/heads/main:refs/heads/copy"], within=soon())
    assert (pushed.why, git(stage.there.folder, "rev-parse", "refs/heads/copy")) == ("", first)


def test_another_key_is_denied(stage: SshStage) -> None:
    """A key that the server does not know is told as denied, like a token that has expired."""
    with pytest.raises(Troubled) as caught:
        stage.open(stage.remote(key="stranger")).refs(within=soon())
    assert caught.value.trouble is Trouble.DENIED


def test_another_server_is_not_talked_to(stage: SshStage) -> None:
    """A server whose public key is not the one in the site file gets nothing, whatever its address."""
    with pytest.raises(Troubled, match="Host key verification failed"):
        stage.open(stage.remote(host="stranger")).refs(within=soon())


def test_the_key_stays_nowhere(stage: SshStage) -> None:
    """The file with the key is gone afterwards."""
    stage.open(stage.remote()).refs(within=soon())
    secret = (stage.folder / "client").read_text(encoding="ascii").splitlines()[2]
    kept = [
        path for path in (stage.folder / "store.git").rglob("*") if path.is_file() and secret in path.read_text("latin-1")
    ]
    assert kept == []
