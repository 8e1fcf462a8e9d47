"""An alarm of CloudWatch as it stands in the message of an SNS notification.

The same state change is the same alarm, over however many topics it comes. The fields are those of Amazon's examples
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html).
"""

from __future__ import annotations

from datetime import datetime

from defib.alarms.alarm import Alarm, Says, alarm
from defib.providers.alarm.payload import Payload, read_json

VENDOR = "cloudwatch"

_SAYS = {"ALARM": Says.DOWN, "OK": Says.UP}


class _Sent(Payload):
    AlarmName: str
    NewStateValue: str
    StateChangeTime: str
    AlarmArn: str = ""
    NewStateReason: str = ""


def read(message: str) -> Alarm:
    """The alarm; :class:`InputError` for a message that is none. Too little data is neither down nor up."""
    sent = read_json(_Sent, message, VENDOR)
    number = f"{sent.AlarmArn or sent.AlarmName}@{sent.StateChangeTime}"
    says = _SAYS.get(sent.NewStateValue, Says.OTHER)
    return alarm(VENDOR, number, says, f"{sent.AlarmName}: {sent.NewStateReason}", _time(sent.StateChangeTime))


def _time(text: str) -> datetime | None:
    """Such as ``2026-01-31T02:45:00.123+0000``."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo is not None else None
