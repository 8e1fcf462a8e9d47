"""What vendors send, as their documentation shows it, and what strangers send instead."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from defib.alarms.alarm import LONGEST_AGO, Alarm, Says, alarm
from defib.errors import InputError
from defib.providers.alarm import cloudwatch, pingdom, uptimerobot

ROBOT = {
    "monitorID": "779783111",
    "monitorURL": "https://www.pulse-trading.test/",
    "monitorFriendlyName": "Pulse Trading",
    "alertType": "1",
    "alertTypeFriendlyName": "Down",
    "alertDetails": "Connection Timeout",
    "alertDateTime": "1767225600",
}
PINGDOM = {
    "check_id": 12345,
    "check_name": "Name of HTTP check",
    "check_type": "HTTP",
    "check_params": {
        "basic_auth": False,
        "encryption": True,
        "full_url": "https://www.example.com/path",
        "header": "User-Agent:Pingdom.com_bot",
        "hostname": "www.example.com",
        "ipv6": False,
        "port": 443,
        "url": "/path",
    },
    "tags": ["example_tag"],
    "previous_state": "UP",
    "current_state": "DOWN",
    "importance_level": "HIGH",
    "state_changed_timestamp": 1451610061,
    "state_changed_utc_time": "2016-01-01T01:01:01",
    "long_description": "Long error message",
    "description": "Short error message",
    "first_probe": {"ip": "123.4.5.6", "ipv6": "2001:4800:1020:209::5", "location": "Stockholm, Sweden"},
    "second_probe": {"ip": "123.4.5.6", "ipv6": "2001:4800:1020:209::5", "location": "Austin, US", "version": 1},
}
CLOUDWATCH = {
    "AlarmName": "ErrorAlarm",
    "AlarmDescription": "Alarm when ERROR appears in logs",
    "AWSAccountId": "123456789012",
    "AlarmConfigurationUpdatedTimestamp": "2025-02-02T11:48:52.788+0000",
    "NewStateValue": "ALARM",
    "NewStateReason": "Threshold Crossed: 1 datapoint [1.0 (02/02/25 12:05:00)] was greater than the threshold (1.0).",
    "StateChangeTime": "2025-02-02T12:06:35.472+0000",
    "Region": "Asia Pacific (Tokyo)",
    "AlarmArn": "arn:aws:cloudwatch:ap-northeast-1:123456789012:alarm:ErrorAlarm",
    "OldStateValue": "INSUFFICIENT_DATA",
    "OKActions": [],
    "AlarmActions": ["arn:aws:sns:ap-northeast-1:123456789012:example-topic"],
    "InsufficientDataActions": [],
    "Trigger": {"MetricName": "ErrorCount", "Namespace": "YourNamespace", "Unit": None, "Period": 60, "Threshold": 1.0},
}

Reader = Callable[[bytes], Alarm]


def _cloudwatch(body: bytes) -> Alarm:
    return cloudwatch.read(body.decode(errors="replace"))


READERS: list[Reader] = [uptimerobot.read, pingdom.read, _cloudwatch]


def sent(body: dict[str, object], **more: object) -> bytes:
    """A body with some fields replaced."""
    return json.dumps({**body, **more}).encode()


def test_uptimerobot_says_down() -> None:
    """Monitor and moment make the id, so that a reminder of the same outage is the same alarm."""
    heard = uptimerobot.read(json.dumps(ROBOT).encode(), "application/json")
    assert heard == Alarm(
        "uptimerobot",
        "779783111@1767225600",
        Says.DOWN,
        "Pulse Trading Connection Timeout",
        datetime(2026, 1, 1, tzinfo=UTC),
    )


def test_uptimerobot_as_a_form() -> None:
    """Without "send as JSON" the same fields come as a form."""
    body = b"monitorID=77&alertType=2&monitorFriendlyName=Pulse+Trading&alertDateTime=1767225600"
    heard = uptimerobot.read(body, "application/x-www-form-urlencoded; charset=utf-8")
    assert (heard.id, heard.says, heard.text) == ("77@1767225600", Says.UP, "Pulse Trading")


@pytest.mark.parametrize(
    ("kind", "says"), [("1", Says.DOWN), ("2", Says.UP), ("3", Says.OTHER), ("99", Says.OTHER), (1, Says.DOWN)]
)
def test_kinds_of_uptimerobot(kind: object, says: Says) -> None:
    """A certificate that expires is no outage."""
    assert uptimerobot.read(sent({**ROBOT}, alertType=kind)).says is says


def test_variables_that_were_not_filled_in() -> None:
    """UptimeRobot sends a variable without a value as it stands: it is no time, no name, and no monitor."""
    heard = uptimerobot.read(sent({**ROBOT}, alertDateTime="*alertDateTime*", alertDetails="*alertDetails*"))
    assert (heard.id, heard.since, heard.text) == ("779783111", None, "Pulse Trading")
    with pytest.raises(InputError, match="not filled in"):
        uptimerobot.read(uptimerobot.BODY.encode())


@pytest.mark.parametrize("stamp", ["9" * 40, "-1", "1e9", "٣٣", "nan", ""])
def test_times_that_are_none(stamp: str) -> None:
    """Since when is then unknown, and the alarm counts all the same."""
    heard = uptimerobot.read(sent({**ROBOT}, alertDateTime=stamp))
    assert (heard.says, heard.since) == (Says.DOWN, None)


@pytest.mark.parametrize(
    ("state", "says"),
    [("DOWN", Says.DOWN), ("FAILING", Says.DOWN), ("UP", Says.UP), ("SUCCESS", Says.UP), ("UNKNOWN", Says.OTHER)],
)
def test_pingdom(state: str, says: Says) -> None:
    """The example of its documentation, in each state that an uptime or a transaction check can have."""
    heard = pingdom.read(sent(PINGDOM, current_state=state))
    since = datetime(2016, 1, 1, 1, 1, 1, tzinfo=UTC)
    assert heard == Alarm("pingdom", "12345@1451610061", says, "Name of HTTP check Long error message", since)


@pytest.mark.parametrize(("state", "says"), [("ALARM", Says.DOWN), ("OK", Says.UP), ("INSUFFICIENT_DATA", Says.OTHER)])
def test_cloudwatch(state: str, says: Says) -> None:
    """Too little data is neither down nor up: unknown starts nothing."""
    heard = cloudwatch.read(json.dumps({**CLOUDWATCH, "NewStateValue": state}))
    assert heard.id == "arn:aws:cloudwatch:ap-northeast-1:123456789012:alarm:ErrorAlarm@2025-02-02T12:06:35.472+0000"
    assert (heard.says, heard.since) == (says, datetime(2025, 2, 2, 12, 6, 35, 472_000, tzinfo=UTC))
    assert heard.text.startswith("ErrorAlarm: Threshold Crossed")


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"{}", b'"x"', b"\xff\xfe", b"[" * 100_000, b'{"check_id": {}}', b"1" * 5000],
    ids=["empty", "torn", "list", "null", "nothing", "text", "bytes", "deep", "nested", "number"],
)
def test_what_is_no_payload(read: Reader, body: bytes) -> None:
    """One clear message that names the vendor and repeats nothing of what was sent."""
    with pytest.raises(InputError) as caught:
        read(body)
    assert len(str(caught.value)) < 1000


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes(body: bytes) -> None:
    """Strangers may send what they like: it is refused, and nothing else happens."""
    for read in READERS:
        with pytest.raises(InputError):
            read(body)


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=400), st.text(max_size=400))
def test_words_are_fit_to_be_shown(name: str, details: str) -> None:
    """Whatever a vendor hands on from a hostile page is one short printable line."""
    heard = uptimerobot.read(sent({**ROBOT}, monitorFriendlyName=name, alertDetails=details))
    assert heard.text.isprintable()
    assert len(heard.text) <= 300


@pytest.mark.parametrize(
    ("source", "number"), [("", "1"), ("a b", "1"), ("x" * 40, "1"), ("pingdom", ""), ("pingdom", "9" * 301)]
)
def test_what_cannot_be_an_alarm(source: str, number: str) -> None:
    """Source and id go onto command lines and into files."""
    with pytest.raises(InputError):
        alarm(source, number, Says.DOWN)


@pytest.mark.parametrize(
    ("ago", "believed"),
    [
        (timedelta(minutes=5), timedelta(minutes=5)),
        (-timedelta(minutes=1), timedelta(0)),
        (-timedelta(hours=1), None),
        (LONGEST_AGO + timedelta(days=1), None),
    ],
)
def test_since_when_is_believed(ago: timedelta, believed: timedelta | None) -> None:
    """Clocks differ a little; what lies in the future or months ago is a slip, and then nobody knows."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    heard = alarm("pingdom", "1", Says.DOWN, since=now - ago).believed(now)
    assert heard.since == (None if believed is None else now - believed)
