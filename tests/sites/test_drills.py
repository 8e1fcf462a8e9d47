"""The calendar in a site file: a mistake is found when the file is read, with its line and what would be right."""

from __future__ import annotations

from datetime import date, time
from pathlib import Path

import pytest

from defib.errors import SiteInvalid
from defib.sites.site import load_site
from tests.stage import LAB

CALENDAR = """drills:
  owner: Ann
  participants: [on call]
  zone: Europe/Berlin
  day: second Tuesday
  at: "10:00"
  procedures: [cdn-failover, dns-switch]
  chances: 2
  blackouts:
    - {first: 2026-11-20, last: 2026-12-02, why: the sales weeks}
  alarms:
    - {names: [errors at the edge], aws: {region: eu-west-1}}
  ignore: [quota]
"""


def with_calendar(tmp_path: Path, calendar: str) -> Path:
    """The lab's site file with this calendar, which begins on its first line."""
    head, _, rest = LAB.read_text(encoding="utf-8").partition("\ndrills:\n")
    path = tmp_path / "lab.yaml"
    path.write_text(f"{calendar}\n{head}\n{rest.partition(chr(10) * 2)[2]}", encoding="utf-8")
    return path


def test_what_is_read(tmp_path: Path) -> None:
    """Days, an hour and a zone; days in any case of letters, or a number."""
    drills = load_site(with_calendar(tmp_path, CALENDAR)).drills
    assert drills is not None
    assert (drills.day, drills.at, drills.zone, drills.chances) == ("second tuesday", time(10), "Europe/Berlin", 2)
    assert (drills.blackouts[0].last, drills.alarms[0].names) == (date(2026, 12, 2), ("errors at the edge",))
    number = load_site(with_calendar(tmp_path, CALENDAR.replace("second Tuesday", "31"))).drills
    assert number is not None
    assert number.day == "31"


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("second Tuesday", "second Tuseday", 5, "such as 'second Tuesday', 'last Friday' or a day from 1 to 31"),
        ("second Tuesday", "32", 5, "a day from 1 to 31"),
        ("Europe/Berlin", "Europe/Bärlin", 4, "a time zone such as Europe/Berlin or UTC"),
        ("Europe/Berlin", "../../etc/passwd", 4, "a time zone such as"),
        ('"10:00"', '"25:00"', 6, "a time of day"),
        ("last: 2026-12-02", "last: 2026-11-02", 10, "before the first day, 2026-11-20"),
        ("first: 2026-11-20", "first: in November", 10, "blackouts.0.first"),
        ("dns-switch", "dns-swich", 7, "drills.procedures.1"),
        ("dns-switch", "cdn-failover", 7, "cdn-failover stands twice"),
        ("chances: 2", "chances: 0", 8, "drills.chances"),
        ("chances: 2", "chanses: 2", 8, "did you mean 'chances'?"),
        ("names: [errors at the edge]", "names: []", 12, "drills.alarms.0.names"),
        ("owner: Ann", 'owner: ""', 2, "drills.owner"),
    ],
)
def test_a_mistake_has_its_line(tmp_path: Path, old: str, new: str, line: int, says: str) -> None:
    """And says what would be right."""
    path = with_calendar(tmp_path, CALENDAR.replace(old, new))
    with pytest.raises(SiteInvalid) as caught:
        load_site(path)
    assert (caught.value.where, says in caught.value.what) == (f"{path}:{line}", True), caught.value.what


def test_a_procedure_that_has_nothing_to_do_with_the_site(tmp_path: Path) -> None:
    """It could only fail, month by month."""
    path = with_calendar(tmp_path, CALENDAR.replace("dns-switch", "replication-check"))
    text = path.read_text(encoding="utf-8")
    before, _, rest = text.partition("\nreplication:\n")
    path.write_text(before + "\nbuild:" + rest.partition("\nbuild:")[2], encoding="utf-8")
    with pytest.raises(
        SiteInvalid, match="the site has nothing that replication-check is about; it has: cdn-failover"
    ) as caught:
        load_site(path)
    assert caught.value.where == f"{path}:7"
