"""Statuspage's adapter against its API in the lab, every exchange compared with the vendor's own description."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from defib.alerts.alert import Notice, Stage
from defib.errors import NotFound, Unavailable
from defib.lab.alone import RunningStatuspage, serve_statuspage
from defib.lab.faults import Fault
from defib.lab.statuspage import COMPONENT, PAGE
from defib.providers.status.statuspage import Statuspage
from tests.contracts.described import STATUSPAGE, compared, recording
from tests.contracts.status_page import FIRST, PageWorld, Shown, StatusPageContract


@pytest.fixture
def running() -> Iterator[RunningStatuspage]:
    """The API alone."""
    with serve_statuspage() as api:
        yield api


def adapter(running: RunningStatuspage, endpoint: str = "", site: str = "lab") -> Statuspage:
    """The adapter with everything right."""
    return Statuspage("statuspage", site, PAGE, (COMPONENT,), running.token, endpoint or running.endpoint)


def shown(running: RunningStatuspage) -> tuple[Shown, ...]:
    """Every incident, oldest first."""
    return tuple(
        Shown(
            each["name"],
            each["status"] != "resolved",
            tuple(update["body"] for update in reversed(each["incident_updates"])),
        )
        for each in reversed(running.api.incidents)
    )


class TestStatuspage(StatusPageContract):
    @pytest.fixture
    def world(self, running: RunningStatuspage) -> Iterator[PageWorld]:
        """The page in the lab, behind the vendor's description."""
        with compared(running.endpoint, STATUSPAGE) as endpoint:
            yield PageWorld(
                adapter(running, endpoint),
                lambda: shown(running),
                Statuspage("statuspage", "lab", PAGE, (), "wrong", endpoint),
                Statuspage("statuspage", "lab", "nosuchpage", (), running.token, endpoint),
            )


@pytest.mark.skipif(not STATUSPAGE.path.exists(), reason=f"the vendor's description is not at {STATUSPAGE.path}")
def test_the_lab_speaks_as_described(running: RunningStatuspage) -> None:
    """Successes and refusals of the lab's API have the shapes and statuses that the vendor publishes."""
    with recording(running.endpoint) as recorder:
        headers = {"Authorization": f"OAuth {running.token}"}
        with httpx.Client(base_url=f"{recorder.url}/pages/{PAGE}", headers=headers) as api:
            made = api.post("/incidents", json={"incident": {"name": "Down", "component_ids": [COMPONENT]}})
            one = f"/incidents/{made.json()['id']}"
            statuses = [
                made.status_code,
                api.get("/incidents").status_code,
                api.get("/incidents/unresolved").status_code,
                api.get(one).status_code,
                api.patch(one, json={"incident": {"status": "resolved", "body": "over"}}).status_code,
                api.get(f"/components/{COMPONENT}").status_code,
                api.patch(f"/components/{COMPONENT}", json={"component": {"status": "operational"}}).status_code,
                api.get("/incidents/nosuchone").status_code,
                api.get("/incidents", headers={"Authorization": "OAuth wrong"}).status_code,
                api.post("/incidents", json={"incident": {"name": "x" * 256}}).status_code,
            ]
    assert statuses == [201, 200, 200, 200, 200, 200, 200, 404, 401, 422]
    assert STATUSPAGE.check(recorder.exchanges) >= 9


def test_components_go_down_and_come_up(running: RunningStatuspage) -> None:
    """What the page says of the application follows the incident."""
    page, world = adapter(running), PageWorld(adapter(running), lambda: ())
    seen = []
    for stage in Stage:
        page.say(Notice(stage, "Down", "text"), within=world.soon())
        seen.append(running.api.component_status)
    page.resolve("over", within=world.soon())
    assert [*seen, running.api.component_status] == [
        "major_outage",
        "major_outage",
        "degraded_performance",
        "operational",
    ]


def test_other_incidents_are_left_alone(running: RunningStatuspage) -> None:
    """Another site's incident on the same page, and one that a person opened, are neither changed nor closed."""
    ours, theirs = adapter(running), adapter(running, site="other")
    world = PageWorld(ours, lambda: shown(running))
    theirs.say(replace(FIRST, title="Theirs"), within=world.soon())
    headers = {"Authorization": f"OAuth {running.token}"}
    url = f"{running.endpoint}/pages/{PAGE}/incidents"
    assert httpx.post(url, headers=headers, json={"incident": {"name": "By hand"}}).status_code == 201
    ours.say(FIRST, within=world.soon())
    ours.resolve("over", within=world.soon())
    assert [(each.title, each.open) for each in shown(running)] == [
        ("Theirs", True),
        ("By hand", True),
        (FIRST.title, False),
    ]


@pytest.mark.parametrize("fault", ["refuse", "hang", "500"])
def test_a_broken_page_is_unavailable(running: RunningStatuspage, fault: str) -> None:
    """Whatever is wrong there: by the deadline, and as something that may pass."""
    world = PageWorld(adapter(running), lambda: shown(running))
    running.set_fault(Fault(fault))
    with pytest.raises(Unavailable):
        world.page.say(FIRST, within=world.soon(1))


def test_long_texts_are_cut(running: RunningStatuspage) -> None:
    """A title or text beyond the vendor's limits is said as far as it goes."""
    world = PageWorld(adapter(running), lambda: shown(running))
    world.page.say(Notice(Stage.IDENTIFIED, "t" * 300, "x" * 30_000), within=world.soon())
    (incident,) = world.shown()
    assert (len(incident.title), len(incident.texts[0])) == (255, 25_000)


def test_a_component_that_is_not_there(running: RunningStatuspage) -> None:
    """A wrong id in the site file is configuration, and is named."""
    page = Statuspage("statuspage", "lab", PAGE, ("nosuch",), running.token, running.endpoint)
    with pytest.raises(NotFound) as caught:
        page.say(FIRST, within=PageWorld(page, lambda: ()).soon())
    assert "nosuch" in caught.value.seen
