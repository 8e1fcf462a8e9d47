"""One certificate authority for the lab, and what a server shows of it: a right certificate, an expired or a wrong one."""

from __future__ import annotations

import ssl
from datetime import datetime, timedelta

import trustme

from defib.clock import Clock, SystemClock


class LabAuthority:
    """Signs for every server of one lab; a new one at each start."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._authority = trustme.CA(organization_name="Defib lab")

    @property
    def pem(self) -> bytes:
        """The certificate that clients trust."""
        return self._authority.cert_pem.bytes()

    def client_context(self) -> ssl.SSLContext:
        """A context that trusts this authority alone."""
        context = ssl.create_default_context(cadata=self.pem.decode())
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context

    def identity(self, *names: str) -> ServerIdentity:
        """What a server needs to speak TLS as `names`."""
        return ServerIdentity(self, names)

    def issue(self, names: tuple[str, ...], *, expired: bool = False, until: datetime | None = None) -> trustme.LeafCert:
        """A certificate for `names`, over since yesterday if `expired`; it ends at `until` where that is given."""
        now = self._clock.now()
        day = timedelta(days=1)
        ends = now - day if expired else until or now + 90 * day
        return self._authority.issue_cert(*names, not_before=min(now, ends) - 90 * day, not_after=ends)


class ServerIdentity:
    """A server's TLS context, whose certificate can be changed while it runs."""

    def __init__(self, authority: LabAuthority, names: tuple[str, ...]) -> None:
        self._authority = authority
        self._names = names
        self._right = authority.issue(names)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # A resumed session would go on trusting the certificate of the first handshake.
        self.context.num_tickets = 0
        self.show_right()

    def show_right(self) -> None:
        """Show the certificate that clients expect to every new connection."""
        self._right.configure_cert(self.context)

    def show_expired(self) -> None:
        """Show a certificate for the right names that ended yesterday."""
        self._authority.issue(self._names, expired=True).configure_cert(self.context)

    def show_wrong(self) -> None:
        """Show a valid certificate for somebody else's name."""
        self._authority.issue(("parked.invalid",)).configure_cert(self.context)
