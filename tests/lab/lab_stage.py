"""What the tests of the lab share: a network nobody uses, and a world on a loop of its own."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from defib.lab.background import BackgroundLoop
from defib.lab.faults import Fault
from defib.lab.plan import CONTROL_PORT, WEB_PORT, AddressPlan
from defib.lab.web import Request, Response, fetch
from defib.lab.world import Secrets, World

PUBLIC = "www.pulse-trading.test"


def free_net() -> str:
    """A network below those of other tests on which no lab runs; where the search starts differs between processes."""
    for offset in range(60):
        net = f"127.{10 + (os.getpid() + offset) % 60}"
        with socket.socket() as probe:
            if probe.connect_ex((f"{net}.0.1", CONTROL_PORT)) != 0:
                return net
    raise RuntimeError("every network of the tests has a lab on it")


@dataclass(frozen=True)
class Stage:
    """A running world, and what a test does with it."""

    world: World
    keys: Secrets
    loop: BackgroundLoop

    def break_(self, target: str, fault: str, **options: float) -> None:
        """Break something."""
        self.loop.run(self.world.break_(target, Fault(fault, options)))

    def heal(self) -> None:
        """Heal everything."""
        self.loop.run(self.world.heal())

    def get(self, last: str, path: str = "/", host: str = PUBLIC, *, method: str = "GET", within: float = 30) -> Response:
        """Fetch from the server at NET.`last` over verified TLS as `host`."""
        request = Request(method, path, {"host": f"{host}:{WEB_PORT}"})
        tls = self.world.authority.client_context()
        address = self.world.plan.at(last)
        return self.loop.run(fetch(address, WEB_PORT, request, tls, name=host, within=within))


@contextmanager
def running_world() -> Iterator[Stage]:
    """A world on a free network, without eyewitness and control API."""
    with BackgroundLoop() as loop:
        keys = Secrets.random()

        async def build() -> World:
            world = World(AddressPlan(free_net()), keys)
            await world.start()
            return world

        world = loop.run(build())
        try:
            yield Stage(world, keys, loop)
        finally:
            loop.run(world.stop())
