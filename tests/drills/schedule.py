"""A lab of which one procedure is due to be drilled, now or some time ago, as if it had been on the calendar for long."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from tests.conftest import Defib

Schedule = Callable[[str, timedelta], None]
"""Makes one procedure due, and no other, so long ago, by a calendar that was known before."""


@contextmanager
def schedules(lab: Defib) -> Iterator[Schedule]:
    """For as long as the context lasts; then the site file is as it was."""
    path = lab.home / "lab" / "sites" / "lab.yaml"
    before = path.read_text(encoding="utf-8")
    head, _, rest = before.partition("\ndrills:\n")
    _, _, rest = rest.partition("\n\n")

    def make(procedure: str, ago: timedelta) -> None:
        at = datetime.now(UTC) - ago
        drills = {"owner": "Ann", "participants": ["on call"], "zone": "UTC", "day": at.day, "at": f"{at:%H:%M}"}
        drills |= {"procedures": [procedure]}
        path.write_text(f"{head}\ndrills: {json.dumps(drills)}\n\n{rest}", encoding="utf-8")
        assert lab("drills", "--site", "lab", "--hold", "--json").json["drill_id"] is None
        note = lab.home / "sites" / "lab" / "drills.json"
        known = json.loads(note.read_text(encoding="utf-8"))
        for each in known.values():
            each["since"] = (at - timedelta(minutes=5)).isoformat()
        note.write_text(json.dumps(known), encoding="utf-8")

    try:
        yield make
    finally:
        path.write_text(before, encoding="utf-8")
