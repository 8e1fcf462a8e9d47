"""What the journal of a drill says beside its runs: who asked for it and why, and what was looked at before it began.

They are entries like those of :mod:`defib.entries`, which hands them on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class DrillAsked:
    """What is to be drilled, and why. `due` is the planned moment that it answers; None where a person asked for it.

    `by` says who asked on behalf of whom, such as the flow run of Prefect that had it done.
    """

    procedure: str
    why: str
    due: datetime | None = None
    owner: str = ""
    participants: tuple[str, ...] = ()
    by: str = ""


@dataclass(frozen=True)
class PreconditionSeen:
    """One thing that must be so before anything is broken, and what was seen; `met` is None where nobody can tell.

    What is not `met` holds the drill back where it is `binding`; elsewhere it is only written down.
    """

    name: str
    met: bool | None
    text: str
    binding: bool = True

    @property
    def holds_back(self) -> bool:
        """Whether nothing may be broken because of it: what is not known is never taken for well."""
        return self.binding and self.met is not True
