"""Everything up, in order: the server until it can be used, then worker and deployments. Or nothing at all.

What runs already is left as it is, so that starting twice, or every few minutes from cron, mends what has died.
"""

from __future__ import annotations

import fcntl
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from defib.clock import Clock, Deadline, SystemClock
from defib.errors import DefibError, InputError
from defib.home import Home
from defib.process import run_command
from defib.service import Wish
from defib.wholefile import PRIVATE, put
from flows.service import settings
from flows.service.api import Api
from flows.service.password import FILE as PASSWORD
from flows.service.password import password
from flows.service.place import Place
from flows.service.process import Started, end, words_of
from flows.service.state import Service

SERVER, WORKER = "server", "worker"

PATIENCE = timedelta(seconds=120)
"""How long each part may take to come up. The first start of a server, which makes its database, takes some 20 s."""

ANSWER = timedelta(seconds=15)
"""How long one that runs already may take to answer."""

DEPLOY = "flows.deploy"
"""The module that deploys; a process of its own, because this one does not import Prefect."""

_POLL = timedelta(milliseconds=200)


@dataclass(frozen=True)
class Up:
    """What is up, and which parts of it were not before."""

    service: Service
    fresh: tuple[str, ...]
    deployments: int
    home: Path
    """Where Prefect has everything: what ``PREFECT_HOME`` is to be for whoever asks the server."""

    @property
    def url(self) -> str:
        """Where the pages are, for this machine."""
        return self.service.place.url

    @property
    def api(self) -> str:
        """Where the API is, for this machine."""
        return self.service.place.api

    @property
    def elsewhere(self) -> str:
        """Where the API is, for others; "" where it is for nobody but this machine."""
        return "" if self.service.place.is_loopback() else f"{self.service.place.elsewhere}/api"

    @property
    def processes(self) -> dict[str, int]:
        """The numbers of its processes."""
        return {what: process.pid for what, process in self.service.processes.items()}

    @property
    def password_file(self) -> Path | None:
        """Where the password is; None where none is asked for."""
        return self.home / PASSWORD if self.service.asks else None


def up(home: Home, wish: Wish, again: str, tell: Callable[[str], object]) -> Up:
    """Start what does not run, deploy for the sites, and come back when all of it can be used.

    `again` is the command that this was asked for with, for whoever is told to give it again.

    Where a part of it does not come up, what was started is ended again, and a :class:`DefibError` says why. A port in use
    is :class:`PortTaken`.
    """
    place = Place(wish.host, wish.port)
    folder = folder_of(home)
    clock = SystemClock()
    with alone(folder):
        before = Service.read(folder)
        coming = _Coming(folder, clock, _agreed(before, place, wish.asks, again), again, tell)
        try:
            coming.server()
            coming.worker()
            coming.deploy(wish.sites, wish.at_first)
        except BaseException:
            coming.undo()
            raise
        return Up(coming.service, tuple(each.what for each in coming.started), coming.deployments, folder)


def down(home: Home) -> dict[str, int]:
    """End exactly what was started, the worker first, so that it can tell the server; what was ended, with its numbers."""
    folder = folder_of(home)
    clock = SystemClock()
    with alone(folder):
        service = Service.read(folder)
        if service is None:
            return {}
        ended = {}
        for what, process in reversed(service.processes.items()):
            if process.alive():
                end(process, clock)
                ended[what] = process.pid
        Service.remove(folder)
    return ended


def folder_of(home: Home) -> Path:
    """Where Prefect has everything, for its owner alone."""
    folder = home.path / "prefect"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One start or stop at a time for a home."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _agreed(before: Service | None, place: Place, asks: bool | None, again: str) -> Service:
    """What shall be up: as it is where something is, and only there where that was asked for."""
    wanted = Service.wanted(place, asks)
    if before is None or not before.any_alive():
        return wanted
    if (before.place, before.asks) != (place, wanted.asks):
        raise InputError(
            "Prefect is up already, otherwise than was asked for",
            where=before.place.url,
            expected=f"{place.url}, {_asking(wanted.asks)}",
            seen=f"{before.place.url}, {_asking(before.asks)}",
            then=_anew(again),
        )
    return before


def _asking(asks: bool) -> str:
    return "with a password" if asks else "without a password"


