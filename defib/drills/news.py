"""Tells people of a drill that was skipped, missed or failed, over the channels of the site file, and writes down whom."""

from __future__ import annotations

from datetime import timedelta

from defib import drillentries, entries
from defib.alerts.alert import Alert, AlertKind, Severity
from defib.alerts.herald import Outlet, Outlets
from defib.alerts.messenger import Errand, Messenger
from defib.clock import Clock, Deadline
from defib.drills.drilled import procedure_of
from defib.drills.order import Tell
from defib.journal import Journal
from defib.report import words
from defib.sites.site import Site

TELL_WITHIN = timedelta(seconds=12)
"""For all channels together. Nobody waits for a drill that does not begin, so that none is left to chance in a hurry."""


def telling(site: Site, outlets: Outlets, clock: Clock) -> Tell:
    """Tells over every channel of `outlets` that wants to hear of such things."""

    def tell(journal: Journal, kind: AlertKind, text: str) -> None:
        alert = _alert(site, journal, kind, text)

        def write(told: entries.Told) -> None:
            journal.append(told)

        wanted = [outlet for outlet in outlets.channels if kind in outlet.kinds]
        messengers = [(outlet, Messenger(outlet.name, clock, write)) for outlet in wanted]
        for outlet, messenger in messengers:
            messenger.give(_errand(outlet, alert))
        within = Deadline.after(clock, TELL_WITHIN)
        for _, messenger in messengers:
            for left in messenger.dismiss(within):
                journal.append(left)

    return tell


def _errand(outlet: Outlet, alert: Alert) -> Errand:
    return Errand(alert.kind.value, alert.subject, alert.title, lambda within: outlet.open().send(alert, within=within))


def _alert(site: Site, journal: Journal, kind: AlertKind, text: str) -> Alert:
    """A drill never cries: that it did not happen, or went wrong, is worth a warning."""
    opened = next(journal.of(entries.Opened))
    asked = next(journal.of(drillentries.DrillAsked))
    lines = [text]
    lines += [f"It was due at {words.stamp(asked.due)}."] if asked.due else []
    lines += [f"Owner: {asked.owner}"] if asked.owner else []
    lines.append(f"Next: defib report {opened.run_id} --form md")
    title = f"[drill] {site.title}: drill of {procedure_of(opened, asked)}"
    redact = journal.redact
    return Alert(
        kind, f"drill:{opened.run_id}", redact(title), redact("\n".join(lines)), Severity.WARNING, site.site, opened.run_id
    )
