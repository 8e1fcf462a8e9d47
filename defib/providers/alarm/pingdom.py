"""Pingdom's state change webhook (https://www.pingdom.com/resources/webhooks/).

An uptime check goes between UP and DOWN, a transaction check between SUCCESS and FAILING. The webhook cannot be signed and
sends no header of ours, so the secret is in its address.
"""

from __future__ import annotations

from defib.alarms.alarm import Alarm, Says, alarm
from defib.providers.alarm.payload import Payload, moment, read_json

VENDOR = "pingdom"

_SAYS = {"DOWN": Says.DOWN, "FAILING": Says.DOWN, "UP": Says.UP, "SUCCESS": Says.UP}


class _Sent(Payload):
    check_id: int
    current_state: str
    state_changed_timestamp: int
    check_name: str = ""
    description: str = ""
    long_description: str = ""


def read(body: bytes, content_type: str = "") -> Alarm:
    """The alarm; :class:`InputError` for anything else."""
    del content_type  # always JSON
    sent = read_json(_Sent, body, VENDOR)
    says = _SAYS.get(sent.current_state, Says.OTHER)
    text = " ".join(part for part in (sent.check_name, sent.long_description or sent.description) if part)
    since = moment(sent.state_changed_timestamp)
    return alarm(VENDOR, f"{sent.check_id}@{sent.state_changed_timestamp}", says, text, since)
