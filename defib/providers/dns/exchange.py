"""One question to one name server over TCP, and its refusals as our errors."""

from __future__ import annotations

from dataclasses import dataclass, field

import dns.exception
import dns.message
import dns.opcode
import dns.query
import dns.rcode
import dns.tsig

from defib.clock import Deadline
from defib.errors import Conflict, Denied, NotFound, ProviderError, Unavailable
from defib.providers.bounded import bounded
from defib.sites.vendors import Server

_PREREQUISITES = {dns.rcode.NXRRSET, dns.rcode.YXRRSET, dns.rcode.YXDOMAIN}


@dataclass(frozen=True)
class NameServer:
    """A server, and the key that signs what is asked of it, if any."""

    server: Server
    key: dns.tsig.Key | None = field(repr=False)

    def __str__(self) -> str:
        return f"{self.server.name} ({self.server.address} port {self.server.port})"


def exchange(server: NameServer, message: dns.message.Message, within: Deadline, what: str) -> dns.message.Message:
    """Send `message`, signed where the server has a key, and give the answer, NOERROR or NXDOMAIN.

    The time-out of dnspython covers connecting, sending and receiving, so nothing is sent once `within` is over. It takes
    no unsigned answer to a signed message, so what is believed here was said by who holds the key.
    """
    where = str(server)
    if server.key is not None:
        message.use_tsig(server.key)
    try:
        answer = bounded(
            lambda: dns.query.tcp(
                message,
                server.server.address,
                timeout=within.remaining().total_seconds(),
                port=server.server.port,
            ),
            within,
            what,
            where,
        )
    except dns.tsig.PeerBadTime as error:
        raise _skewed(what, where, within) from error
    except (dns.tsig.PeerError, dns.message.UnknownTSIGKey, dns.tsig.BadSignature, dns.tsig.BadKey) as error:
        raise Denied(
            f"{what}: the server and we do not hold the same TSIG key",
            where=where,
            seen=type(error).__name__,
            then="check dns.tsig in the site file against the server's key: name, algorithm, secret",
        ) from error
    except dns.tsig.BadTime as error:
        raise _skewed(what, where, within) from error
    except (dns.exception.DNSException, OSError, EOFError) as error:
        raise Unavailable(f"{what}: no usable answer", where=where, seen=f"{type(error).__name__}: {error}") from error
    if answer.rcode() not in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN}:
        raise _refused(answer.rcode(), what, where)
    return answer


def _refused(code: dns.rcode.Rcode, what: str, where: str) -> ProviderError:
    seen = dns.rcode.to_text(code)
    if code in _PREREQUISITES:
        return Conflict(f"{what}: the zone does not hold what was expected", where=where, seen=seen)
    if code == dns.rcode.REFUSED:
        return Denied(f"{what}: the server refuses it to this key", where=where, seen=seen)
    if code in {dns.rcode.NOTAUTH, dns.rcode.NOTZONE}:
        # Wrong keys are NOTAUTH too, but with an error in the TSIG record, which has raised before (RFC 8945, 5.2).
        return NotFound(
            f"{what}: the server is not the zone's primary",
            where=where,
            seen=seen,
            then="check dns.zone and dns.primary in the site file",
        )
    if code in {dns.rcode.FORMERR, dns.rcode.NOTIMP}:
        return NotFound(f"{what}: the server does not take this request", where=where, seen=seen)
    return Unavailable(f"{what}: the server cannot answer now", where=where, seen=seen)


def _skewed(what: str, where: str, within: Deadline) -> Denied:
    return Denied(
        f"{what}: this machine's clock and the server's differ too much for TSIG",
        where=where,
        expected="clocks that agree within 5 minutes (RFC 8945, section 5.2.3)",
        seen=f"BADTIME; it is {within.clock.now():%Y-%m-%d %H:%M:%S} UTC on this machine",
        then="set the clock (timedatectl set-ntp true) here or there, then run again",
    )
