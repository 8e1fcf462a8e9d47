"""The webhooks on a real socket: who knows the secret is heard, and nobody learns anything from an answer."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from defib.alarms.alarm import Says
from defib.alarms.receiver import BODY_WITHIN, MOST_BYTES
from defib.alerts.alert import AlertKind
from defib.errors import HomeUnwritable
from tests.alarms.receiver_stage import SECRET, Door, serving
from tests.providers.alarm.sns_stage import SUBSCRIBE, TOPIC
from tests.providers.alarm.test_payloads import CLOUDWATCH, PINGDOM, ROBOT

ROBOT_BODY = json.dumps(ROBOT).encode()


@pytest.fixture(scope="module")
def server() -> Iterator[Door]:
    """One receiver for this module."""
    with serving() as door:
        yield door


@pytest.fixture
def door(server: Door) -> Door:
    """The receiver, and nothing has come yet."""
    server.memory.taken.clear()
    server.memory.messages.clear()
    server.memory.said.clear()
    server.memory.trouble = None
    return server


@pytest.mark.parametrize(("vendor", "body"), [("uptimerobot", ROBOT_BODY), ("pingdom", json.dumps(PINGDOM).encode())])
def test_an_alarm_of_each_vendor(door: Door, vendor: str, body: bytes) -> None:
    """It is taken, and the vendor is told so at once."""
    answer = door.post(f"/pulse/{vendor}/{SECRET}", body)
    assert (answer.status_code, answer.json()) == (202, {"outcome": "taken"})
    ((site, heard),) = door.memory.taken
    assert (site, heard.source, heard.says) == ("pulse", vendor, Says.DOWN)


def test_an_alarm_of_cloudwatch(door: Door) -> None:
    """Inside a message that Amazon signed."""
    answer = door.post(f"/pulse/cloudwatch/{SECRET}", door.amazon.signed(Message=json.dumps(CLOUDWATCH)), "text/plain")
    assert answer.status_code == 202
    assert door.memory.taken[0][1].id.endswith(":alarm:ErrorAlarm@2025-02-02T12:06:35.472+0000")


def test_a_subscription_is_confirmed(door: Door) -> None:
    """What a person would otherwise have to click on; it is said where this machine is looked after."""
    answer = door.post(f"/pulse/cloudwatch/{SECRET}", door.amazon.invitation(), "text/plain")
    assert (answer.status_code, answer.json()) == (202, {"outcome": "confirmed"})
    assert SUBSCRIBE == door.amazon.asked[-1]
    assert [f"the subscription of pulse to {TOPIC} is confirmed"] == door.memory.said


def test_the_end_of_a_subscription_is_said(door: Door) -> None:
    """Nobody would be heard from then on; it is not taken back, because somebody may have meant it."""
    before = list(door.amazon.asked)
    assert (
        door.post(f"/pulse/cloudwatch/{SECRET}", door.amazon.invitation(Type="UnsubscribeConfirmation")).status_code == 202
    )
    assert before == door.amazon.asked
    assert "somebody ended the subscription" in door.memory.said[0]


def test_a_forged_alarm(door: Door) -> None:
    """Even with the secret a message that Amazon did not sign is refused."""
    forged = {**json.loads(door.amazon.signed()), "Message": json.dumps(CLOUDWATCH)}
    answer = door.post(f"/pulse/cloudwatch/{SECRET}", json.dumps(forged).encode())
    assert (answer.status_code, door.memory.taken) == (403, [])


@pytest.mark.parametrize(
    "path",
    [
        "/pulse/uptimerobot/wrong",
        f"/pulse/uptimerobot/{SECRET[:-1]}",
        f"/pulse/uptimerobot/{SECRET}x",
        f"/other/uptimerobot/{SECRET}",
        f"/pulse/nobody/{SECRET}",
        "/pulse/uptimerobot/",
        "/pulse/uptimerobot/%F0%9F%98%80",
        f"/../pulse/uptimerobot/{SECRET}/..",
        "/tell/wrong",
        "/",
    ],
)
def test_who_does_not_know_the_secret(door: Door, path: str) -> None:
    """Is told the same whatever is wrong: not even which sites there are."""
    answer = door.post(path, ROBOT_BODY)
    assert (answer.status_code, door.memory.taken) == (404, [])
    assert "pulse" not in answer.text


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 50_000, b'{"monitorID": "<script>alert(1)</script>"}'])
def test_bad_bodies(door: Door, body: bytes) -> None:
    """400, said here, and the answer repeats nothing of it."""
    answer = door.post(f"/pulse/uptimerobot/{SECRET}", body)
    assert (answer.status_code, answer.json()) == (400, {"error": "this is not what uptimerobot sends"})
    assert len(door.memory.said) == 1
    assert "script" not in door.memory.said[0]


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_that_is_too_large(door: Door, announced: bool) -> None:
    """It is not read to its end, with a length that says so before and without one."""
    path = f"POST /pulse/uptimerobot/{SECRET} HTTP/1.1\r\nHost: x\r\n".encode()
    piece = b"x" * (MOST_BYTES + 1)
    if announced:
        answer = door.raw(path + f"Content-Length: {10 * MOST_BYTES}\r\n\r\n".encode(), piece)
    else:
        answer = door.raw(path + b"Transfer-Encoding: chunked\r\n\r\n", f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert door.memory.taken == []


def test_a_body_that_never_ends(door: Door) -> None:
    """A sender who dawdles is let go, and holds nobody up meanwhile."""
    assert BODY_WITHIN.total_seconds() <= 5
    answer = door.raw(f"POST /pulse/uptimerobot/{SECRET} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{{".encode())
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_what_cannot_be_remembered_comes_again(door: Door) -> None:
    """A full disk is ours: the vendor is told to try again."""
    door.memory.trouble = HomeUnwritable("cannot remember an alarm: no space left on device", where="/home")
    answer = door.post(f"/pulse/uptimerobot/{SECRET}", ROBOT_BODY)
    assert (answer.status_code, answer.json()["error"]) == (503, "cannot remember an alarm: no space left on device")


def test_only_post(door: Door) -> None:
    """Whatever follows links and shows previews starts nothing."""
    answer = door.raw(f"GET /pulse/uptimerobot/{SECRET} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 405 ")
    alive = httpx.get(f"http://127.0.0.1:{door.port}/alive", trust_env=False, timeout=20)
    assert alive.json() == {"alive": True}


def test_a_message_of_an_automation(door: Door) -> None:
    """What Prefect has to say to people comes through the same door."""
    sent = {"subject": "crashed:1", "title": "Prefect gave up", "text": "a\nb", "kind": "burn", "severity": "warning"}
    assert door.post(f"/tell/{SECRET}", json.dumps(sent).encode(), "text/plain").status_code == 202
    (message,) = door.memory.messages
    assert (message.subject, message.text, message.kind, message.site) == ("crashed:1", "a\nb", AlertKind.BURN, "")
    assert door.post(f"/tell/{SECRET}", b'{"title": "x", "kind": "nonsense"}').status_code == 400
