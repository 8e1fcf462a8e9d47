"""The ground truth for the time to recover: it looks at the public names as a user would and knows of no run.

::

    python -m defib.lab.eyewitness --resolvers 127.77.6.1:5300,127.77.6.2:5300 --ca ca.pem --log-dir DIR --parent PID URL...

Every 100 ms, whether or not earlier looks have ended, it resolves each name through the next of its resolvers with
packets of its own, because users are behind all of them and their caches end at different moments. It fetches the
page over verified TLS, and appends one line of JSON to the log of that name. A look is dated by the moment it was
sent: a user who clicked then got this answer.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import re
import signal
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TextIO
from urllib.parse import urlsplit

import dns.asyncquery
import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

from defib.clock import SystemClock

INTERVAL = timedelta(milliseconds=100)
TIME_LIMIT = timedelta(seconds=2)
STAYED_GOOD = timedelta(seconds=1)
_LONGEST_CHAIN = 8
_MARKER = re.compile(rb'<meta name="build" content="[0-9a-f]{40} [0-9TZ:+-]+">')
_TITLE = b"<title>Pulse Trading</title>"


@dataclass(frozen=True)
class Look:
    """One look: when it was sent, whether a user would have been served, and why not."""

    sent_at: datetime
    good: bool
    reason: str = ""
    address: str = ""


@dataclass(frozen=True)
class Outage:
    """From the first bad look to the first good one that stayed good; `end` is None while it lasts."""

    start: datetime
    end: datetime | None

    @property
    def length(self) -> timedelta | None:
        """How long it lasted, None while it lasts."""
        return None if self.end is None else self.end - self.start


def log_name(host: str) -> str:
    """The file name of the log about `host`."""
    return f"eyewitness-{host}.jsonl"


def read_looks(log: Path, since: datetime) -> tuple[Look, ...]:
    """The looks sent at or after `since`, in the order of sending; a half-written last line is left out."""
    if not log.exists():
        return ()
    looks = []
    for line in log.read_text(encoding="utf-8").split("\n")[:-1]:
        plain = json.loads(line)
        sent_at = datetime.fromisoformat(plain["sent_at"])
        if sent_at >= since:
            looks.append(Look(sent_at, plain["good"], plain["reason"], plain["address"]))
    return tuple(sorted(looks, key=lambda look: look.sent_at))


def outages(log: Path, since: datetime, stayed_good: timedelta = STAYED_GOOD) -> tuple[Outage, ...]:
    """The outages among the looks sent since `since`; good spells shorter than `stayed_good` do not end one.

    A look that has not ended yet is not in the log: read it no earlier than :data:`TIME_LIMIT` after what matters.
    """
    found: list[Outage] = []
    for look in read_looks(log, since):
        last = found[-1] if found else None
        if look.good and last is not None and last.end is None:
            found[-1] = Outage(last.start, look.sent_at)
        elif not look.good and last is not None and last.end is not None:
            if look.sent_at - last.end < stayed_good:
                found[-1] = Outage(last.start, None)
            else:
                found.append(Outage(look.sent_at, None))
        elif not look.good and last is None:
            found.append(Outage(look.sent_at, None))
    return tuple(found)


def blind_spots(log: Path, since: datetime, longest: timedelta = 5 * INTERVAL) -> tuple[Outage, ...]:
    """The spells without any look that are longer than `longest`: what happened in them is unknown."""
    looks = read_looks(log, since)
    pairs = pairwise(looks)
    return tuple(Outage(a.sent_at, b.sent_at) for a, b in pairs if b.sent_at - a.sent_at > longest)


class UnservedError(Exception):
    """A user would not have been served; the text says why."""


class Eyewitness:
    """Looks at one URL again and again, and writes down what it saw."""

    def __init__(self, url: str, resolvers: Sequence[tuple[str, int]], trust: ssl.SSLContext, log: Path) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._port = parts.port or 443
        self._path = parts.path or "/"
        self._resolvers = itertools.cycle(resolvers)
        self._trust = trust
        self._log = log
        self._clock = SystemClock()
        self._looks: set[asyncio.Task[None]] = set()

    async def watch(self) -> None:
        """Look every :data:`INTERVAL` until cancelled."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        with self._log.open("a", encoding="utf-8", buffering=1) as log:
            while True:
                task = loop.create_task(self._note(log))
                self._looks.add(task)
                task.add_done_callback(self._looks.discard)
                # From the plan, not from now: a late look must not make all later ones late.
                due = max(due + INTERVAL.total_seconds(), loop.time() - TIME_LIMIT.total_seconds())
                await asyncio.sleep(due - loop.time())

    async def _note(self, log: TextIO) -> None:
        sent_at = self._clock.now()
        seen = _Seen()
        reason = ""
        try:
            async with asyncio.timeout(TIME_LIMIT.total_seconds()):
                await self._look(seen)
        except TimeoutError:
            reason = f"no answer within {TIME_LIMIT.total_seconds():g} s"
        except (OSError, EOFError, ValueError, dns.exception.DNSException, UnservedError) as problem:
            reason = f"{type(problem).__name__}: {problem}"
        line = {"sent_at": sent_at.isoformat(), "good": not reason, "reason": reason, "address": seen.address}
        log.write(json.dumps(line) + "\n")

    async def _look(self, seen: _Seen) -> None:
        seen.address = await self._resolve()
        reader, writer = await asyncio.open_connection(seen.address, self._port, ssl=self._trust, server_hostname=self._host)
        try:
            request = f"GET {self._path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\nConnection: close\r\n\r\n"
            writer.write(request.encode())
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"\r\ncontent-length: *(\d+)", head.lower())
            body = await reader.readexactly(int(length[1])) if length else await reader.read()
        finally:
            writer.transport.abort()
        _judge(head, body)

    async def _resolve(self) -> str:
        """Ask the resolver for the address, following the CNAMEs of its answers."""
        name = dns.name.from_text(self._host)
        address, port = next(self._resolvers)
        for _ in range(_LONGEST_CHAIN):
            query = dns.message.make_query(name, dns.rdatatype.A)
            answer = await dns.asyncquery.udp(query, address, port=port, timeout=TIME_LIMIT.total_seconds())
            chain = {(rrset.name, rrset.rdtype): rrset for rrset in answer.answer}
            while (name, dns.rdatatype.CNAME) in chain:
                name = chain.pop((name, dns.rdatatype.CNAME))[0].target
            if (name, dns.rdatatype.A) in chain:
                return str(chain[name, dns.rdatatype.A][0].address)
            if not answer.answer:
                raise UnservedError(f"DNS: {dns.rcode.to_text(answer.rcode())}, no address for {name}")
        raise UnservedError("DNS: the chain of CNAMEs does not end")


