"""Ports that look and never touch, for plans."""

from __future__ import annotations

from collections.abc import Sequence

from defib.clock import Deadline
from defib.errors import Refused
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


class ReadOnlyZone:
    """A zone whose reads pass through and whose writes raise :class:`Refused`."""

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

    def replace(self, changes: Sequence[RecordChange], *, within: Deadline) -> Receipt:  # noqa: ARG002 - the port's
        """Refuse."""
        named = ", ".join(str(change.key) for change in changes)
        raise _refused(f"change {named}", f"{self.vendor}, zone {self.zone}")

    def settled(self, receipt: Receipt, *, within: Deadline) -> bool:
        """Ask the zone inside."""
        return self._inner.settled(receipt, within=within)


class ReadOnlyCdn:
    """A distribution whose status can be read and whose cache stays: a purge raises :class:`Refused`."""

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

    def purge(self, paths: Sequence[str], *, within: Deadline) -> Receipt:  # noqa: ARG002 - the port's
        """Refuse."""
        raise _refused(f"purge {', '.join(paths)}", f"{self.vendor}, distribution {self.distribution}")

    def settled(self, receipt: Receipt, *, within: Deadline) -> bool:
        """Ask the distribution inside."""
        return self._inner.settled(receipt, within=within)


class ReadOnlyHost:
    """A host that tells how it stands and stays so: attaching and publishing raise :class:`Refused`."""

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

    def attach(self, name: str, *, within: Deadline) -> Attachment:  # noqa: ARG002 - the port's
        """Refuse."""
        raise _refused(f"attach {name}", f"{self.vendor}, project {self.project}")

    def publish(self, deployment: str, *, within: Deadline) -> Deployment:  # noqa: ARG002 - the port's
        """Refuse."""
        raise _refused(f"publish {deployment}", f"{self.vendor}, project {self.project}")

    def quota(self, *, within: Deadline) -> Quota:
        """Read the host inside."""
        return self._inner.quota(within=within)


def _refused(what: str, where: str) -> Refused:
    return Refused(
        f"nothing is written here, so this would not {what}",
        where=where,
        expected="reads only",
        then="use `defib run` to carry a plan out",
    )
