"""All of ``deploy/compose.yaml`` without containers: its commands, its settings, its balancer, from Debian's packages.

Nothing here says how a service is started but for what a container gives it: a host of its own becomes a port of its own.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path

from defib.clock import Deadline, SystemClock
from tests.conftest import ROOT
from tests.deploy.composed import DEPLOY, Composed, env_file
from tests.ports import free_ports

_CLOCK = SystemClock()
_START = timedelta(seconds=300)
_PLACES = ("postgres:5432", "redis:6379", "api-1:4200", "api-2:4200", "balancer:4200")


def missing() -> str:
    """What is not installed, in Debian's words; "" where everything is."""
    wanted = {"postgresql": _postgres("initdb"), "redis-server": _program("redis-server"), "haproxy": _program("haproxy")}
    return " ".join(package for package, path in wanted.items() if not path)


def _program(name: str) -> str:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin") or ""


def _postgres(name: str) -> str:
    """Debian keeps each version's programs apart, off the path."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else _program(name)


@dataclass
class Cluster:
    """The services of the file by their names, as processes."""

    folder: Path
    composed: Composed
    ports: Mapping[str, int]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The one address that everybody uses."""
        return f"http://127.0.0.1:{self.ports['balancer:4200']}"

    def environment(self, name: str) -> dict[str, str]:
        """What the service sees, with the addresses of this machine."""
        own = {key: self.moved(value) for key, value in self.composed.environment(name).items()}
        if place := self.ports.get(f"{name}:4200"):
            own |= {"PREFECT_SERVER_API_HOST": "127.0.0.1", "PREFECT_SERVER_API_PORT": str(place)}
        kept = {key: os.environ[key] for key in ("PATH", "LANG", "TMPDIR") if key in os.environ}
        home = self.folder / name
        home.mkdir(exist_ok=True)
        more = {"HOME": str(home), "PYTHONPATH": str(ROOT)}
        if "PREFECT_SERVER_UI_STATIC_DIRECTORY" in own:
            own["PREFECT_SERVER_UI_STATIC_DIRECTORY"] = str(home / "ui")
        return {**kept, **own, **more}

    def moved(self, text: str) -> str:
        """With the addresses of this machine in the place of the containers'."""
        for place in _PLACES:
            text = text.replace(place, f"127.0.0.1:{self.ports[place]}")
        return text

    def start(self, name: str, command: Sequence[str], more: Mapping[str, str] = {}) -> subprocess.Popen[bytes]:
        """Start a service in a session of its own."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                list(command),
                env={**self.environment(name), **more},
                cwd=self.folder / name,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self.processes[name]

    def prefect(self, name: str, more: Mapping[str, str] = {}) -> subprocess.Popen[bytes]:
        """Start a service that is Prefect, by the command in the file."""
        program, *arguments = self.composed.command(name)
        assert program == "prefect", program
        return self.start(name, [sys.executable, "-m", "prefect", *arguments], more)

    def kill(self, name: str) -> None:
        """Kill -9, with every process it started."""
        os.killpg(self.processes[name].pid, signal.SIGKILL)
        self.processes[name].wait()

    def log(self, name: str) -> str:
        """What a service has said."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def wait(self, name: str, ready: Callable[[], bool]) -> None:
        """Wait until a service can be used."""
        within = Deadline.after(_CLOCK, _START)
        while not ready():
            assert self.processes[name].poll() is None, f"{name} has ended: {self.log(name)[-4000:]}"
            assert not within.expired(), f"{name} did not come up: {self.log(name)[-4000:]}"
            _CLOCK.sleep(timedelta(milliseconds=50))


@contextmanager
def running(folder: Path) -> Iterator[Cluster]:
    """Everything but the worker, in the order that the file asks for; all of it gone afterwards."""
    names = env_file(DEPLOY / "secrets.env.example")
    cluster = Cluster(
        folder,
        Composed({name: secrets.token_hex(16) for name in names}),
        dict(zip(_PLACES, free_ports(len(_PLACES)), strict=True)),
    )
    with ExitStack() as stack:
        data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="defib-postgres-")))
        stack.callback(_end, cluster)
        _start_postgres(cluster, data)
        _start_redis(cluster)
        migration = cluster.prefect("migrate")
        assert migration.wait(_START.total_seconds()) == 0, cluster.log("migrate")
        for name in ("api-1", "api-2", "services"):
            cluster.prefect(name)
        _start_balancer(cluster)
        for name in ("api-1", "api-2", "balancer"):
            cluster.wait(name, partial(_answers, cluster.moved(f"http://{name}:4200/api/ready")))
        yield cluster


def _start_postgres(cluster: Cluster, data: Path) -> None:
    """As the image does it: a database and its owner. It refuses to run as root, which becomes somebody else for it."""
    owner = _somebody(data)
    environment = cluster.environment("postgres")
    user, name, password = (environment[f"POSTGRES_{what}"] for what in ("USER", "DB", "PASSWORD"))
    (data / "password").write_text(password)
    os.chown(data / "password", data.stat().st_uid, data.stat().st_gid)
    initdb = ["-D", str(data / "db"), "-U", user, "--auth=scram-sha-256", f"--pwfile={data / 'password'}"]
    subprocess.run([*owner, _postgres("initdb"), *initdb], check=True, capture_output=True, cwd=data)
    program, *arguments = cluster.composed.command("postgres")
    at = ["-h", "127.0.0.1", "-p", str(cluster.ports["postgres:5432"])]
    cluster.start("postgres", [*owner, _postgres(program), *arguments, "-D", str(data / "db"), "-k", str(data), *at])
    cluster.wait("postgres", lambda: _succeeds([_postgres("pg_isready"), *at]))
    create = [_postgres("createdb"), *at, "-U", user, name]
    subprocess.run(create, check=True, env={"PGPASSWORD": password, "PATH": os.environ["PATH"]}, capture_output=True)


def _start_balancer(cluster: Cluster) -> None:
    """With the very configuration that the container is given."""
    environment = {key: cluster.moved(value) for key, value in cluster.composed.environment("balancer").items()}
    environment["LISTEN"] = f"127.0.0.1:{cluster.ports['balancer:4200']}"
    cluster.start("balancer", [_program("haproxy"), "-db", "-f", str(DEPLOY / "haproxy.cfg")], environment)


def _somebody(data: Path) -> list[str]:
    """How to become the owner of `data`; nothing where we are nobody special."""
    if os.getuid() != 0:
        return []
    owner = pwd.getpwnam("postgres")
    os.chown(data, owner.pw_uid, owner.pw_gid)
    return ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups"]


def _start_redis(cluster: Cluster) -> None:
    port = cluster.ports["redis:6379"]
    own = f"redis-server --port {port} --bind 127.0.0.1 -"
    command = [word.replace("redis-server -", own) for word in cluster.composed.command("redis")]
    cluster.start("redis", command)
    cluster.wait("redis", lambda: _listens(port))


def _succeeds(command: Sequence[str]) -> bool:
    return subprocess.run(list(command), check=False, capture_output=True).returncode == 0


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=30).close()
    except OSError:
        return False
    return True


def _answers(address: str) -> bool:
    try:
        urllib.request.urlopen(address, timeout=30).close()
    except (urllib.error.URLError, OSError):
        return False
    return True


def _end(cluster: Cluster) -> None:
    """Those that need others first."""
    for name, process in reversed(cluster.processes.items()):
        if process.poll() is None:
            kind = signal.SIGINT if name == "postgres" else signal.SIGKILL  # a fast shutdown; the others keep nothing
            os.killpg(process.pid, kind)
        process.wait(120)
