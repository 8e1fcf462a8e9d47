"""Whether what was done is what was approved, from the journal alone."""

from __future__ import annotations

from collections.abc import Sequence

from defib import entries
from defib.errors import EvidenceBroken
from defib.journal import Record
from defib.plan import Plan


def changes_as_approved(records: Sequence[Record]) -> list[str]:
    """What was checked, in words; :class:`EvidenceBroken` for a change that no approved plan of the run holds."""
    found = [record.entry for record in records]
    opened = next((entry for entry in found if isinstance(entry, entries.Opened)), None)
    plans = [entry for entry in found if isinstance(entry, entries.Planned)]
    if opened is None or not plans:
        return []
    approved = {entry.digest for entry in found if isinstance(entry, entries.Approved)}
    for planned in plans:
        if Plan(opened.procedure, opened.site, planned.changes).digest() != planned.digest:
            raise EvidenceBroken("a plan does not have the digest that it was given", where=opened.run_id)
    allowed = [change for planned in plans if planned.digest in approved for change in planned.changes]
    made = [entry.change for entry in found if isinstance(entry, entries.ChangeIntended) and not entry.undo]
    for change in made:
        if change not in allowed:
            raise EvidenceBroken("a change was made that no approved plan holds", where=opened.run_id, seen=change.target)
    return [f"{len(made)} change(s) made, each as in an approved plan"]
