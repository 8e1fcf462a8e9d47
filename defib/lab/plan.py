"""Which loopback address every server of a lab has; `net` sets labs apart that run side by side."""

from __future__ import annotations

import re
from dataclasses import dataclass

from defib.errors import InputError

WEB_PORT = 8443
DNS_PORT = 5300
API_PORT = 7701
SMTP_PORT = 2525
CONTROL_PORT = 7700
DEFAULT_NET = "127.77"
_SECOND_OCTETS = range(2, 255)


@dataclass(frozen=True)
class AddressPlan:
    """The addresses of one lab; `net` is the first two octets, ``127.2`` to ``127.254``."""

    net: str = DEFAULT_NET

    def __post_init__(self) -> None:
        match = re.fullmatch(r"127\.(\d{1,3})", self.net)
        if match is None or int(match[1]) not in _SECOND_OCTETS:
            raise InputError(
                f"not a network for the lab: {self.net!r}",
                expected="127.2 to 127.254",
                then=f"defib lab up --net {DEFAULT_NET}",
            )

    def at(self, last: str) -> str:
        """The address with these last two octets."""
        return f"{self.net}.{last}"

    @property
    def control_url(self) -> str:
        """Where the control API of this lab is."""
        return f"http://{self.at('0.1')}:{CONTROL_PORT}"

    @property
    def eyewitness_resolvers(self) -> tuple[tuple[str, int], ...]:
        """The resolvers that the eyewitness asks in turn: those of the observers, because users are behind all of them."""
        return tuple((self.at(f"6.{number}"), DNS_PORT) for number in (1, 2, 3))
