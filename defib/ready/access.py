"""What the credentials of a site may do at its vendors, and who else holds its names there: two small ports."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from defib.clock import Deadline


@dataclass(frozen=True)
class Grant:
    """What a vendor says of credentials: whose they are, whether they may make a recovery's changes, until when.

    `may_edit` is None where the vendor does not tell, `until` where it knows no end; `why` says what is missing, or what
    keeps the vendor from telling.
    """

    may_edit: bool | None
    who: str = ""
    until: datetime | None = None
    why: str = ""


class Access(Protocol):
    """One set of credentials, for one thing that a recovery may change."""

    @property
    def about(self) -> str:
        """The vendor, and the id of what they are for."""
        ...

    def granted(self, *, within: Deadline) -> Grant:
        """What they may do. Changes nothing; raises as every port does, :class:`Denied` where they are turned down."""
        ...


class Claims(Protocol):
    """Who holds a public name at a CDN where a name can be held once only."""

    def holders(self, name: str, *, within: Deadline) -> tuple[str, ...]:
        """Those beside us that hold `name`, as far as the vendor tells who they are. Idempotent."""
        ...
