"""What the edge of a hosting platform shows in TLS: its own certificate, or that of a name which was certified."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import datetime

from defib.lab.certificates import LabAuthority

CertifiedUntil = Callable[[str], datetime | None]
"""When the certificate of a host ends; None where the platform holds none for it."""


class HostingIdentity:
    """Chooses by the name that a client asks for (SNI); a host that was never certified gets the platform's `default`."""

    def __init__(self, authority: LabAuthority, default: str, certified_until: CertifiedUntil) -> None:
        self._authority = authority
        self._default = default
        self._certified_until = certified_until
        self._expired = False
        self._made: dict[tuple[str, datetime | None, bool], ssl.SSLContext] = {}
        self.context = _server_context()
        self.context.set_servername_callback(self._choose)
        self.show_right()

    def show_right(self) -> None:
        """Show each name its own certificate."""
        self._expired = False
        self._wrong = False
        self._authority.issue((self._default,)).configure_cert(self.context)

    def show_expired(self) -> None:
        """Show each name a certificate that ended yesterday."""
        self.show_right()
        self._expired = True
        self._authority.issue((self._default,), expired=True).configure_cert(self.context)

    def show_wrong(self) -> None:
        """Show a certificate for somebody else's name, whatever is asked for."""
        self.show_right()
        self._wrong = True
        self._authority.issue(("parked.invalid",)).configure_cert(self.context)

    def _choose(self, connection: ssl.SSLSocket | ssl.SSLObject, host: str | None, _: object) -> None:
        until = self._certified_until(host.lower()) if host else None
        if host is not None and until is not None and not self._wrong:
            connection.context = self._context(host.lower(), until)

    def _context(self, host: str, until: datetime) -> ssl.SSLContext:
        key = (host, until, self._expired)
        if key not in self._made:
            context = _server_context()
            self._authority.issue((host,), expired=self._expired, until=until).configure_cert(context)
            self._made[key] = context
        return self._made[key]


def _server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # A resumed session would go on trusting the certificate of the first handshake.
    context.num_tickets = 0
    return context
