"""What the hosting platforms of a site say, and what they may be asked for, in a world in memory."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from defib.clock import Deadline
from defib.errors import Denied, InputError, NotFound, Unavailable
from defib.platforms import Platform, attach, lacking, names_of, platform_named, platforms, publish
from defib.ports import Attachment, Deployment, Quota
from defib.providers.host.memory import MemoryHost
from tests.stage import START, Stage, seconds

WWW, APEX = "www.pulse-trading.test.", "pulse-trading.test."
OLDER, LIVE = (Deployment(name, START - timedelta(hours=hours), "4f" * 20) for name, hours in (("older", 9), ("live", 1)))
UNTIL = START + timedelta(days=60)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """The lab's own site."""
    return Stage(tmp_path)


def told(stage: Stage) -> dict[str, Platform]:
    """What each platform says."""
    return {each.host.name: each for each in platforms(stage.site, stage.outside(), stage.clock)}


def soon(stage: Stage) -> Deadline:
    """A deadline that is far enough."""
    return Deadline.after(stage.clock, seconds(60))


def test_each_says_what_is_live_and_what_it_holds(stage: Stage) -> None:
    """Build, names and account of every host; all of them ready."""
    found = told(stage)
    assert set(found) == {host.name for host in stage.site.hosts}
    assert all(each.ready for each in found.values())
    assert found["netlify"].live is not None
    assert [each.name for each in found["netlify"].names] == list(names_of(found["netlify"].host))


def test_the_one_that_failed_keeps_no_other_from_being_told_of(stage: Stage) -> None:
    """In an incident the primary's API is down with it."""
    stage.hosts["vercel"].failures.schedule(Unavailable("down"), calls=9)
    found = told(stage)
    assert (found["vercel"].ready, "down" in found["vercel"].trouble) == (None, True)
    assert found["netlify"].ready is True


def test_the_last_resort_has_nothing_live_until_it_is_needed(stage: Stage) -> None:
    """What it serves is made by aws-redeploy."""
    names = [Attachment(name, attached=True, verified=True, certificate_until=UNTIL) for name in (WWW, APEX)]
    stage.hosts["aws"] = MemoryHost("distribution", [], "", names)
    assert (told(stage)["aws"].live, told(stage)["aws"].ready) == (None, True)


@pytest.mark.parametrize("wrong", ["suspended", "nothing live", "a name"])
def test_what_keeps_users_away(stage: Stage, wrong: str) -> None:
    """A suspended account, nothing published, or a name without certificate: not ready."""
    if wrong == "suspended":
        stage.hosts["netlify"].quota_told = Quota(suspended=True, details="usage exceeded")
    elif wrong == "nothing live":
        names = [Attachment(name, attached=True, verified=True, certificate_until=UNTIL) for name in (WWW, APEX)]
        stage.hosts["netlify"] = MemoryHost("site", [], "", names)
    else:
        stage.hosts["netlify"].put(Attachment(APEX, attached=True, verified=True, certificate_until=None, problem="pending"))
    assert told(stage)["netlify"].ready is False


def test_only_what_lacks_is_attached(stage: Stage) -> None:
    """A name that is there is left alone; one that is not is attached and certified."""
    host = MemoryHost("site", [LIVE], "live", [Attachment(WWW, True, True, UNTIL)], certifies_until=UNTIL)
    missing = lacking(host, (WWW, APEX), soon(stage))
    assert [each.name for each in missing] == [APEX]
    (made,) = attach(host, missing, soon(stage))
    assert (made.before.attached, made.after.ready, host.attached) == (False, True, (APEX,))
    assert lacking(host, (WWW, APEX), soon(stage)) == ()


def test_a_name_of_others_stops_no_other(stage: Stage) -> None:
    """It is refused in the vendor's words, and the next is attached."""
    host = MemoryHost("site", [LIVE], "live", foreign=[WWW], certifies_until=UNTIL)
    www, apex = attach(host, lacking(host, (WWW, APEX), soon(stage)), soon(stage))
    assert ("belongs to another project" in www.refused, www.after.ready) == (True, False)
    assert (apex.refused, apex.after.ready) == ("", True)


def test_an_earlier_deployment_is_live_once_it_is_seen(stage: Stage) -> None:
    """A platform that takes a while is waited for, and what was there before is told, for the way back."""
    host = MemoryHost("site", [OLDER, LIVE], "live", publishes_after=seconds(20))
    began = stage.clock.monotonic()
    done = publish(host, "older", soon(stage))
    assert (done.before, done.asked, done.seen) == (LIVE, OLDER, True)
    assert stage.clock.monotonic() - began >= seconds(20)


def test_a_platform_that_never_says_so(stage: Stage) -> None:
    """Taken is not live: what was not seen is not claimed."""
    host = MemoryHost("site", [OLDER, LIVE], "live", publishes_after=timedelta(hours=1))
    assert publish(host, "older", soon(stage)).seen is False


def test_what_the_platform_turns_down(stage: Stage) -> None:
    """A deployment that is gone, and a token that is refused on the way, are errors and no waiting."""
    host = MemoryHost("site", [OLDER, LIVE], "live", publishes_after=seconds(20))
    with pytest.raises(NotFound):
        publish(host, "gone", soon(stage))
    assert host.published == ()
    stage.clock.at(
        stage.clock.monotonic() + seconds(2), lambda: host.failures.schedule(Denied("no more"), calls=9, methods={"live"})
    )
    with pytest.raises(Denied):
        publish(host, "older", soon(stage))


def test_hosts_of_the_site_file_alone(stage: Stage) -> None:
    """A name that is none is told which there are; the last resort has commands of its own."""
    assert platform_named(stage.site, "netlify").provider == "netlify"
    with pytest.raises(InputError, match="no host 'netlifi'") as caught:
        platform_named(stage.site, "netlifi")
    assert caught.value.expected == "vercel, netlify"
    with pytest.raises(InputError, match="last resort"):
        platform_named(stage.site, "aws")
