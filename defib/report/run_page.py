"""The report of one run."""

from __future__ import annotations

from defib.about import About, about
from defib.objectives import Measure, Status, Verdict
from defib.report import outlook, parts, words
from defib.report.copies import copies_of
from defib.report.figures import run_exit_code
from defib.report.gantt import gantt
from defib.report.page import Page, Section, Table, Tile, Tone, tone_of
from defib.report.picture import Around, pictures, rto_scale
from defib.timeline import Timeline

_OPEN = "This run has no end in its journal: it is still at work, or it was killed."


def run_page(timeline: Timeline) -> Page:
    """The whole report of one run: verdicts first, evidence last."""
    opened = timeline.opened
    return Page(
        title=f"{opened.procedure} on {opened.site}",
        subtitle=f"{opened.mode} · run {opened.run_id} · begun {words.stamp(timeline.started)}",
        tone=overall((tone_of(timeline.status), tone_of(timeline.rto.verdict), tone_of(timeline.rpo.verdict))),
        lead=lead(timeline),
        tiles=_tiles(timeline),
        commands=next_commands(timeline),
        sections=run_sections(timeline),
        footer=_footer(timeline),
    )


def _tiles(timeline: Timeline) -> tuple[Tile, ...]:
    """Status and objectives; what is about copies takes nobody's service, so that it has no RTO."""
    takes_time = about(timeline.opened.procedure) is About.USERS or timeline.restored
    rto = (objective_tile("RTO", timeline.rto),) if takes_time else ()
    return (status_tile(timeline), *rto, objective_tile("RPO", timeline.rpo))


def overall(tones: tuple[Tone, ...]) -> Tone:
    """Good only where all is good; unknown does not outrank bad."""
    return next((tone for tone in (Tone.BAD, Tone.UNKNOWN) if tone in tones), Tone.GOOD)


def lead(timeline: Timeline) -> str:
    """What happened to users, or to the copies, in one or two sentences."""
    copies = copies_of(timeline.opened.procedure)
    if copies is not None:
        return copies.lead(timeline) if timeline.tells_of_copies else f"{copies.lead(timeline)} {_ended(timeline)}"
    return f"{_ended(timeline)} {_outage(timeline)}".strip()


def _ended(timeline: Timeline) -> str:
    stand = parts.standing(timeline)
    left = f"{words.count(stand, 'change')} may stand." if stand else "No change stands."
    return {
        None: f"{_OPEN} {left}",
        Status.RECOVERED: "Recovered.",
        Status.ROLLED_BACK: f"What the run had changed was put back. {left}",
        Status.FAILED: f"The recovery failed. {left}",
        Status.INTERRUPTED: f"The run was stopped before its end. {left}",
        Status.REFUSED: f"Refused: a guard said no. {left}",
    }[timeline.status]


def _outage(timeline: Timeline) -> str:
    actual, served = timeline.rto.actual, timeline.instants.served
    if timeline.status is Status.ROLLED_BACK and served is not None:
        return f"Users were served from {words.stamp(served)} until then; what they got afterwards was not looked at."
    if actual is None and served is None:
        return "Users were not seen to be served for good."
    if actual is None:
        return f"Users are served since {words.stamp(served)}; how long they were not is unknown."
    if not actual:
        return "Users never lost service."
    if timeline.opened.moves_served_users:
        times = words.count(len(timeline.lost_service), "time")
        return f"Users were without service for {words.duration(actual)} meanwhile ({times})."
    return f"Users were without service for {words.duration(actual)}, until {words.stamp(served)}."


def status_tile(timeline: Timeline) -> Tile:
    """How the run ended, why, and its exit code."""
    code = run_exit_code(timeline)
    figure = "no exit code yet" if code is None else f"exit code {code}"
    said = timeline.reason or (_OPEN if timeline.status is None else "the procedure ran to its end")
    return Tile("Status", words.status(timeline.status), figure, said, tone_of(timeline.status))


def objective_tile(name: str, measure: Measure) -> Tile:
    """One objective: reached against target, and the share that was used."""
    target = words.duration(measure.target)
    figure = f"target {target}" if measure.actual is None else f"{words.duration(measure.actual)} of {target}"
    sentence = words.used(measure, name)
    if measure.why and measure.verdict is not Verdict.UNKNOWN:
        sentence += f"; {measure.why}"
    return Tile(name, measure.verdict.value, figure, sentence, tone_of(measure.verdict))


