"""Every error Defib raises on purpose, in one tree.

::

    DefibError
    ├── InputError                 what the user gave cannot be used          2
    │   ├── SiteInvalid            a site file is wrong                      10
    │   ├── RunbookInvalid         a runbook is wrong                        11
    │   ├── UnknownSite            no site file of that name                 12
    │   └── SecretMissing          a secret reference leads nowhere          15
    ├── HomeUnwritable             $DEFIB_HOME cannot be written             13
    ├── PortTaken                  a port that is needed is in use           14
    ├── LabDown                    the lab is needed and is not up           18
    ├── Refused                    a guard said no; nothing was changed       4
    │   ├── LeaseHeld              another run holds the site                16
    │   ├── LeaseLost              this run no longer holds the site          4
    │   └── ForeignChange          somebody else changed the target           4
    ├── StepFailed                 a step could not do its work               1
    │   └── BudgetSpent            … within its budget                        1
    ├── Interrupted                a signal stopped the run                   5
    ├── EvidenceBroken             a journal does not verify                 17
    └── ProviderError              a vendor's answer, translated              1
        ├── Unavailable            may work later: retry within the budget
        ├── Denied                 credentials: stop
        ├── NotFound               configuration: stop
        └── Conflict               compare-and-set found another value

An error says *what* went wrong, *where*, what was *expected*, what was *seen*, and the command to run *next*. Its class
knows the exit code. The exit codes of a run's own verdict are in :class:`defib.objectives.Status`.
"""

from __future__ import annotations

from datetime import timedelta


class DefibError(Exception):
    """Root of the tree; carries the five parts of a message."""

    exit_code = 1

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        expected: str = "",
        seen: str = "",
        then: str = "",
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.expected = expected
        self.seen = seen
        self.then = then

    def parts(self) -> dict[str, str]:
        """The parts that were given, in reading order, under the labels that people see."""
        labelled = {
            "error": self.what,
            "where": self.where,
            "expected": self.expected,
            "seen": self.seen,
            "next": self.then,
        }
        return {label: text for label, text in labelled.items() if text}

    def __str__(self) -> str:
        return "; ".join(text if label == "error" else f"{label}: {text}" for label, text in self.parts().items())


class InputError(DefibError):
    """What the user gave cannot be used."""

    exit_code = 2


class SiteInvalid(InputError):
    """A site file is wrong; `where` is file and line."""

    exit_code = 10


class RunbookInvalid(InputError):
    """A runbook is wrong; `where` is file and line."""

    exit_code = 11


class UnknownSite(InputError):
    """There is no site file of that name."""

    exit_code = 12


class SecretMissing(InputError):
    """A secret reference leads nowhere."""

    exit_code = 15


class HomeUnwritable(DefibError):
    """The folder for journals and leases cannot be written."""

    exit_code = 13


class PortTaken(DefibError):
    """A port that the lab or Prefect needs is in use."""

    exit_code = 14


class LabDown(DefibError):
    """The lab is needed and is not up, or did not come up."""

    exit_code = 18


class Refused(DefibError):
    """A guard said no. Nothing was changed by the step that raised it."""

    exit_code = 4


class LeaseHeld(Refused):
    """Another run holds the site; `seen` names it."""

    exit_code = 16


class LeaseLost(Refused):
    """This run no longer holds the site, so it makes no further write."""


class ForeignChange(Refused):
    """The target holds neither what we expected before nor what we wanted after."""


class StepFailed(DefibError):
    """A step could not do its work."""


class BudgetSpent(StepFailed):
    """A step could not do its work within its budget."""


class Interrupted(DefibError):
    """A signal stopped the run; the operator chooses `resume` or `rollback`."""

    exit_code = 5


class EvidenceBroken(DefibError):
    """A journal was edited, cut or mixed up."""

    exit_code = 17


class ProviderError(DefibError):
    """A vendor's answer, translated at the adapter's edge."""


class Unavailable(ProviderError):
    """The vendor may answer later. `retry_after` is its own wish, where it gave one."""

    def __init__(self, what: str, *, retry_after: timedelta | None = None, **parts: str) -> None:
        super().__init__(what, **parts)
        self.retry_after = retry_after


class Denied(ProviderError):
    """The credentials are wrong, expired or too weak."""


class NotFound(ProviderError):
    """The id in the site file does not exist at the vendor."""


class Conflict(ProviderError):
    """A compare-and-set found another value than the one it compared with."""
