"""Telling people something at once, outside of a run: one alert over every channel that wants its kind."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import timedelta

from defib.alerts.alert import Alert
from defib.alerts.herald import Outlets
from defib.clock import Clock, Deadline
from defib.entries import Told
from defib.errors import DefibError

SEND_WITHIN = timedelta(seconds=10)
"""How long one channel may take."""


def tell(outlets: Outlets, alert: Alert, clock: Clock, told: Collection[str] = ()) -> Iterator[Told]:
    """Send `alert` over each channel that wants it and that is not in `told`; gives what became of each, in turn."""
    for outlet in outlets.channels:
        if alert.kind in outlet.kinds and outlet.name not in told:
            outcome, why = "sent", ""
            try:
                outlet.open().send(alert, within=Deadline.after(clock, SEND_WITHIN))
            except DefibError as error:
                outcome, why = "failed", str(error)
            yield Told(outlet.name, alert.kind.value, alert.subject, alert.title, outcome, why)
