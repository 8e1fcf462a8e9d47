"""Git LFS over a network as it is: full servers, broken connections, and ends that come too soon."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from defib.clock import Deadline, SimulatedClock, SystemClock
from defib.errors import Denied, HomeUnwritable, Interrupted, Unavailable
from defib.lab.web import Request, Response
from tests.providers.git.lfs_stage import LOGIN, LfsStage, Spoil, is_batch, lfs_stage, objects

ROOT = Path(__file__).parents[3]

KILLED = """
import sys
from pathlib import Path
from datetime import timedelta
from defib.clock import Deadline, SystemClock
from defib.providers.git.lfs import LfsRemote
from defib.providers.git.lfs_http import Login
from defib.providers.git.lfs_pointers import Pointer
from defib.providers.git.lfs_store import LfsStore
url, user, password, folder, *wanted = sys.argv[1:]
within = Deadline.after(SystemClock(), timedelta(seconds=60))
pointers = [Pointer(oid, 1_000_000) for oid in wanted]
LfsRemote(url, Login(user, password)).fetch(pointers, LfsStore(Path(folder)), within=within)
"""


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[LfsStage]:
    """Servers that run while the test does."""
    with lfs_stage(tmp_path) as running:
        yield running


def full(times: int, status: int, after: str | None, *, only: Callable[[Request], bool] = lambda _: True) -> Spoil:
    """A server that is full for so many requests, and says when to come again."""
    left = [times]

    def spoil(request: Request, answer: Response) -> Response:
        if not only(request) or not left[0]:
            return answer
        left[0] -= 1
        headers = (("Retry-After", after),) if after is not None else ()
        return Response(status, headers, b'{"message": "slow\\n \\u001b[31mdown"}')

    return spoil


def is_object(request: Request) -> bool:
    """Whether this asks for an object."""
    return request.method == "GET"


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("only", [is_batch, is_object])
def test_asked_to_wait(stage: LfsStage, status: int, only: Callable[[Request], bool]) -> None:
    """G10: a second is waited for, each time that it is asked for, and everything comes."""
    wanted = stage.put(objects(3))
    stage.server.spoil = full(6, status, "1", only=only)
    clock = SimulatedClock()
    fetched = stage.remote.fetch(wanted, stage.store, within=stage.within(clock=clock))
    assert wanted == fetched.brought
    assert timedelta(seconds=6) == clock.monotonic()


def test_asked_to_wait_until(stage: LfsStage) -> None:
    """The wish may be a date."""
    wanted = stage.put(objects(1))
    clock = SimulatedClock()  # at midnight of 2026-01-01
    stage.server.spoil = full(1, 429, "Thu, 01 Jan 2026 00:00:30 GMT")
    assert wanted == stage.remote.fetch(wanted, stage.store, within=stage.within(clock=clock)).brought
    assert timedelta(seconds=30) == clock.monotonic()


@pytest.mark.parametrize("only", [is_batch, is_object])
def test_asked_to_wait_too_long(stage: LfsStage, only: Callable[[Request], bool]) -> None:
    """G10: a wish beyond the deadline ends it at once, and both times are told."""
    wanted = stage.put(objects(1))
    stage.server.spoil = full(99, 429, "300", only=only)
    clock = SimulatedClock()
    with pytest.raises(Unavailable, match="the server wants us to wait 300 s, and 60 s are left") as raised:
        stage.remote.fetch(wanted, stage.store, within=stage.within(clock=clock))
    assert ("HTTP 429: slow down", timedelta(seconds=300)) == (raised.value.seen, raised.value.retry_after)
    assert timedelta(0) == clock.monotonic()


def test_an_upload_is_asked_to_wait(stage: LfsStage) -> None:
    """Uploads wait alike."""
    wanted = stage.keep(objects(1))
    stage.server.spoil = full(2, 429, "1", only=lambda request: request.method == "PUT")
    assert wanted == stage.remote.send(wanted, stage.store, within=stage.within(clock=SimulatedClock())).uploaded


def test_a_server_that_fails_for_a_while(stage: LfsStage) -> None:
    """A failure without a word of when is tried again, after pauses that grow."""
    wanted = stage.put(objects(1))
    stage.server.spoil = full(3, 502, None, only=is_batch)
    clock = SimulatedClock()
    assert wanted == stage.remote.fetch(wanted, stage.store, within=stage.within(clock=clock)).brought
    assert timedelta(seconds=1.75) == clock.monotonic()


def test_a_server_that_fails_over_one(stage: LfsStage) -> None:
    """A server that fails over one object each time has it not; the others come."""
    wanted = stage.put(objects(3))
    stage.server.spoil = full(99, 500, None, only=lambda request: wanted[1].oid in request.target)
    fetched = stage.remote.fetch(wanted, stage.store, within=stage.within(clock=SimulatedClock()))
    assert [wanted[1]] == [each.pointer for each in fetched.missing]
    assert "HTTP 500: slow down" in fetched.missing[0].why


def test_resumed(stage: LfsStage) -> None:
    """A download that breaks off goes on where it was, and is the object."""
    bodies = objects(1, 1_000_000)
    (pointer,) = stage.put(bodies)
    ranges: list[str] = []

    def spoil(request: Request, answer: Response) -> Response:
        if not is_object(request):
            return answer
        ranges.append(request.headers.get("range", ""))
        return Response(answer.status, answer.headers, answer.body, cut=300_000) if len(ranges) < 3 else answer

    stage.server.spoil = spoil
    fetched = stage.remote.fetch([pointer], stage.store, within=stage.within())
    assert (pointer,) == fetched.brought
    assert bodies[pointer] == stage.store.path(pointer.oid).read_bytes()
    assert ("", 3) == (ranges[0], len(ranges))
    assert all(each.startswith("bytes=") for each in ranges[1:])


@pytest.mark.parametrize("how", ["whole", "other piece", "refused", "other bytes"])
def test_a_server_that_cannot_resume(stage: LfsStage, how: str) -> None:
    """Where the rest cannot be had, or does not fit, the whole is asked for once more."""
    bodies = objects(1, 1_000_000)
    (pointer,) = stage.put(bodies)
    asked: list[Request] = []

    def spoil(request: Request, answer: Response) -> Response:
        if not is_object(request):
            return answer
        asked.append(request)
        if len(asked) == 1:
            return Response(answer.status, answer.headers, answer.body, cut=300_000)
        if "range" not in request.headers:
            return answer
        others = {
            "whole": Response(200, (), bodies[pointer]),
            "other piece": Response(206, (("Content-Range", "bytes 5-9/1000000"),), b"12345"),
            "refused": Response(416),
            "other bytes": Response(206, answer.headers, b"x" * len(answer.body)),
        }
        return others[how]

    stage.server.spoil = spoil
    assert (pointer,) == stage.remote.fetch([pointer], stage.store, within=stage.within()).brought
    assert bodies[pointer] == stage.store.path(pointer.oid).read_bytes()


def test_broken_off_each_time(stage: LfsStage) -> None:
    """What never comes to its end is missing, and leaves nothing; the others come."""
    wanted = stage.put(objects(3, 10_000))

    def spoil(request: Request, answer: Response) -> Response:
        return Response(200, (), answer.body, cut=10) if request.target.endswith(wanted[0].oid) else answer

    stage.server.spoil = spoil
    fetched = stage.remote.fetch(wanted, stage.store, within=stage.within(clock=SimulatedClock()))
    assert (wanted[1:], [wanted[0]]) == (fetched.brought, [each.pointer for each in fetched.missing])
    assert "broke off" in fetched.missing[0].why
    assert [] == stage.incoming()


def test_nobody_is_there(stage: LfsStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that refuses connections is unavailable; a proxy of the network is not asked for this machine."""
    wanted = stage.put(objects(1))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert wanted == stage.remote.fetch(wanted, stage.store, within=stage.within()).brought
    remote = type(stage.remote)("http://127.0.0.1:9/pulse.git")
    with pytest.raises(Unavailable, match="no answer"):
        remote.send(wanted, stage.store, within=stage.within(clock=SimulatedClock()))


