"""AWS: clients that know nothing but what they are given, and its errors as ours."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import boto3
import botocore.session
from botocore.config import Config
from botocore.loaders import Loader

from defib.clock import Deadline
from defib.providers.proxy import on_loopback

Client = TypeVar("Client")

_CLIENTS_KEPT = 8


@dataclass(frozen=True)
class AwsAccess:
    """Where AWS is and who asks. Without keys boto3's default chain finds the credentials."""

    region: str = "us-east-1"
    endpoint: str = ""
    access_key: str = ""
    secret_key: str = field(default="", repr=False)

    def session(self) -> boto3.Session:
        """A session; where keys are given it reads no profile, no shared file and no instance metadata."""
        if not self.access_key:
            return boto3.Session(region_name=self.region)
        # A profile named in the environment would be looked for even with keys, and fail where it does not exist.
        closed = botocore.session.Session(
            session_vars={
                "profile": (None, None, None, None),
                "config_file": (None, None, os.devnull, None),
                "credentials_file": (None, None, os.devnull, None),
                "ignore_configured_endpoint_urls": (None, None, True, None),
            }
        )
        closed.register_component("data_loader", _MODELS)
        return boto3.Session(
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name=self.region,
            botocore_session=closed,
        )

    def config(self, timeout: float) -> Config:
        """No retries, and `timeout` seconds for connecting and for each read."""
        return Config(
            connect_timeout=timeout,
            read_timeout=timeout,
            retries={"total_max_attempts": 1},
            proxies={} if on_loopback(self.endpoint) else None,
        )


class _Models(Loader):
    """The descriptions of AWS's services, for every session of the process: each would read them again, some 40 ms long."""

    @property
    def search_paths(self) -> list[str]:
        """Where they are; a copy, because each session adds to it where those of resources are, which are not used here."""
        return list(super().search_paths)


_MODELS = _Models()


class Clients(Generic[Client]):
    """Clients of one service, one for each time-out: botocore fixes a client's time-outs when it is made.

    Time-outs are rounded down to two digits, so that a run's calls share a few clients and their connections.
    """

    def __init__(self, make: Callable[[float], Client]) -> None:
        self._make = make
        self._kept: OrderedDict[float, Client] = OrderedDict()
        self._lock = threading.Lock()  # calls that were given up may still be running in their threads

    def within(self, deadline: Deadline) -> Client:
        """A client whose sockets give up no later than `deadline`, which must not be spent."""
        timeout = _two_digits_down(max(deadline.remaining().total_seconds(), 0.001))
        with self._lock:
            if timeout not in self._kept:
                self._kept[timeout] = self._make(timeout)
            if len(self._kept) > _CLIENTS_KEPT:
                self._kept.popitem(last=False)
            return self._kept[timeout]


def _two_digits_down(seconds: float) -> float:
    rounded = float(f"{seconds:.1e}")
    return rounded if rounded <= seconds else float(f"{seconds * 0.95:.1e}")