@dataclass
class _Seen:
    """How far a look got, kept also when it fails."""

    address: str = ""


def _judge(head: bytes, body: bytes) -> None:
    status = head.split(b" ", 2)[1]
    if status != b"200":
        raise UnservedError(f"HTTP {status.decode()}")
    if _TITLE not in body:
        raise UnservedError("the title is missing")
    if not _MARKER.search(body):
        raise UnservedError("the build marker is missing")


def main() -> None:
    """Watch until told to stop, or until the process `--parent` is gone."""
    parser = argparse.ArgumentParser(prog="python -m defib.lab.eyewitness")
    parser.add_argument("urls", nargs="+", metavar="URL")
    parser.add_argument("--resolvers", required=True, help="address:port,address:port,…")
    parser.add_argument("--ca", required=True, type=Path)
    parser.add_argument("--log-dir", required=True, type=Path)
    parser.add_argument("--parent", required=True, type=int)
    given = parser.parse_args()
    resolvers = [(address, int(port)) for address, _, port in (each.rpartition(":") for each in given.resolvers.split(","))]
    trust = ssl.create_default_context(cafile=str(given.ca))
    watchers = [
        Eyewitness(url, resolvers, trust, given.log_dir / log_name(urlsplit(url).hostname or "")) for url in given.urls
    ]
    asyncio.run(_watch(watchers, given.parent))


async def _watch(watchers: list[Eyewitness], parent: int) -> None:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    tasks = [loop.create_task(each.watch()) for each in watchers]
    # The parent gone, another process adopts us: that is how its death shows, however it died.
    while not stopped.is_set() and os.getppid() == parent and not any(task.done() for task in tasks):
        try:
            await asyncio.wait_for(stopped.wait(), INTERVAL.total_seconds())
        except TimeoutError:
            continue
    for task in tasks:
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(outcome, Exception):
            raise outcome


if __name__ == "__main__":
    main()
