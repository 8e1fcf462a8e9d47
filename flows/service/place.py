"""Where Prefect's server listens, and how it is reached from here."""

from __future__ import annotations

import errno
import ipaddress
import socket
from dataclasses import dataclass

from defib.errors import InputError, PortTaken

HOST = "127.0.0.1"
PORT = 4200


@dataclass(frozen=True)
class Place:
    """A host, as it was asked for, and a port."""

    host: str = HOST
    port: int = PORT

    def __post_init__(self) -> None:
        if not 0 < self.port < 65536:  # noqa: PLR2004 - what TCP has
            raise InputError("not a port", expected="a number from 1 to 65535", seen=str(self.port))

    @property
    def url(self) -> str:
        """The address of the pages, as this machine reaches it: where it listens everywhere, by loopback."""
        address = _address(self.host)
        if address is not None and address.is_unspecified:
            address = ipaddress.ip_address("127.0.0.1" if address.version == 4 else "::1")  # noqa: PLR2004
        return self._at(str(address) if address is not None else self.host)

    @property
    def api(self) -> str:
        """The address of the API, as this machine reaches it."""
        return f"{self.url}/api"

    @property
    def elsewhere(self) -> str:
        """The address of the pages for others: by this machine's name where it listens everywhere."""
        address = _address(self.host)
        return self._at(socket.gethostname() if address is not None and address.is_unspecified else self.host)

    def is_loopback(self) -> bool:
        """Whether nobody but this machine can reach it; a name must lead to nothing else."""
        return all(ipaddress.ip_address(found).is_loopback for found in self._found())

    def must_be_free(self, then: str) -> None:
        """Refuse a port that is in use, and a host that is not this machine, before anything is started."""
        for found in self._found():
            family = socket.AF_INET6 if ":" in found else socket.AF_INET
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((found, self.port))
                except OSError as error:
                    raise self._refused(error, then) from error

    def _found(self) -> list[str]:
        try:
            told = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise InputError(
                "there is no such host", expected="an address or a name of this machine", seen=self.host
            ) from error
        return sorted({str(address[0]).partition("%")[0] for *_, address in told})

    def _refused(self, error: OSError, then: str) -> InputError | PortTaken:
        if error.errno == errno.EADDRINUSE:
            return PortTaken(
                "the port for Prefect is in use, by something that was not started from this home",
                where=f"{self.host}:{self.port}",
                expected="a free port",
                then=then,
            )
        return InputError(
            "Prefect cannot listen there",
            where=f"{self.host}:{self.port}",
            expected="an address of this machine, and a port that this user may open",
            seen=error.strerror or str(error),
        )

    def _at(self, host: str) -> str:
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
