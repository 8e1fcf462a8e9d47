"""The webhook receiver on a real socket, with somebody behind it who only remembers what came."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import httpx
import uvicorn

from defib.alarms.alarm import Alarm
from defib.alarms.receiver import Receiver
from defib.clock import Deadline, SimulatedClock, SystemClock
from defib.errors import DefibError
from defib.providers.alarm.message import Message
from defib.providers.alarm.sns import Sns
from tests.providers.alarm.sns_stage import NOW, TOPIC, Amazon

SECRET = "s3cr3t-of-the-webhooks-in-this-test"


@dataclass
class Memory:
    """Takes everything, or fails as it is told to."""

    taken: list[tuple[str, Alarm]] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    trouble: DefibError | None = None

    def take(self, site: str, heard: Alarm) -> str:
        if self.trouble is not None:
            raise self.trouble
        self.taken.append((site, heard))
        return "taken"

    def tell(self, message: Message) -> str:
        self.messages.append(message)
        return "told"

    def say(self, text: str) -> None:
        self.said.append(text)


@dataclass(frozen=True)
class Door:
    """A running receiver."""

    port: int
    memory: Memory
    amazon: Amazon

    def post(self, path: str, body: bytes, kind: str = "application/json") -> httpx.Response:
        """One request as a vendor makes it."""
        address = f"http://127.0.0.1:{self.port}{path}"
        return httpx.post(address, content=body, headers={"content-type": kind}, trust_env=False, timeout=120)

    def raw(self, *pieces: bytes) -> bytes:
        """Bytes on the wire, and the answer to them."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=120) as connection:
            for piece in pieces:
                connection.sendall(piece)
            return connection.recv(65536)


@contextmanager
def serving() -> Iterator[Door]:
    """A receiver for the site ``pulse`` on a free port."""
    amazon, memory = Amazon(), Memory()
    receiver = Receiver(["pulse"], SECRET, Sns([TOPIC], amazon.fetch), SimulatedClock(NOW), memory)
    settings = uvicorn.Config(
        receiver.application(), http="h11", ws="none", lifespan="off", log_config=None, access_log=False
    )
    server = uvicorn.Server(settings)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        clock = SystemClock()
        limit = Deadline.after(clock, timedelta(seconds=120))
        while not server.started:
            assert not limit.expired()
            clock.sleep(timedelta(milliseconds=20))
        yield Door(listener.getsockname()[1], memory, amazon)
        server.should_exit = True
        thread.join(20)
