"""What is news in a run's journal: entries in, alerts and words for the status page out; nothing is sent here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from defib import copyentries, entries
from defib.alerts.alert import Alert, AlertKind, Notice, Severity, Stage
from defib.journal import Record
from defib.objectives import Mode, Phase, Status, Verdict
from defib.ports import Health
from defib.question import ApprovalAwaited
from defib.report import words
from defib.sites.site import Site
from defib.timeline import timeline

BURNS = (50, 75, 90)
"""Per cent of the RTO, or of the RPO of replicas, at which people are told that it runs out."""

QUIET = timedelta(minutes=10)
"""The same news of the same run is not told again within this time, however often the run is taken up."""

UNDECIDED = timedelta(seconds=1)
"""A plan that is not approved this long after it was made waits for a person."""

_LISTED = 20
"""So many changes of it are told: of objects there may be thousands."""


@dataclass(frozen=True)
class Resolution:
    """The last word on the status page's incident."""

    text: str


Word = Notice | Resolution


@dataclass
class Bulletins:
    """The news of one run. `redact` is applied to all that is said."""

    site: Site
    opened: entries.Opened
    redact: Callable[[str], str]
    _lost: timedelta | None = None
    """When users lost service, on the monotonic scale of this process; None where that is unknown or over."""
    _step: str = ""
    _undecided: tuple[timedelta, entries.Planned] | None = None
    _how: str = ""
    _told: dict[str, datetime] = field(default_factory=dict)
    _records: list[Record] = field(default_factory=list)

    def recall(self, records: Sequence[Record]) -> None:
        """Take in what earlier processes of this run wrote; it is no news any more."""
        for record in records:
            self.hear(record)
            if isinstance(record.entry, entries.Told) and record.entry.outcome != "failed":
                self._told[record.entry.subject] = record.at
        self._lost = self._undecided = None

    def hear(self, record: Record) -> tuple[Alert, ...]:
        """The alerts that one more entry is worth."""
        self._records.append(record)
        match record.entry:
            case entries.Opened() as opened:
                self._lose_service(record, opened.since)
                return self._alert(record.at, AlertKind.START, "start", "started", self._start(record), self._loudness())
            case entries.Reopened(how=how, operator=operator):
                self._how = how
                self._lose_service(record, self._since())
                text = f"Taken up again by {operator}, to {how}."
                return self._alert(record.at, AlertKind.START, how, f"taken up again ({how})", text, self._loudness())
            case entries.Observed(aim="users", observation=seen) if seen.health is Health.BAD and self._lost is None:
                self._lose_service(record, seen.at)
            case entries.StepStarted(step=step):
                self._step = step
            case entries.Planned() as planned if planned.changes:
                self._undecided = (record.mono, planned)
            case entries.Approved():
                self._undecided = None
            case entries.UsersServed():
                self._lost = None
            case copyentries.ReplicaSeen() as seen:
                return self._exposed(record, seen)
            case entries.Closed() as closed:
                self._lost = self._undecided = None
                return self._closed(record, closed)
            case _:
                pass
        return ()

    def due(self, now: datetime, mono: timedelta) -> tuple[Alert, ...]:
        """The alerts that the time alone is worth: the RTO runs out, or a plan waits for a person."""
        return (*self._decision(now, mono), *self._burn(now, mono))

    def broken_off(self, error: BaseException) -> tuple[Alert, ...]:
        """The alert for a run that ended without an end in its journal, as when the journal could not be written."""
        run_id = self.opened.run_id
        text = f"{type(error).__name__}: {error}\nNext: defib resume {run_id}, or defib rollback {run_id}"
        severity = self._loudness(Severity.FAILURE)
        return (self._made(AlertKind.FAILED, "broken-off", "broken off", text, severity),)

    def _decision(self, now: datetime, mono: timedelta) -> tuple[Alert, ...]:
        if self._undecided is None or mono < self._undecided[0] + UNDECIDED:
            return ()
        planned, self._undecided = self._undecided[1], None
        digest = planned.digest[:12]
        lines = [f"The plan {digest} waits for an approval:"]
        lines += [f"- {change.purpose} ({change.target})" for change in planned.changes[:_LISTED]]
        more = len(planned.changes) - _LISTED
        lines += [f"- and {more} more changes"] if more > 0 else []
        waits = [each.entry for each in self._records if isinstance(each.entry, entries.Planned | ApprovalAwaited)][-1:]
        if waits and isinstance(waits[0], ApprovalAwaited):
            lines.append(f"It waits until {words.stamp(waits[0].until)}; no answer refuses.")
            lines.append(f"Next: defib approve {self.opened.run_id} --digest {digest}, or --refuse")
        else:
            lines.append(f"Approve it where the run was started, by the digest's first digits: {digest[:4]}.")
        subject = f"decision:{digest}"
        return self._alert(
            now, AlertKind.DECISION, subject, "a decision is needed", "\n".join(lines), self._loudness(Severity.WARNING)
        )

    def _burn(self, now: datetime, mono: timedelta) -> tuple[Alert, ...]:
        if self._lost is None:
            return ()
        rto, gone = self.opened.rto, mono - self._lost
        passed = [burn for burn in BURNS if gone * 100 >= rto * burn and f"burn:{burn}" not in self._told]
        if not passed:
            return ()
        for burn in passed:
            self._told[f"burn:{burn}"] = now
        left = f"{words.duration(rto - gone)} left" if gone < rto else f"{words.duration(gone - rto)} beyond it"
        text = f"Users are without service for {words.duration(gone)} of {words.duration(rto)}, {left}."
        text += f"\nThe run is at {self._step}." if self._step else ""
        severity = Severity.FAILURE if passed[-1] == BURNS[-1] else Severity.WARNING
        what = f"{passed[-1]} % of the RTO is used"
        return (self._made(AlertKind.BURN, f"burn:{passed[-1]}", what, text, self._loudness(severity)),)

    def _exposed(self, record: Record, seen: copyentries.ReplicaSeen) -> tuple[Alert, ...]:
        """The alert that more would be lost than at the look before: once for each part of the RPO that it has passed."""
        before = seen.past[-2][1] if len(seen.past) > 1 else None
        known = before or timedelta(0)
        if seen.exposure is None:
            return ()
        passed = [burn for burn in (*BURNS, 100) if known * 100 < seen.rpo * burn <= seen.exposure * 100]
        if not passed:
            return ()
        text = f"If the region of {seen.source} burned now, {words.duration(seen.exposure)} of {words.duration(seen.rpo)}"
        text += f" would be lost.\n{seen.why}\nNext: defib report {self.opened.run_id} --form md"
        severity = self._loudness(Severity.FAILURE if passed[-1] >= BURNS[-1] else Severity.WARNING)
        what = f"{passed[-1]} % of the RPO of {seen.pair} is used"
        return self._alert(record.at, AlertKind.BURN, f"exposed:{seen.pair}:{passed[-1]}", what, text, severity)

    def _closed(self, record: Record, closed: entries.Closed) -> tuple[Alert, ...]:
        told = timeline(self._records)
        well = closed.status is Status.RECOVERED or (self._how == "rollback" and closed.status is Status.ROLLED_BACK)
        lines = [closed.reason] if closed.reason else []
        lines += [f"RTO: {words.objective(told.rto, 'RTO')}", f"RPO: {words.objective(told.rpo, 'RPO')}"]
        lines += [f"Next: {self._next(closed.status)}", f"Run {self.opened.run_id}, seal {record.hash}"]
        kept = {told.rto.verdict, told.rpo.verdict} == {Verdict.MET} or self._how == "rollback"
        severity = (Severity.SUCCESS if kept else Severity.WARNING) if well else Severity.FAILURE
        kind = AlertKind.DONE if well else AlertKind.FAILED
        what = words.status(closed.status)
        return self._alert(record.at, kind, f"closed:{closed.status}", what, "\n".join(lines), self._loudness(severity))

    def _next(self, status: Status) -> str:
        run_id = self.opened.run_id
        if status is Status.RECOVERED:
            return "nothing" if self.opened.follows else f"when the primary is well again: defib failback {run_id}"
        if status is Status.INTERRUPTED:
            return f"defib resume {run_id}, or defib rollback {run_id}"
        return f"defib report {run_id} --form md"

    def _start(self, record: Record) -> str:
        opened = self.opened
        since = (
            f"Users lost service at {words.stamp(opened.since)}, {words.duration(record.at - opened.since)} ago."
            if opened.since
            else "When users lost service is unknown."
        )
        lines = [f"It takes back the run {opened.follows}."] if opened.follows else [since]
        lines += [f"Cause: {opened.trigger}"] if opened.trigger else []
        lines.append(f"RTO {words.duration(opened.rto)}, RPO {words.duration(opened.rpo)}; mode {opened.mode}.")
        return "\n".join([*lines, f"Run {opened.run_id} by {opened.operator}."])

    def _since(self) -> datetime | None:
        """When users lost service as far as the journal knows: told at the start, or the first bad look at them."""
        looks = (r.entry for r in self._records if isinstance(r.entry, entries.Observed) and r.entry.aim == "users")
        bad = (look.observation.at for look in looks if look.observation.health is Health.BAD)
        return self.opened.since or next(bad, None)

    def _lose_service(self, record: Record, since: datetime | None) -> None:
        if since is not None and not self.opened.moves_served_users:
            self._lost = record.mono - max(record.at - since, timedelta(0))

    def _loudness(self, severity: Severity = Severity.WARNING) -> Severity:
        """A rehearsal never cries: what goes wrong in it is worth a warning."""
        quieter = {Severity.WARNING: Severity.INFO, Severity.FAILURE: Severity.WARNING}
        return severity if self.opened.mode is Mode.INCIDENT else quieter.get(severity, severity)

    def _alert(
        self, now: datetime, kind: AlertKind, subject: str, what: str, text: str, severity: Severity
    ) -> tuple[Alert, ...]:
        before = self._told.get(subject)
        if before is not None and now - before < QUIET:
            return ()
        self._told[subject] = now
        return (self._made(kind, subject, what, text, severity),)

    def _made(self, kind: AlertKind, subject: str, what: str, text: str, severity: Severity) -> Alert:
        title = f"{marked(self.opened)}{self.site.title}: {self.opened.procedure} {what}"
        return Alert(kind, subject, self.redact(title), self.redact(text), severity, self.site.site, self.opened.run_id)


