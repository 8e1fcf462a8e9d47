"""What Prefect fires and what the calendar of drills says is due agree, over two years; by Prefect's own schedules."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ruamel.yaml import YAML

from defib.drills.calendar import Calendar, Ending, PastDrill
from defib.sites.drills import Drills
from tests.conftest import ROOT

ALL = ("cdn-failover", "dns-switch", "aws-redeploy", "git-mirror", "replication-check")
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
END = datetime(2028, 1, 1, tzinfo=UTC)


def calendar(zone: str) -> Calendar:
    """Second Tuesdays at ten."""
    config = Drills.model_validate({"owner": "ann", "zone": zone, "day": "second Tuesday", "at": "10:00"})
    return Calendar(config, ALL)


def fired(**schedule: Any) -> list[datetime]:
    """When Prefect's server makes runs of a cron schedule in these two years."""
    from prefect.server.schemas.schedules import CronSchedule  # noqa: PLC0415 - Prefect takes two seconds to import

    made = CronSchedule(**schedule)

    async def dates() -> list[datetime]:
        found: list[datetime] = []
        begin = BEGIN
        while begin < END:  # it gives a thousand at most at a time
            end = min(begin + timedelta(days=30), END)
            found += [at for at in await made.get_dates(n=1000, start=begin, end=end) if begin <= at < end]
            begin = end
        return found

    return [datetime.fromtimestamp(at.timestamp(), UTC) for at in asyncio.run(dates())]


def deployed() -> dict[str, Any]:
    """The schedule of the deployment of drills, as ``prefect.yaml`` has it."""
    whole = YAML(typ="safe").load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
    (drills,) = [each for each in whole["deployments"] if each["entrypoint"] == "flows.drilling.drilling"]
    (schedule,) = drills["schedules"]
    return {"cron": schedule["cron"], "timezone": schedule["timezone"]}


def held(of: Calendar, times: list[datetime]) -> Iterator[tuple[datetime, datetime]]:
    """The occasions that a worker holds which is there at these times, and when it does."""
    past: list[PastDrill] = []
    for now in times:
        due = of.due(now, past, dict.fromkeys(ALL, BEGIN))
        if due is not None and due.occasion is not None:
            past.append(PastDrill(due.procedure, now, Ending.DONE, due.occasion))
            yield due.occasion, now


@pytest.mark.parametrize(
    ("zone", "late"),
    [
        ("Europe/Berlin", timedelta(0)),
        ("America/New_York", timedelta(0)),
        ("Asia/Kolkata", timedelta(minutes=30)),
        ("Australia/Lord_Howe", timedelta(minutes=30)),
    ],
)
def test_the_deployed_schedule_holds_every_drill_at_its_hour(zone: str, late: timedelta) -> None:
    """All drills of two years, none twice, within the hour; on it wherever clocks differ from UTC by whole hours."""
    of = calendar(zone)
    times = fired(**deployed())
    assert len(times) == 730 * 24
    found = list(held(of, times))
    assert sorted(occasion for occasion, _ in found) == sorted(at for each in ALL for at in of.occasions(each, BEGIN, END))
    assert max(now - occasion for occasion, now in found) == late


def test_a_cron_expression_of_the_same_day_and_its_trap() -> None:
    """Second Tuesdays in cron are days 8 to 14 *and* Tuesdays, which cron reads as *or* unless it is told otherwise."""
    planned = list(calendar("Europe/Berlin").occasions("cdn-failover", BEGIN, END))
    assert fired(cron="0 10 8-14 * 2", timezone="Europe/Berlin", day_or=False) == planned
    assert len(fired(cron="0 10 8-14 * 2", timezone="Europe/Berlin")) > 8 * len(planned)
