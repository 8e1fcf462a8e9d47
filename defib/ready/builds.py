"""What users have, and what they would get at every other place: served as expected, and not older than the RPO allows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial

from defib.clock import Deadline
from defib.errors import EvidenceBroken
from defib.ports import Aim, Build, Expect
from defib.ready.check import Check, Question, State
from defib.ready.scene import Scene
from defib.report import words
from defib.users.lastbuild import last_build, remember
from defib.users.looking import Judged, judge, users
from defib.users.ways import Way, ways

_CONNECTING = timedelta(seconds=2)
_LOOKS = 2


class _Once:
    """One look that several questions need: the first of them makes it, the others wait for it."""

    def __init__(self, look: Callable[[Deadline], tuple[Judged, datetime]]) -> None:
        self._look = look
        self._lock = threading.Lock()
        self._seen: tuple[Judged, datetime] | None = None

    def __call__(self, within: Deadline) -> tuple[Judged, datetime]:
        with self._lock:
            if self._seen is None:
                self._seen = self._look(within)
            return self._seen


def questions(scene: Scene) -> Iterator[Question]:
    """Users first, then every way, the origin that CDNs need, and what the page calls."""
    seen = _Once(lambda within: (_look(scene, users(scene.site), within), scene.clock.now()))
    yield Question("users", scene.site.page.url, partial(_users, scene, seen))
    for way in ways(scene.site):
        yield Question("build", way.name, partial(_compare, scene, way, seen))
    if scene.site.cdns:
        yield Question("origin", scene.site.origin.url, partial(_origin, scene))
    for api in scene.site.page.apis:
        yield Question("apis", api, partial(_reachable, scene, api))


def _look(scene: Scene, aim: Aim, within: Deadline) -> Judged:
    """One look, and another where the first was not good and took no long time: nothing is hasty here.

    The probe deadline is for detection; here a page may take what the site file lets it, and connecting its time.
    """
    limit = within.sooner(max(scene.site.detection.probe_deadline, scene.site.page.load_within + _CONNECTING))
    for _ in range(_LOOKS):
        judged = judge(scene.outside.observers.look(aim, within=limit), scene.site.detection.quorum)
        if judged.is_served() or limit.expired():
            break
    return judged


def _users(scene: Scene, seen: _Once, within: Deadline) -> Iterator[Check]:
    judged, at = seen(within)
    page, procedure = scene.site.page.url, "cdn-failover" if scene.site.cdns else "dns-switch"
    if judged.is_served() and judged.build is not None:
        remember(scene.here.folder, judged.build, at)
        yield Check("users", page, State.OK, f"served, build {judged.build.id[:12]}")
    elif judged.is_served():
        yield Check("users", page, State.UNKNOWN, "served a build that nobody could read", "see page.build in the site file")
    elif judged.bad >= judged.quorum:
        yield Check("users", page, State.FAIL, f"not served: {judged}", f"defib plan {procedure} --site {scene.site.site}")
    else:
        yield Check("users", page, State.UNKNOWN, f"nobody can tell: {judged}")


def _origin(scene: Scene, within: Deadline) -> Iterator[Check]:
    """Without its origin another CDN would show no more than the first."""
    origin = scene.site.origin
    aim = Aim(origin.url, connect_to=origin.connect_to, past_cache=True, expect=Expect.CONTENT)
    judged = _look(scene, aim, within)
    if judged.is_served():
        yield Check("origin", origin.url, State.OK, "served, past every cache")
    else:
        state = State.FAIL if judged.bad else State.UNKNOWN
        yield Check("origin", origin.url, state, f"not served, past every cache: {judged}", "look at the primary host")


def _reachable(scene: Scene, api: str, within: Deadline) -> Iterator[Check]:
    """What a page calls at other people's stops no recovery, but users would have a page that does nothing."""
    judged = _look(scene, Aim(api, expect=Expect.REACHABLE), within)
    if judged.is_served():
        yield Check("apis", api, State.OK, "it can be reached")
    else:
        state = State.WARN if judged.bad else State.UNKNOWN
        yield Check("apis", api, state, f"it cannot be reached: {judged}", "see its status page")


def _compare(scene: Scene, way: Way, seen: _Once, within: Deadline) -> Iterator[Check]:
    judged = _look(scene, Aim(scene.site.page.url, connect_to=way.connect_to), within)
    if judged.bad:
        yield Check("build", way.name, State.FAIL, f"it does not serve the site as expected: {judged}", "repair it")
    elif not judged.is_served():
        yield Check("build", way.name, State.UNKNOWN, f"nobody can tell what it serves: {judged}")
    else:
        yield _aged(scene, way, judged.build, _expected(scene, seen, within))


def _expected(scene: Scene, seen: _Once, within: Deadline) -> tuple[Build, str] | None:
    """The build that users have, or were last seen to have, and in which words."""
    judged, _ = seen(within)
    if judged.is_served() and judged.build:
        return judged.build, "users have"
    try:
        known = last_build(scene.here.folder)
    except EvidenceBroken:
        return None
    return (known[0], f"users had at {known[1]:%Y-%m-%d %H:%M:%S} UTC") if known else None


def _aged(scene: Scene, way: Way, found: Build | None, expected: tuple[Build, str] | None) -> Check:
    if found is None or expected is None:
        text = "its build cannot be read" if found is None else "nobody knows which build users have"
        return Check("build", way.name, State.UNKNOWN, text, "see page.build in the site file")
    build, of_whom = expected
    if found.id == build.id:
        return Check("build", way.name, State.OK, f"it serves the build that {of_whom}")
    lag, rpo = build.built - found.built, scene.site.objectives.rpo
    if lag > rpo:
        text = f"it serves a build {words.duration(lag)} older than the one that {of_whom}; the RPO is {words.duration(rpo)}"
        return Check("build", way.name, State.FAIL, text, f"publish the newer build at {way.name}, or purge its cache")
    age = f"{words.duration(lag)} older" if lag.total_seconds() > 0 else "no older"
    return Check("build", way.name, State.WARN, f"it serves another build, {age} than the one that {of_whom}")