@dataclass
class PublicWords:
    """What users may read of one run: nothing before the outage is confirmed, and nothing that is not for them.

    Runs that take users back lose nobody's service, so the page says nothing of them. A rehearsal closes its incident
    however it ends: what it broke is healed.
    """

    site: Site
    opened: entries.Opened
    redact: Callable[[str], str]
    _phases: dict[str, Phase] = field(default_factory=dict)
    _open: bool = False
    _moving: bool = False

    def hear(self, record: Record) -> Word | None:
        """The word that one more entry is worth."""
        if self.opened.moves_served_users or self.opened.mode is Mode.PLAN:
            return None
        word = self._word(record)
        if isinstance(word, Notice):
            return replace(word, title=self.redact(word.title), text=self.redact(word.text))
        return word

    def _word(self, record: Record) -> Word | None:
        match record.entry:
            case entries.StepStarted(step=step, phase=phase):
                self._phases[step] = phase
            case entries.StepEnded(step=step, outcome="done") if self._phases.get(step) is Phase.DETECT and not self._open:
                self._open = True
                return self._notice(Stage.INVESTIGATING, "We have noticed it, and are working on it.")
            case entries.ChangeMade(undo=False) if self._open and not self._moving:
                self._moving = True
                return self._notice(Stage.IDENTIFIED, "We know what is wrong, and are moving the site to where it works.")
            case entries.UsersServed(since=since) if self._open:
                return self._notice(Stage.MONITORING, f"It has been available again since {since:%H:%M:%S} UTC.")
            case entries.Closed(status=status):
                return self._last(status)
            case _:
                pass
        return None

    def _last(self, status: Status) -> Word | None:
        if not self._open:
            return None
        if status is Status.RECOVERED:
            return Resolution("It is available again, and has been watched since.")
        if self.opened.mode is Mode.REHEARSAL:
            return Resolution("This was a rehearsal, and it is over.")
        return self._notice(Stage.IDENTIFIED, "It is not solved yet; our engineers are working on it.")

    def _notice(self, stage: Stage, text: str) -> Notice:
        return Notice(stage, f"{marked(self.opened)}{self.site.title} is not available", text)


def marked(opened: entries.Opened) -> str:
    """What stands before every title, so that nobody takes a drill for the real thing."""
    return "" if opened.mode is Mode.INCIDENT else "[drill] "
