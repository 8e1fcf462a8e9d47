"""Which certificate a server shows for a public name, whether browsers would take it, and for how long."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography import x509

from defib.clock import Clock, Deadline
from defib.observe.failure import NoAnswer, certificate_reason, connection_reason, is_ours, issuer_of, names_of, seconds
from defib.observe.fetch import Connection, Place, Progress, connect, is_address, shown_certificate, trust_of
from defib.observe.loop import LoopThread
from defib.observe.question import addresses
from defib.ports import Health
from defib.sites.site import Site
from defib.users.trust import SeenCertificate


def judge_certificate(
    address: str, certificate: x509.Certificate | None, refusal: ssl.SSLCertVerificationError | None, now: datetime
) -> SeenCertificate:
    """What a handshake means that showed `certificate` and ended in `refusal`, or was verified where that is None."""
    if certificate is None:
        problem = f"TLS: {refusal.verify_message}" if refusal is not None else "TLS: no certificate was shown"
        return SeenCertificate(address, Health.BAD, problem=problem)
    return SeenCertificate(
        address,
        Health.GOOD if refusal is None else Health.BAD,
        names_of(certificate),
        issuer_of(certificate),
        certificate.not_valid_after_utc,
        "" if refusal is None else certificate_reason(refusal, certificate, now),
    )


class CertificateProbe:
    """Looks at certificates over the network, on an event loop of its own until :meth:`close`.

    Believes the site's authorities; asks the site's resolvers, in their order, for names to connect to.
    """

    def __init__(self, site: Site, home: Path, clock: Clock) -> None:
        self._resolvers = site.resolvers
        self._clock = clock
        self._trust = trust_of(site.trust, home)
        self._loop = LoopThread(f"defib-certificates-{site.site}")

    def look(self, url: str, connect_to: str = "", *, within: Deadline) -> tuple[SeenCertificate, ...]:
        """What is shown for the name and port of `url`, by each address of `connect_to`: an address, or a name.

        With `connect_to` empty it is what users of `url` are shown. Where no address is found, the one answer says why.
        Never raises for what it sees, and ends when `within` does.
        """
        return self._loop.run(self._look(Place.of(url), connect_to, within))

    def close(self) -> None:
        """End the looks under way and the event loop. Idempotent."""
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    async def _look(self, place: Place, connect_to: str, within: Deadline) -> tuple[SeenCertificate, ...]:
        allowed = within.remaining()
        try:
            async with asyncio.timeout(allowed.total_seconds()):
                where = await self._addresses(connect_to or place.host, within)
        except TimeoutError:
            return (SeenCertificate("", Health.UNKNOWN, problem=f"DNS: no answer within {seconds(allowed)}"),)
        except (OSError, NoAnswer) as error:
            return (SeenCertificate("", Health.UNKNOWN, problem=connection_reason(error)),)
        return tuple(await asyncio.gather(*(self._at(address, place, within) for address in where)))

    async def _addresses(self, host: str, within: Deadline) -> Sequence[str]:
        """The addresses of `host` from the first resolver that gives any; each may take its share of what time is left."""
        if is_address(host):
            return (host,)
        last = NoAnswer("DNS: the site has no resolver")
        for number, resolver in enumerate(self._resolvers):
            share = within.remaining() / (len(self._resolvers) - number)
            try:
                async with asyncio.timeout(share.total_seconds()):
                    return await addresses(resolver, host, self._trust, within.sooner(share))
            except TimeoutError:
                last = NoAnswer(f"DNS: no answer from {resolver.name}")
            except NoAnswer as error:
                last = error
        raise last

    async def _at(self, address: str, place: Place, within: Deadline) -> SeenCertificate:
        allowed = within.remaining()
        try:
            async with asyncio.timeout(allowed.total_seconds()):
                return await self._shown(address, place)
        except TimeoutError:
            return SeenCertificate(address, Health.BAD, problem=f"no answer within {seconds(allowed)}")
        except (OSError, NoAnswer) as error:
            health = Health.UNKNOWN if is_ours(error) else Health.BAD
            return SeenCertificate(address, health, problem=connection_reason(error))

    async def _shown(self, address: str, place: Place) -> SeenCertificate:
        try:
            connection = await connect(address, place, self._trust, Progress())
        except ssl.SSLCertVerificationError as refusal:
            shown = await shown_certificate(address, place)
            return judge_certificate(address, shown, refusal, self._clock.now())
        try:
            return judge_certificate(address, _peer(connection), None, self._clock.now())
        finally:
            connection.close()


def _peer(connection: Connection) -> x509.Certificate | None:
    der = connection.writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    return x509.load_der_x509_certificate(der) if der else None
