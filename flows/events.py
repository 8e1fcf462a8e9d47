"""What Defib says on Prefect's event stream, for automations: one bounded request each, and Prefect is not imported for it.

========================  ======================================================================================
event                     when
========================  ======================================================================================
``defib.alarm.down``      an outside monitor says that a site is down (``defib listen --through-prefect``)
``defib.run.started``     a run begins, or is taken up again
``defib.run.waiting``     a plan waits for a person
``defib.run.done``        a run ended well
``defib.run.failed``      a run ended otherwise
``defib.rto.burn``        50, 75, 90 % of the RTO is used while users are out
``defib.rpo.burn``        so much of the RPO of a replica would be lost if its source's region burned now
========================  ======================================================================================

The resource of each is ``defib.site.SITE``, with the label ``defib.site``. Events are kept for a week: they are no evidence.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx

from defib import entries
from defib.alarms.alarm import Alarm
from defib.alerts.alert import Alert, AlertKind
from defib.alerts.herald import Outlet
from defib.clock import Deadline, SystemClock
from defib.errors import Denied, ProviderError, Unavailable
from defib.run import Run
from flows.engine import api_address, api_setting

EMIT_WITHIN = timedelta(seconds=2)

FOLLOWED = "Prefect flow run "
"""How the trigger of a run begins that a flow run has started and follows."""

_NAMES = {
    AlertKind.START: "defib.run.started",
    AlertKind.DECISION: "defib.run.waiting",
    AlertKind.DONE: "defib.run.done",
    AlertKind.FAILED: "defib.run.failed",
}


def emit(event: str, site: str, payload: Mapping[str, Any], labels: Mapping[str, str], within: timedelta) -> None:
    """One event about `site`; :class:`Unavailable` or :class:`Denied` where Prefect did not take it in time."""
    address = api_address()
    if not address:
        raise Unavailable("no Prefect API is configured", expected="PREFECT_API_URL")
    body = {
        "id": str(uuid.uuid4()),
        "occurred": SystemClock().now().isoformat(),
        "event": event,
        "resource": {
            "prefect.resource.id": f"defib.site.{site}",
            "prefect.resource.name": site,
            "defib.site": site,
            **labels,
        },
        "payload": dict(payload),
    }
    login = tuple(api_setting("PREFECT_API_AUTH_STRING").split(":", 1))
    auth = (login[0], login[1]) if len(login) == len(("user", "password")) else None
    try:
        answer = httpx.post(
            f"{address.rstrip('/')}/events", json=[body], auth=auth, timeout=within.total_seconds(), trust_env=False
        )
    except (httpx.HTTPError, OSError, ValueError) as error:
        raise Unavailable("Prefect does not take an event", where=address, seen=type(error).__name__) from error
    if answer.status_code in {401, 403}:
        raise Denied("Prefect wants other credentials for an event", where=address, expected="PREFECT_API_AUTH_STRING")
    if not answer.is_success:
        raise Unavailable("Prefect does not take an event", where=address, seen=f"{answer.status_code}")


def emit_alarm(site: str, heard: Alarm) -> str:
    """An alarm as an event that an automation answers; gives "" or why Prefect did not take it."""
    since = heard.since.isoformat() if heard.since else ""
    payload = {"source": heard.source, "id": heard.id, "says": heard.text, "since": since}
    try:
        emit(f"defib.alarm.{heard.says.value}", site, payload, {"defib.source": heard.source}, EMIT_WITHIN)
    except ProviderError as error:
        return str(error)
    return ""


def outlets(run: Run) -> tuple[Outlet, ...]:
    """Where a run tells Prefect what it tells people; none where no Prefect is configured."""
    return (Outlet("prefect", tuple(AlertKind), lambda: EventStream(run)),) if api_address() else ()


class EventStream:
    """Fulfils :class:`defib.alerts.alert.Channel`: an alert becomes an event, in a run that does not do without Prefect.

    One that a flow run follows is carried out without, so that it outlives Prefect, and is told to it all the same.
    """

    name = "prefect"

    def __init__(self, run: Run) -> None:
        self._run = run

    def send(self, alert: Alert, *, within: Deadline) -> None:
        chosen = tuple(self._run.journal.of(entries.EngineChosen))
        if chosen and not chosen[-1].prefect and not self._is_followed():
            raise Unavailable("this run does without Prefect", seen=chosen[-1].why)
        kind, _, burnt = alert.subject.rpartition(":")
        payload = {"title": alert.title, "text": alert.text, "subject": alert.subject, "severity": str(alert.severity)}
        labels = {"defib.run": alert.run_id, "defib.procedure": self._run.runbook.procedure}
        name = _NAMES.get(alert.kind) or ("defib.rto.burn" if kind == "burn" else "defib.rpo.burn")
        if alert.kind is AlertKind.BURN:
            payload["percent"] = burnt
            labels["defib.percent"] = burnt
        emit(name, alert.site, payload, labels, min(within.remaining(), EMIT_WITHIN))

    def _is_followed(self) -> bool:
        """Whether a flow run has asked for it, and nobody has taken it up since at a terminal."""
        opened = next(self._run.journal.of(entries.Opened))
        return opened.trigger.startswith(FOLLOWED) and not any(self._run.journal.of(entries.Reopened))