def test_in_time(stage: LfsStage) -> None:
    """A server that never answers costs the time that there was, and a spent deadline asks nobody."""
    wanted = stage.put(objects(1))
    over = threading.Event()

    def spoil(_: Request, answer: Response) -> Response:
        over.wait(120)
        return answer

    stage.server.spoil = spoil
    began = time.monotonic()
    with pytest.raises(Unavailable):
        stage.remote.fetch(wanted, stage.store, within=stage.within(0.5))
    over.set()
    assert 60 > time.monotonic() - began
    with pytest.raises(Unavailable, match="no time was left"):
        stage.remote.send(wanted, stage.store, within=stage.within(0))


def test_stopped(stage: LfsStage) -> None:
    """A signal ends a wait for the server at once."""
    wanted = stage.put(objects(1))
    stage.server.spoil = full(99, 429, "30")
    clock = SystemClock()
    timer = threading.Timer(0.3, clock.interrupt)
    timer.start()
    with pytest.raises(Interrupted):
        stage.remote.fetch(wanted, stage.store, within=Deadline.after(clock, timedelta(seconds=60)))
    timer.join()


def test_stopped_on_the_way(stage: LfsStage) -> None:
    """A signal ends a download in its middle, and nothing is left of it."""
    wanted = stage.put(objects(8, 1_000_000))
    clock = SystemClock()

    def spoil(request: Request, answer: Response) -> Response:
        if is_object(request):
            clock.interrupt()
        return answer

    stage.server.spoil = spoil
    with pytest.raises(Interrupted):
        stage.remote.fetch(wanted, stage.store, within=Deadline.after(clock, timedelta(seconds=60)))
    assert [] == stage.incoming()
    assert all(stage.store.is_sound(each, stage.within()) for each in wanted if each.oid in stage.named())


