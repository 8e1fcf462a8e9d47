"""Where vendors' APIs are when this machine's own DNS does not say: the resolvers of the site file know it as well.

Those stand in the site file by address, with DNS over HTTPS where port 53 is closed, so a recovery reaches Route 53,
Cloudflare and the rest while the machine's own resolvers are silent, or are what failed.
"""

from __future__ import annotations

import asyncio
import queue
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from defib.clock import Clock, Deadline
from defib.observe.failure import NoAnswer
from defib.observe.fetch import is_address, trust_of
from defib.observe.loop import LoopThread
from defib.observe.question import addresses
from defib.sites.site import Site
from defib.sites.vendors import Server

PATIENCE = timedelta(seconds=1)
"""How long this machine's own DNS is waited for: a resolver that is gone would be asked for half a minute."""

_WITHIN = timedelta(seconds=3)
"""For all of the site's resolvers together: with the patience it is less than one attempt at a vendor's API may take."""

Found = Sequence[tuple[Any, ...]]
Find = Callable[..., Found]
_Answers = queue.SimpleQueue[Found | Exception]


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
        told = self._asked_of_machine(host, port, *more, **named)
        found = _told(told, PATIENCE)
        if found is None or isinstance(found, OSError):
            known = self._by_resolvers(name)
            if known:
                return [place for address in known for place in self._own(address, port, *more, **named)]
            found = found or _told(told, timedelta(0))  # it may have found its voice meanwhile
        if found is None:
            raise socket.gaierror(socket.EAI_AGAIN, "this machine's own DNS is silent, and so are the site's resolvers")
        if isinstance(found, Exception):
            raise found
        return found

    def _asked_of_machine(self, *asked: Any, **named: Any) -> _Answers:
        told: _Answers = queue.SimpleQueue()

        def ask() -> None:
            try:
                told.put(self._own(*asked, **named))
            except Exception as error:  # UnicodeError, for a name that is none, is no OSError
                told.put(error)

        threading.Thread(target=ask, name="own-dns", daemon=True).start()
        return told

    def _by_resolvers(self, name: str) -> tuple[str, ...]:
        return self._loop.run(self._first_known(name, Deadline.after(self._clock, _WITHIN)))

    async def _first_known(self, name: str, within: Deadline) -> tuple[str, ...]:
        """What the first resolver says that knows the name; all are asked at once, because any of them may be silent."""
        asked = [asyncio.ensure_future(addresses(each, name, self._trust, within)) for each in self._resolvers]
        try:
            async with asyncio.timeout(within.remaining().total_seconds()):
                for answer in asyncio.as_completed(asked):
                    with suppress(NoAnswer, OSError):
                        return await answer
        except TimeoutError:
            pass  # the machine's own error is told where nobody knows it
        finally:
            for each in asked:
                each.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
        return ()


def _told(told: _Answers, patience: timedelta) -> Found | Exception | None:
    try:
        return told.get(timeout=patience.total_seconds()) if patience else told.get_nowait()
    except queue.Empty:
        return None


def find_names(site: Site, home: Path, clock: Clock) -> None:
    """From now on this process finds names so, vendors' libraries included; the last site's resolvers are asked."""
    own = socket.getaddrinfo
    known = getattr(own, "__self__", None)
    names = Names(site, home, clock, known._own if isinstance(known, Names) else own)  # noqa: SLF001 - its own kind
    socket.getaddrinfo = names.find  # type: ignore[assignment]  # the same, whatever it is asked