def next_commands(timeline: Timeline) -> tuple[str, ...]:
    """What the operator chooses from where a run stopped before its end."""
    if timeline.status not in {None, Status.INTERRUPTED}:
        return ()
    return (f"defib resume {timeline.opened.run_id}", f"defib rollback {timeline.opened.run_id}")


def run_sections(timeline: Timeline, around: Around | None = None) -> tuple[Section, ...]:
    """The sections of one run in reading order."""
    copies = copies_of(timeline.opened.procedure)
    if copies is not None:
        tables = _filled(*copies.tables(timeline), parts.step_table(timeline))
        return (
            Section(copies.title, tables=tables, charts=copies.charts(timeline)),
            changes_section(timeline),
            Section("Errors and notes", tables=_filled(parts.error_table(timeline), parts.note_table(timeline))),
            evidence_section(timeline),
        )
    return (
        outage_section(timeline, around),
        looks_section(timeline),
        changes_section(timeline),
        words_section(timeline),
        evidence_section(timeline),
    )


def outage_section(timeline: Timeline, around: Around | None = None, title: str = "The outage") -> Section:
    """The picture, the phases, the moments, and the steps against their budgets."""
    return Section(
        title=title,
        sentences=(lead(timeline),) if around else (),
        pictures=pictures(timeline, around),
        scale=rto_scale(timeline),
        gantt=gantt(timeline),
        tables=_filled(parts.phase_table(timeline), parts.instant_table(timeline), parts.step_table(timeline)),
    )


def looks_section(timeline: Timeline, title: str = "What observers saw") -> Section:
    """Every reason that an observer gave, users apart from edges and origin."""
    table = parts.look_table(timeline)
    said = ("Each look is the answer that a user who asked at that moment would have had.",)
    return Section(title, said if table.rows else ("Nobody looked.",), tables=_filled(table))


def changes_section(timeline: Timeline, title: str = "Plan and changes") -> Section:
    """What was planned, foretold, approved and changed."""
    table = parts.change_table(timeline)
    sentences = (
        *((f"Forecast: {outlook.headline(timeline.forecast)}.",) if timeline.forecast else ()),
        parts.approval_sentence(timeline),
        *(() if table.rows else ("Nothing was changed.",)),
    )
    return Section(title, sentences, tables=_filled(table, parts.forecast_table(timeline)))


def words_section(timeline: Timeline, title: str = "Errors, notes and waits") -> Section:
    """What went wrong, what was noted, and what the DNS and the users were seen to do."""
    sentences = [*_moved(timeline), *_served(timeline), *_point(timeline)]
    tables = _filled(parts.error_table(timeline), parts.note_table(timeline), parts.told_table(timeline))
    return Section(title, tuple(sentences) or (() if tables else ("None.",)), tables=tables)


def evidence_section(timeline: Timeline) -> Section:
    """What the report stands on, and how to check it."""
    return Section(
        "Evidence",
        (
            (
                "Every figure here is derived from the run's journal, each entry of which holds the hash of the one before. "
                "The command checks the chain; compare the hash of the last entry with one that was kept elsewhere."
            ),
        ),
        tables=(parts.evidence_table(timeline),),
        commands=(f"defib verify {timeline.opened.run_id}",),
    )


def _moved(timeline: Timeline) -> list[str]:
    moved = timeline.moved
    if moved is None:
        return ["The DNS was not seen to give the new answer."]
    told = (
        f"DNS: {words.count(moved.authoritative, 'authoritative server')} and {moved.resolvers} of "
        f"{words.count(moved.resolvers_asked, 'resolver')} gave the new answer at {words.stamp(moved.at)}."
    )
    late = {"Still with the old answer": moved.stale, "No answer came from": moved.silent}
    return [told, *(f"{what}: {', '.join(servers)}." for what, servers in late.items() if servers)]


def _served(timeline: Timeline) -> list[str]:
    served = timeline.served
    if served is None:
        return []
    build = f" with build {served.build.id}, built {words.stamp(served.build.built)}" if served.build else ""
    return [f"Users: served since {words.stamp(served.since)}{build}; watched for {words.duration(served.held)} after that."]


def _point(timeline: Timeline) -> list[str]:
    rpo = timeline.rpo
    told = f"Recovery point: {words.exact(rpo.actual)} behind" if rpo.actual is not None else "Recovery point: unknown"
    return [f"{told}; {rpo.why}." if rpo.why else f"{told}."]


def _filled(*tables: Table) -> tuple[Table, ...]:
    return tuple(table for table in tables if table.rows)


def _footer(timeline: Timeline) -> str:
    return f"Derived from the journal of run {timeline.opened.run_id}, last entry {timeline.head[:12]}."
