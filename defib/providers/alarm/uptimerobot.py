"""UptimeRobot's web-hook alert contact.

A person writes its body in UptimeRobot's settings, out of variables between asterisks, and may let it be sent as JSON or as
a form (https://uptimerobot.com/help/integrations/ "Web-Hook"; the variables also stand in Grafana OnCall's and others'
documents of their integrations). Ours is :data:`BODY`. `alertType` is 1 for down, 2 for up, 3 for a certificate or a domain
that expires; a variable that has no value is sent as it stands, with its asterisks.
"""

from __future__ import annotations

import json
from urllib.parse import parse_qsl

from defib.alarms.alarm import Alarm, Says, alarm
from defib.errors import InputError
from defib.providers.alarm.payload import Payload, moment, read_json

VENDOR = "uptimerobot"

_VARIABLES = ("monitorID", "monitorURL", "monitorFriendlyName", "alertType", "alertDetails", "alertDateTime")

BODY = json.dumps({name: f"*{name}*" for name in _VARIABLES})
"""What to paste as "POST value" there, with "send as JSON" ticked."""

_SAYS = {"1": Says.DOWN, "2": Says.UP}
_MOST_FIELDS = 50


class _Sent(Payload):
    monitorID: str  # noqa: N815 - the vendor's names
    alertType: str  # noqa: N815
    monitorURL: str = ""  # noqa: N815
    monitorFriendlyName: str = ""  # noqa: N815
    alertDetails: str = ""  # noqa: N815
    alertDateTime: str = ""  # noqa: N815


def read(body: bytes, content_type: str = "") -> Alarm:
    """The alarm; :class:`InputError` for anything else. Without `alertDateTime` a monitor's alarms are one and the same."""
    is_form = content_type.partition(";")[0].strip().lower() == "application/x-www-form-urlencoded"
    sent = read_json(_Sent, _as_json(body) if is_form else body, VENDOR)
    kind = _given(sent.alertType)
    if not _given(sent.monitorID) or not kind:
        raise InputError("the variables of the alert contact were not filled in", where=VENDOR, expected=BODY)
    stamp = _given(sent.alertDateTime)
    number = f"{_given(sent.monitorID)}{f'@{stamp}' if stamp else ''}"
    name = _given(sent.monitorFriendlyName) or _given(sent.monitorURL)
    text = " ".join(part for part in (name, _given(sent.alertDetails)) if part)
    # A number of a day's length is no time: it has ten digits since 2001, and will have until 2286.
    since = moment(float(stamp)) if stamp.isascii() and stamp.isdigit() and len(stamp) <= len("1704067200") else None
    return alarm(VENDOR, number, _SAYS.get(kind, Says.OTHER), text, since)


def _given(value: str) -> str:
    """A variable's value; "" for one that was left as it stands."""
    value = value.strip()
    return "" if value.startswith("*") and value.endswith("*") else value


def _as_json(form: bytes) -> str:
    try:
        return json.dumps(dict(parse_qsl(form.decode(), max_num_fields=_MOST_FIELDS)))
    except ValueError:  # of more fields than that, or not UTF-8
        raise InputError("this is not a form that UptimeRobot sends", where=VENDOR) from None
