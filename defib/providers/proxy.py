"""Which addresses are reached past the proxies that the environment may name."""

from __future__ import annotations

import ipaddress
import os
from urllib.parse import urlsplit

_LOOPBACK = "127.0.0.0/8"


def on_loopback(url: str) -> bool:
    """Whether `url` leads to this machine, where a proxy of the network could not reach it."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def spare_loopback() -> None:
    """Tell libraries that read only the environment to reach this machine past its proxies."""
    for name in ("no_proxy", "NO_PROXY"):
        kept = [part for part in os.environ.get(name, "").split(",") if part.strip()]
        if _LOOPBACK not in kept:
            os.environ[name] = ",".join([*kept, _LOOPBACK])
