"""Ports that look and never touch, for plans."""

from __future__ import annotations

from collections.abc import Sequence

from defib.clock import Deadline
from defib.errors import Refused
from defib.ports import (
    Attachment,
    Deployment,
    Receipt,
    RecordChange,
)
from defib.providers.wrappers.around import CdnAround, HostAround, ZoneAround


class ReadOnlyZone(ZoneAround):
    """A zone whose reads pass through and whose writes raise :class:`Refused`."""

    def replace(self, changes: Sequence[RecordChange], *, within: Deadline) -> Receipt:  # noqa: ARG002 - the port's
        """Refuse."""
        named = ", ".join(str(change.key) for change in changes)
        raise _refused(f"change {named}", f"{self.vendor}, zone {self.zone}")


class ReadOnlyCdn(CdnAround):
    """A distribution whose status can be read and whose cache stays: a purge raises :class:`Refused`."""

    def purge(self, paths: Sequence[str], *, within: Deadline) -> Receipt:  # noqa: ARG002 - the port's
        """Refuse."""
        raise _refused(f"purge {', '.join(paths)}", f"{self.vendor}, distribution {self.distribution}")


class ReadOnlyHost(HostAround):
    """A host that tells how it stands and stays so: attaching and publishing raise :class:`Refused`."""

    def attach(self, name: str, *, within: Deadline) -> Attachment:  # noqa: ARG002 - the port's
        """Refuse."""
        raise _refused(f"attach {name}", f"{self.vendor}, project {self.project}")

    def publish(self, deployment: str, *, within: Deadline) -> Deployment:  # noqa: ARG002 - the port's
        """Refuse."""
        raise _refused(f"publish {deployment}", f"{self.vendor}, project {self.project}")


def _refused(what: str, where: str) -> Refused:
    return Refused(
        f"nothing is written here, so this would not {what}",
        where=where,
        expected="reads only",
        then="use `defib run` to carry a plan out",
    )
