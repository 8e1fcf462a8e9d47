"""Ports around ports, as they are: a wrapper overrides what it does otherwise, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from defib.clock import Deadline
from defib.ports import (
    Attachment,
    Cdn,
    Deployment,
    DnsZone,
    EdgeStatus,
    Host,
    Quota,
    Receipt,
    RecordChange,
    RecordKey,
    RecordSet,
)


class ZoneAround:
    """A zone that passes everything on to the one inside."""

    def __init__(self, inner: DnsZone) -> None:
        self._inner = inner

    @property
    def vendor(self) -> str:
        """The vendor of the zone inside."""
        return self._inner.vendor

    @property
    def zone(self) -> str:
        """The id of the zone inside."""
        return self._inner.zone

    def read(self, keys: Sequence[RecordKey], *, within: Deadline) -> tuple[RecordSet | None, ...]:
        """Read the zone inside."""
        return self._inner.read(keys, within=within)

    def replace(self, changes: Sequence[RecordChange], *, within: Deadline) -> Receipt:
        """Write to the zone inside."""
        return self._inner.replace(changes, within=within)

    def settled(self, receipt: Receipt, *, within: Deadline) -> bool:
        """Ask the zone inside."""
        return self._inner.settled(receipt, within=within)


class CdnAround:
    """A distribution that passes everything on to the one inside."""

    def __init__(self, inner: Cdn) -> None:
        self._inner = inner

    @property
    def vendor(self) -> str:
        """The vendor of the distribution inside."""
        return self._inner.vendor

    @property
    def distribution(self) -> str:
        """The id of the distribution inside."""
        return self._inner.distribution

    def status(self, *, within: Deadline) -> EdgeStatus:
        """Read the distribution inside."""
        return self._inner.status(within=within)

    def purge(self, paths: Sequence[str], *, within: Deadline) -> Receipt:
        """Purge the distribution inside."""
        return self._inner.purge(paths, within=within)

    def settled(self, receipt: Receipt, *, within: Deadline) -> bool:
        """Ask the distribution inside."""
        return self._inner.settled(receipt, within=within)


class HostAround:
    """A host that passes everything on to the one inside."""

    def __init__(self, inner: Host) -> None:
        self._inner = inner

    @property
    def vendor(self) -> str:
        """The vendor of the host inside."""
        return self._inner.vendor

    @property
    def project(self) -> str:
        """The id of the project inside."""
        return self._inner.project

    def live(self, *, within: Deadline) -> Deployment | None:
        """Read the host inside."""
        return self._inner.live(within=within)

    def attachment(self, name: str, *, within: Deadline) -> Attachment:
        """Read the host inside."""
        return self._inner.attachment(name, within=within)

    def attach(self, name: str, *, within: Deadline) -> Attachment:
        """Attach to the host inside."""
        return self._inner.attach(name, within=within)

    def publish(self, deployment: str, *, within: Deadline) -> Deployment:
        """Publish at the host inside."""
        return self._inner.publish(deployment, within=within)

    def quota(self, *, within: Deadline) -> Quota:
        """Read the host inside."""
        return self._inner.quota(within=within)
