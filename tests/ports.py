"""Ports for servers of other people, which cannot be asked to choose one for themselves."""

from __future__ import annotations

import random
import socket
from pathlib import Path

_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST, _USUAL = 10_240, 32_768


def free_port() -> int:
    """A port of 127.0.0.1 at which nobody listens, below those that the system gives to whoever asks for any.

    One of the latter may be somebody's connection before it is used: each that is made meanwhile, by a lab or by a browser,
    takes one.
    """
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """So many of them, each another one."""
    given = int(_RANGE.read_text(encoding="ascii").split()[0]) if _RANGE.exists() else _USUAL
    below = range(_LOWEST, given) if given > _LOWEST + 1_000 else range(_LOWEST, 65_536)
    found: list[int] = []
    for port in random.sample(below, len(below)):
        if len(found) == count:
            break
        if _is_free(port):
            found.append(port)
    return found


def _is_free(port: int) -> bool:
    """Whether it can be had over TCP and over UDP."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True
