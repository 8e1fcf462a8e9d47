"""AWS: clients that know nothing but what they are given, and its errors as ours."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from defib.clock import Deadline

if TYPE_CHECKING:
    import boto3
    from botocore.config import Config

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
        from defib.providers.aws_session import session  # noqa: PLC0415 - takes a while to load, and obstore does without

        return session(self)

    def config(self, timeout: float) -> Config:
        """No retries, and `timeout` seconds for connecting and for each read."""
        from defib.providers.aws_session import config  # noqa: PLC0415 - as above

        return config(self, timeout)

    def clients(
        self, service: str, *, region: str = "", connections: int = 0, prepare: Callable[[Any], object] = lambda _: None
    ) -> Clients[Any]:
        """Clients of one service, in `region` or this one; neither they nor their session are made before they are needed.

        `connections` are kept at most, botocore's own number where it is 0. `prepare` sees each client before it is used.
        """
        session = cache(self.session)

        def make(timeout: float) -> Any:
            settings, create = self.config(timeout), cast("Callable[..., Any]", session().client)
            if connections:
                settings = settings.merge(type(settings)(max_pool_connections=connections))
            place = region or self.region
            client = create(service, region_name=place, endpoint_url=self.endpoint or None, config=settings)
            prepare(client)
            return client

        return Clients(make)


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