def _anew(again: str) -> str:
    return f"{again.replace('up', 'down')}, then {again}"


class _Coming:
    """The parts as they come up, and the way back."""

    def __init__(self, folder: Path, clock: Clock, service: Service, again: str, tell: Callable[[str], object]) -> None:
        self._folder, self._clock, self._again, self._tell = folder, clock, again, tell
        self._password = password(folder) if service.asks else ""
        self._api = Api(service.place, self._password)
        self._clients = settings.for_clients(folder, service.place, self._password)
        self.service = service
        self.started: list[Started] = []
        self.deployments = 0

    def server(self) -> None:
        """Prefect's server, until it can be used; one that runs already must also answer."""
        place = self.service.place
        if not self.service.alive(SERVER):
            place.must_be_free(then=f"{self._again} on another port, such as {place.port + 1}")
            profile = settings.profile(place, self._password)
            put(self._folder / "profiles.toml", profile.encode(), "Prefect's profile", mode=PRIVATE)
            if not self.service.asks and not place.is_loopback():
                self._tell(f"warning: whoever can reach {place.elsewhere} can start and approve recoveries there")
            self._tell(f"starting Prefect's server at {place.url}; the first time takes half a minute")
            self._start(SERVER, ["server", "start"], settings.for_server(self._folder, place, self._password))
        self._wait(SERVER, self._api.trouble)

    def worker(self) -> None:
        """A worker that the server knows of; its sign of life must be younger than it is."""
        if self.service.alive(WORKER):
            return
        self._tell("starting a worker")
        begun, name = self._clock.now(), socket.gethostname()
        self._start(WORKER, ["worker", "start", "--type", "process", "--pool", settings.POOL, "--name", name], self._clients)

        def silent() -> str:
            seen = self._api.worker_seen(settings.POOL, name)
            return "" if seen is not None and seen >= begun else "the server has no sign of life of it"

        self._wait(WORKER, silent)

    def deploy(self, sites: Sequence[str], at_first: Sequence[str]) -> None:
        """Every flow that can be started, and every schedule, for each of the sites.

        What was deployed before stands in the database, and is brought up to date where its site is named.
        """
        sites = sites or (() if self._api.deployments() else at_first)
        if sites:
            self._tell(f"deploying for {', '.join(sites)}")
            command = [sys.executable, "-m", DEPLOY, *sites]
            within = Deadline.after(self._clock, PATIENCE)
            # SQLite answers 503 while it is locked, and here there is time.
            patient = {**self._clients, "PREFECT_CLIENT_MAX_RETRIES": "5"}
            finished = run_command(command, patient, within, folder=self._folder, closed=True)
            if finished.status:
                seen = f"exit code {finished.status}: {words_of(finished.output)}"
                raise DefibError("the flows could not be deployed", where=" ".join(command), seen=seen)
        self.deployments = self._api.deployments() or 0

    def undo(self) -> None:
        """End what was started; what ran before goes on, and stays known."""
        for each in reversed(self.started):
            each.end(self._clock)
        left = {what: process for what, process in self.service.processes.items() if process.alive()}
        if left:
            replace(self.service, processes=left).write(self._folder)
        else:
            Service.remove(self._folder)

    def _start(self, what: str, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start it, and write it down before anything else: nothing runs that nobody could end."""
        begun = Started(what, [sys.executable, "-m", "prefect", *arguments], environment, self._folder)
        self.started.append(begun)
        self.service = replace(self.service, processes={**self.service.processes, what: begun.id})
        self.service.write(self._folder)

    def _wait(self, what: str, trouble: Callable[[], str]) -> None:
        """Until it has no trouble, or its process has ended, or it has taken too long."""
        ours = [each for each in self.started if each.what == what]
        within = Deadline.after(self._clock, PATIENCE if ours else ANSWER)
        while why := trouble():
            for each in ours:
                each.must_live()
            if within.expired():
                log = self._folder / f"{what}.log"
                text = f"Prefect's {what} {'did not come up' if ours else 'is up and cannot be used'}"
                raise DefibError(text, where=str(log), seen=why, then=f"cat {log}" if ours else _anew(self._again))
            self._clock.sleep(_POLL)
