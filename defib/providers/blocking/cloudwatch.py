"""Alarms of CloudWatch, by DescribeAlarms, which needs ``cloudwatch:DescribeAlarms``.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html: names that do not exist are left
out of the answer without a word, and composite alarms are told only where they are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from defib.clock import Deadline
from defib.drills.blocking import AlarmSeen
from defib.privilege.permission import Permission
from defib.providers.aws import AwsAccess
from defib.providers.aws_errors import asked

MOST = 100
"""Names in one call."""

ALARMS = Permission(("cloudwatch:DescribeAlarms",))
"""Of every alarm: composite ones are told to nobody whose permission is for less than all, says the page above."""

_QUIET = {"OK": True, "ALARM": False}
"""Of INSUFFICIENT_DATA nobody can tell."""


class CloudWatchAlarms:
    """Fulfils :class:`defib.drills.blocking.Alarms` in one region."""

    def __init__(self, names: Sequence[str], access: AwsAccess) -> None:
        self.where = f"CloudWatch in {access.region}"
        self._names = tuple(names)
        self._clients = access.clients("cloudwatch")

    def seen(self, *, within: Deadline) -> tuple[AlarmSeen, ...]:
        answer = asked(
            lambda: self._clients.within(within).describe_alarms(
                AlarmNames=list(self._names), AlarmTypes=["MetricAlarm", "CompositeAlarm"], MaxRecords=MOST
            ),
            within,
            "DescribeAlarms",
            self.where,
        )
        found = {each["AlarmName"]: each for each in (*answer["MetricAlarms"], *answer.get("CompositeAlarms", ()))}
        return tuple(self._seen(name, found.get(name)) for name in self._names)

    def _seen(self, name: str, alarm: Mapping[str, Any] | None) -> AlarmSeen:
        if alarm is None:
            return AlarmSeen(name, None, f"there is no alarm {name!r} at {self.where}")
        why = f": {alarm['StateReason']}" if alarm.get("StateReason") else ""
        return AlarmSeen(name, _QUIET.get(alarm["StateValue"]), f"alarm {name} is {alarm['StateValue']}{why}")
