"""The worlds of the contract of hosted repositories, over the lab's APIs, and a server that answers as it is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from defib.clock import Clock, SystemClock
from defib.lab.background import BackgroundLoop
from defib.lab.forge import furniture
from defib.lab.forge.alone import RunningForge
from defib.lab.forge.repository import ForgeRepository, HeldKey
from defib.lab.web import Request, Response, WebServer
from defib.mirror.settings import HostedRepository
from tests.contracts.hosted_repository import RepositoryWorld

NEVER_TOLD = (
    *(each.value for each in furniture.VARIABLES),
    furniture.HOOK_SECRET,
    "wordThatIsNeverTold56",
    *(key.public.split()[1] for key in furniture.KEYS),
)
Make = Callable[[str, str], HostedRepository]


def forge_world(
    running: RunningForge, make: Make, project: str, parts: Mapping[str, str], clock: Clock | None = None
) -> RepositoryWorld:
    """The world over the lab's API; `make` takes a project and a token, `parts` are the vendor's words for our fields."""

    def hide(part: str) -> None:
        running.change(lambda repository: replace(repository, unseen=repository.unseen | {parts[part]}))

    def rename(name: str) -> None:
        running.change(lambda repository: replace(repository, path=name, former=repository.former | {repository.path}))

    def keep_keys(number: int) -> None:
        keys = tuple(HeldKey(f"key {each}", "ssh-ed25519 AAAA") for each in range(number))
        running.change(lambda repository: replace(repository, keys=keys))

    def set_to(**how: object) -> Callable[[], None]:
        def changed(repository: ForgeRepository) -> ForgeRepository:
            return replace(repository, **how)  # type: ignore[arg-type]

        return lambda: running.change(changed)

    return RepositoryWorld(
        repository=make(project, running.token),
        hide=hide,
        rename=rename,
        archive=set_to(archived=True),
        open_up=set_to(visibility="public"),
        keep_keys=keep_keys,
        denied=make(project, "wrong"),
        unknown=make("nobody/nothing", running.token),
        never_told=(*NEVER_TOLD, running.token),
        clock=clock or SystemClock(),
    )


@contextmanager
def answering(*answers: Response) -> Iterator[tuple[str, list[Request]]]:
    """A server that gives these answers, the last one again and again: its URL, and what it was asked."""
    coming = list(answers)
    asked: list[Request] = []

    async def handler(request: Request) -> Response:
        asked.append(request)
        return coming.pop(0) if len(coming) > 1 else coming[0]

    with BackgroundLoop() as loop:
        server = WebServer("127.0.0.1", 0, handler)
        loop.run(server.start())
        try:
            yield server.url, asked
        finally:
            loop.run(server.stop())
