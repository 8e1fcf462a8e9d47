"""Ports that ask, right before each write goes out, whether whoever writes still may.

They stand inside the retries: a process that slept between two attempts, and lost its lease meanwhile, writes no more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from defib.clock import Deadline
from defib.ports import (
    Attachment,
    Cdn,
    Deployment,
    DnsZone,
    Host,
    Receipt,
    RecordChange,
)
from defib.providers.wrappers.around import CdnAround, HostAround, ZoneAround

Check = Callable[[], None]
"""Raises when nothing may be written any more."""


class FencedZone(ZoneAround):
    """A zone whose writes are preceded by a check."""

    def __init__(self, inner: DnsZone, check: Check) -> None:
        super().__init__(inner)
        self._check = check

    def replace(self, changes: Sequence[RecordChange], *, within: Deadline) -> Receipt:
        """Check, then write."""
        self._check()
        return self._inner.replace(changes, within=within)


class FencedCdn(CdnAround):
    """A distribution whose purges are preceded by a check."""

    def __init__(self, inner: Cdn, check: Check) -> None:
        super().__init__(inner)
        self._check = check

    def purge(self, paths: Sequence[str], *, within: Deadline) -> Receipt:
        """Check, then purge."""
        self._check()
        return self._inner.purge(paths, within=within)


class FencedHost(HostAround):
    """A host whose attaching and publishing are preceded by a check."""

    def __init__(self, inner: Host, check: Check) -> None:
        super().__init__(inner)
        self._check = check

    def attach(self, name: str, *, within: Deadline) -> Attachment:
        """Check, then attach."""
        self._check()
        return self._inner.attach(name, within=within)

    def publish(self, deployment: str, *, within: Deadline) -> Deployment:
        """Check, then publish."""
        self._check()
        return self._inner.publish(deployment, within=within)
