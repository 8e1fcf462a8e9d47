"""Where vendors' APIs are when this machine's own DNS does not say: the resolvers of the site file know it as well.

Those stand in the site file by address, with DNS over HTTPS where port 53 is closed, so a recovery reaches Route 53,
Cloudflare and the rest while the machine's own resolvers are silent, or are what failed.
"""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from defib.clock import Clock, Deadline
from defib.observe.failure import NoAnswer
from defib.observe.fetch import is_address, trust_of
from defib.observe.loop import LoopThread
from defib.observe.question import addresses
from defib.site import Site
from defib.sitevendors import Server

PATIENCE = timedelta(seconds=1)
"""How long this machine's own DNS is waited for: a resolver that is gone would be asked for half a minute."""

_WITHIN = timedelta(seconds=3)

Found = Sequence[tuple[Any, ...]]
Find = Callable[..., Found]


class Names:
    """Finds addresses as :func:`socket.getaddrinfo` does, and asks a site's resolvers where that fails or is silent."""

    def __init__(self, site: Site, home: Path, clock: Clock, own: Find = socket.getaddrinfo) -> None:
        self._resolvers: tuple[Server, ...] = site.resolvers
        self._trust = trust_of(site.trust, home)
        self._clock = clock
        self._own = own
        self._loop = LoopThread(f"defib-names-{site.site}")

    def find(self, host: Any, port: Any, *more: Any, **named: Any) -> Found:
        """The signature, the result and the errors are those of :func:`socket.getaddrinfo`."""
        name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
        if not isinstance(name, str) or is_address(name) or "." not in name:
            return self._own(host, port, *more, **named)
        found = self._by_machine(host, port, *more, **named)
        if not isinstance(found, OSError):
            return found
        for address in self._by_resolvers(name):
            return self._own(address, port, *more, **named)
        raise found

    def _by_machine(self, *asked: Any, **named: Any) -> Found | OSError:
        told: queue.SimpleQueue[Found | OSError] = queue.SimpleQueue()

        def ask() -> None:
            try:
                told.put(self._own(*asked, **named))
            except OSError as error:
                told.put(error)

        threading.Thread(target=ask, name="own-dns", daemon=True).start()
        try:
            return told.get(timeout=PATIENCE.total_seconds())
        except queue.Empty:
            return socket.gaierror(socket.EAI_AGAIN, f"this machine's own DNS is silent for {PATIENCE.total_seconds():g} s")

    def _by_resolvers(self, name: str) -> tuple[str, ...]:
        for resolver in self._resolvers:
            within = Deadline.after(self._clock, _WITHIN)
            try:
                return self._loop.run(addresses(resolver, name, self._trust, within))
            except (NoAnswer, OSError):
                continue  # the next may know it; the machine's own error is told where none does
        return ()


def find_names(site: Site, home: Path, clock: Clock) -> None:
    """From now on this process finds names so, vendors' libraries included; the last site's resolvers are asked."""
    own = socket.getaddrinfo
    known = getattr(own, "__self__", None)
    names = Names(site, home, clock, known._own if isinstance(known, Names) else own)  # noqa: SLF001 - its own kind
    socket.getaddrinfo = names.find  # type: ignore[assignment]  # the same, whatever it is asked