def test_killed(stage: LfsStage) -> None:
    """A process killed in the middle of a download leaves nothing under an object's name; the next brings what is left."""
    bodies = objects(12, 1_000_000)
    wanted = stage.put(bodies)
    begun, over = threading.Event(), threading.Event()

    def spoil(request: Request, answer: Response) -> Response:
        if not any(request.target.endswith(each.oid) for each in wanted[6:]):
            return answer
        begun.set()
        return Response(200, (), answer.body + b"x", cut=len(answer.body) // 2) if not over.is_set() else answer

    stage.server.spoil = spoil
    command = [sys.executable, "-c", KILLED, stage.server.url, LOGIN.user, LOGIN.password, str(stage.store.folder)]
    command += [each.oid for each in wanted]
    with subprocess.Popen(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}) as process:
        assert begun.wait(120)
        process.send_signal(signal.SIGKILL)
    over.set()
    for oid in stage.named():
        assert any(each.oid == oid and stage.store.is_sound(each, stage.within()) for each in wanted)
    fetched = stage.remote.fetch(wanted, stage.store, within=stage.within())
    assert (set(wanted), ()) == ({*fetched.brought, *fetched.stood}, fetched.missing)
    assert [] == stage.incoming()


def test_what_was_brought_stays(stage: LfsStage) -> None:
    """Where the server gives up in the middle, what came until then need not come again."""
    wanted = stage.put(objects(120))
    stage.server.spoil = lambda request, answer: (
        Response(401, (), b"expired") if is_batch(request) and len(stage.server.batches()) == 2 else answer
    )
    with pytest.raises(Denied):
        stage.remote.fetch(wanted, stage.store, within=stage.within())
    fetched = stage.remote.fetch(wanted, stage.store, within=stage.within())
    assert (wanted[:100], wanted[100:]) == (fetched.stood, fetched.brought)


def test_a_disk_that_is_full(stage: LfsStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk's refusal is no fault of the server's, and is said as what it is."""
    wanted = stage.put(objects(1))
    with stage.store.open(stage.within()):
        (stage.store.folder / "objects").write_text("in the way")
    with pytest.raises(HomeUnwritable):
        stage.remote.fetch(wanted, stage.store, within=stage.within())
