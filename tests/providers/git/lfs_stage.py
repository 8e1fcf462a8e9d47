"""An LFS server that a test can stand in front of, and what a client has on its own disk."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from defib.clock import Clock, Deadline, SystemClock
from defib.lab.background import BackgroundLoop
from defib.lab.lfs import LfsServer, refusal
from defib.lab.web import Request, Response, WebServer
from defib.providers.git.lfs import LfsRemote
from defib.providers.git.lfs_http import Login
from defib.providers.git.lfs_pointers import Pointer
from defib.providers.git.lfs_store import LfsStore

LOGIN = Login("x-access-token", "glpat-0123456789-of-lfs")
Spoil = Callable[[Request, Response], Response | None]


def pointer_to(body: bytes, path: str = "") -> Pointer:
    """The pointer to an object of these bytes."""
    return Pointer(hashlib.sha256(body).hexdigest(), len(body), path)


def objects(count: int, size: int = 100) -> dict[Pointer, bytes]:
    """So many different objects."""
    bodies = [f"{number:08} ".encode() * (size // 9 + 1) for number in range(count)]
    return {pointer_to(body[:size], f"{number}.bin"): body[:size] for number, body in enumerate(bodies)}


def is_batch(request: Request) -> bool:
    """Whether this asks what there is."""
    return request.target.endswith("/objects/batch")


@dataclass
class LfsFront:
    """The lab's LFS server on an address of its own, at whose door `spoil` may change each answer.

    Only who brings `login` is let in, everybody where there is none. `asked` is what came.
    """

    lfs: LfsServer
    login: Login | None = LOGIN
    asked: list[Request] = field(default_factory=list)
    spoil: Spoil = lambda _, answer: answer

    def __post_init__(self) -> None:
        self.web = WebServer("127.0.0.1", 0, self._answer)

    @property
    def url(self) -> str:
        """The repository beside which it is."""
        return f"{self.web.url}/pulse.git"

    async def _answer(self, request: Request) -> Response | None:
        self.asked.append(request)
        if self.login is not None and request.headers.get("authorization") != self.login.header:
            return refusal(401, "Credentials needed")
        named = Request(request.method, request.target, {"authorization": "none"} | dict(request.headers), request.body)
        return self.spoil(request, await self.lfs.answer(named, self.url))

    def batches(self) -> list[Request]:
        """Requests that asked what there is."""
        return [request for request in self.asked if is_batch(request)]


@dataclass(frozen=True)
class LfsStage:
    """A server, another host, and a client's store."""

    folder: Path
    server: LfsFront
    elsewhere: LfsFront
    clock: SystemClock = field(default_factory=SystemClock)

    @property
    def store(self) -> LfsStore:
        """What the client has."""
        return LfsStore(self.folder / "store")

    @property
    def remote(self) -> LfsRemote:
        """What a run would open."""
        return LfsRemote(self.server.url, LOGIN)

    def within(self, seconds: float = 60, clock: Clock | None = None) -> Deadline:
        """A deadline; where waiting is not the point, on a clock that only waits move."""
        return Deadline.after(clock or self.clock, timedelta(seconds=seconds))

    def put(self, bodies: dict[Pointer, bytes]) -> tuple[Pointer, ...]:
        """Let the server have these objects."""
        for pointer, body in bodies.items():
            path = self.server.lfs.path(pointer.oid)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
        return tuple(bodies)

    def keep(self, bodies: dict[Pointer, bytes]) -> tuple[Pointer, ...]:
        """Let the client have these objects."""
        with self.store.open(self.within()):
            for pointer, body in bodies.items():
                with self.store.incoming(pointer) as coming:
                    coming.write(body)
        return tuple(bodies)

    def named(self) -> set[str]:
        """The ids under which the client has something."""
        return {path.name for path in self.store.folder.glob("objects/*/*/*")}

    def incoming(self) -> list[Path]:
        """What is on its way, or was."""
        return list(self.store.folder.glob("incoming/*"))

    def send_elsewhere(self, request: Request, answer: Response) -> Response:
        """Name the other host as the place of all objects."""
        if not is_batch(request):
            return answer
        body = answer.body.replace(self.server.web.url.encode(), self.elsewhere.web.url.encode())
        key = base64.b64encode(b"key-of-the-other-host")
        return Response(answer.status, answer.headers, body.replace(LOGIN.header.encode(), key))


@contextmanager
def lfs_stage(folder: Path) -> Iterator[LfsStage]:
    """Servers that run until the block ends; the other host has the same objects, and asks nobody who they are."""
    lfs = LfsServer(folder / "server")
    with BackgroundLoop() as loop:
        stage = LfsStage(folder, LfsFront(lfs), LfsFront(lfs, login=None))
        for front in (stage.server, stage.elsewhere):
            loop.run(front.web.start())
        try:
            yield stage
        finally:
            for front in (stage.server, stage.elsewhere):
                loop.run(front.web.stop())
