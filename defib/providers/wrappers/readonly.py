"""Ports that look and never touch, for plans."""

from __future__ import annotations

from collections.abc import Sequence

from defib.clock import Deadline
from defib.errors import Refused
from defib.ports import Cdn, DnsZone, EdgeStatus, Receipt, RecordChange, RecordKey, RecordSet


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


def _refused(what: str, where: str) -> Refused:
    return Refused(
        f"nothing is written here, so this would not {what}",
        where=where,
        expected="reads only",
        then="use `defib run` to carry a plan out",
    )
