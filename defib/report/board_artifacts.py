"""The board as Prefect's pages show it: Markdown with a table, and a picture that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape as escape_markup

from defib.report import words
from defib.report.as_markdown import escape
from defib.report.board_now import Alarm
from defib.report.board_page import BoardPage, Gauge, ProofLine, SiteView
from defib.report.page import SIGNS, Tone

MOST_SITES = 60
"""So many sites are in the table and the picture of all: those that need somebody come first."""

_SOFT, _PAPER, _TRACK = "#575d67", "#fcfcfa", "#e7e7e1"
_COLOURS = {
    Tone.GOOD: "#15703f",
    Tone.WARN: "#8a5a00",
    Tone.UNKNOWN: "#6a707a",
    Tone.BAD: "#b3261e",
    Tone.PLAIN: "#2857a8",
}
_READY = {"ready, with warnings": "warnings"}
_WIDTH, _ROW, _TOP = 920, 30, 58
_NAME, _BAR = 150, 190


def all_line(page: BoardPage) -> str:
    """What stands in a list of artifacts: what goes on, then how much is proved and ready."""
    return escape(f"{SIGNS[page.tone]} {page.headline.rstrip('.')}. {page.lead}".strip())


def site_line(page: BoardPage, site: SiteView) -> str:
    """The same of one site, the shortest first: a list shows some forty characters."""
    proved = sum(line.tone in {Tone.GOOD, Tone.WARN} for line in site.proofs)
    goes_on = list(dict.fromkeys(alarm.word for alarm in page.alarms))
    ready = "readiness unknown" if site.ready_tone is Tone.UNKNOWN else site.ready_word
    told = [*goes_on, ready, f"{proved} of {len(site.proofs) + len(site.unproved)} proved"]
    told += [f"{line.procedure} {line.word}" for line in site.proofs if line.tone is Tone.BAD]
    return escape(f"{SIGNS[site.tone]} {', '.join(told)}".strip())


def all_text(page: BoardPage) -> str:
    """Every site in a line, after what goes on."""
    lines = [*_head(page), *_goes_on(page.alarms)]
    shown = page.sites[:MOST_SITES]
    if shown:
        lines += ["| | Site | Ready | Proved |", "|---|---|---|---|"]
        lines += [_site_row(site) for site in shown]
        lines += ["", *(f"- **{escape(site.name)}**: {escape(wrong)}" for site in shown if (wrong := _wrong(site)))]
    more = len(page.sites) - len(shown)
    lines += [f"\nand {more} more sites: `defib board` shows all."] if more else []
    return "\n".join([*lines, *_notes(page)]) + "\n"


def site_text(page: BoardPage, site: SiteView) -> str:
    """One site: what goes on, each procedure with its last proof, each copy, and what readiness found."""
    lines = [*_head(page), *_goes_on(page.alarms)]
    if site.problem:
        lines += [f"{SIGNS[Tone.BAD]} **{escape(site.problem)}**", ""]
    lines += [f"{SIGNS[site.ready_tone]} **{escape(site.ready_word)}**: {escape(site.ready_said)}", ""]
    lines += [f"- {SIGNS[each.tone]} {escape(each.about)}: {escape(each.text)}" for each in site.findings]
    lines += ["", f"Proved, against {escape(site.targets)}:", ""]
    lines += ["| | Procedure | Last proof | RTO | RPO |", "|---|---|---|---|---|"]
    lines += [_proof_row(line) for line in (*site.proofs, *site.unproved)]
    lines += ["", *(f"- **{escape(line.procedure)}**: {escape('; '.join(line.says))}" for line in site.proofs if line.says)]
    if site.copies:
        lines += ["", "| | Copy | State | Would be lost |", "|---|---|---|---|"]
        lines += [_row(SIGNS[copy.tone], copy.name, copy.word, copy.gauge.figure) for copy in site.copies]
        told = [(copy.name, "; ".join((copy.held, copy.when, *copy.says))) for copy in site.copies]
        lines += ["", *(f"- **{escape(name)}**: {escape(text)}" for name, text in told)]
    return "\n".join([*lines, *_notes(page)]) + "\n"


def _head(page: BoardPage) -> list[str]:
    return [f"## {SIGNS[page.tone]} {escape(page.headline)}", "", escape(page.lead), "", f"As of {escape(page.at)}.", ""]


def _goes_on(alarms: Iterable[Alarm]) -> list[str]:
    lines: list[str] = []
    for alarm in alarms:
        lines.append(f"- **{escape(alarm.word.upper())}: {escape(alarm.title)}**")
        lines += [f"  - {escape(line)}" for line in alarm.lines]
        lines += [f"  - next: `{command}`" for command in alarm.commands if "`" not in command and command.isprintable()]
    return [*lines, ""] if lines else []


def _notes(page: BoardPage) -> list[str]:
    return ["", *(escape(note) for note in page.notes)] if page.notes else []


def _site_row(site: SiteView) -> str:
    """Narrow: cells of tables on Prefect's pages are never folded."""
    proved = sum(line.tone in {Tone.GOOD, Tone.WARN} for line in site.proofs)
    ready = f"{SIGNS[site.ready_tone]} {site.ready_short}"
    return _row(SIGNS[site.tone], site.name, ready, f"{proved} of {len(site.proofs) + len(site.unproved)}")


def _wrong(site: SiteView) -> str:
    told = [f"{line.procedure} {line.word}" for line in site.proofs if line.tone is not Tone.GOOD]
    told += [f"{len(site.unproved)} never proved"] if site.unproved else []
    return "; ".join([*told, *(f"{copy.name} {copy.word}" for copy in site.copies if copy.tone is not Tone.GOOD)])


def _proof_row(line: ProofLine) -> str:
    figures = [gauge.figure if gauge else "-" for gauge in (line.rto, line.rpo)]
    told = f"{line.word}, {line.short}" if line.run and not line.short.startswith(line.word) else line.short
    return _row(SIGNS[line.tone], line.procedure, told, *figures)


def _row(*cells: str) -> str:
    return f"| {' | '.join(escape(cell) for cell in cells)} |"


def all_picture(page: BoardPage) -> str:
    """Every site as a row of cells, one for its readiness and one for each procedure."""
    sites = page.sites[:MOST_SITES]
    columns = ("ready", *page.columns)
    wide = max((_WIDTH - _NAME) / max(len(columns), 1), 78)
    drawn = [_words(12, 24, page.headline, 15, _COLOURS[page.tone], bold=True), _words(12, 42, f"as of {page.at}", 11)]
    drawn += [
        _words(_NAME + number * wide, _TOP + 6 + 11 * place, word, 10)
        for number, column in enumerate(columns)
        for place, word in enumerate(_folded(column))
    ]
    for number, site in enumerate(sites):
        top = _TOP + 34 + number * _ROW
        drawn.append(_words(12, top + 18, f"{SIGNS[site.tone]} {site.name}"[:21], 12, _COLOURS[site.tone], bold=True))
        for place, column in enumerate(columns):
            line = site.cell(column)
            if place == 0:
                drawn.append(_cell(_NAME, top, wide, site.ready_tone, _READY.get(site.ready_word, site.ready_word)))
            elif line is not None:
                drawn.append(_cell(_NAME + place * wide, top, wide, line.tone, _in_a_cell(line)))
    return _svg(int(_NAME + wide * len(columns)) + 12, _TOP + 44 + len(sites) * _ROW, drawn)


def site_picture(page: BoardPage, site: SiteView) -> str:
    """Each procedure with its state, and its RTO and RPO as bars on the scale of the target."""
    rows: list[tuple[str, Tone, str, Gauge | None, Gauge | None]] = [
        (line.procedure, line.tone, line.short, line.rto, line.rpo) for line in (*site.proofs, *site.unproved)
    ]
    rows += [(copy.name, copy.tone, copy.word, None, copy.gauge) for copy in site.copies]
    title = f"{site.name}: {page.headline}"
    drawn = [_words(12, 24, title, 15, _COLOURS[page.tone], bold=True)]
    drawn.append(_words(12, 42, f"as of {page.at}; bars are on the scale of the target", 11))
    bars = _WIDTH - 2 * (_BAR + 20)
    drawn += [_words(bars, _TOP + 10, "RTO", 11), _words(bars + _BAR + 20, _TOP + 10, "RPO", 11)]
    for number, (name, tone, short, rto, rpo) in enumerate(rows):
        top = _TOP + 18 + number * 36
        drawn.append(_words(12, top + 18, name[:34], 12, bold=True))
        drawn.append(_words(270, top + 18, f"{SIGNS[tone]} {short}"[:30], 12, _COLOURS[tone]))
        drawn += _bar(bars, top, rto) + _bar(bars + _BAR + 20, top, rpo)
    return _svg(_WIDTH, _TOP + 32 + len(rows) * 36, drawn)


def _bar(left: float, top: float, gauge: Gauge | None) -> list[str]:
    if gauge is None:
        return []
    width, used = _BAR * gauge.target / 100, _BAR * gauge.used / 100
    colour = _COLOURS[gauge.tone]
    known = gauge.tone is not Tone.UNKNOWN
    drawn = [f'<rect x="{left}" y="{top + 18}" width="{width:.1f}" height="7" fill="{_TRACK}"/>'] if known else []
    drawn += [f'<rect x="{left}" y="{top + 17}" width="{used:.1f}" height="9" fill="{colour}"/>'] if used else []
    return [*drawn, _words(left, top + 12, f"{SIGNS[gauge.tone]} {gauge.figure}", 11, colour)]


def _in_a_cell(line: ProofLine) -> str:
    return line.word if line.tone is Tone.BAD else line.short.removesuffix(" ago")


def _cell(left: float, top: float, wide: float, tone: Tone, text: str) -> str:
    colour = _COLOURS[tone]
    box = f'<rect x="{left:.1f}" y="{top}" width="{wide - 6:.1f}" height="{_ROW - 6}" rx="4" fill="none" stroke="{colour}"/>'
    fits = max(int((wide - 12) / 6), 4)
    return box + _words(left + 6, top + 16, f"{SIGNS[tone]} {text}"[:fits], 10, colour)


def _folded(name: str) -> Sequence[str]:
    head, dash, tail = name.partition("-")
    return (head + dash, tail) if dash else (name,)


def _words(left: float, top: float, text: str, size: int, colour: str = _SOFT, *, bold: bool = False) -> str:
    weight = ' font-weight="600"' if bold else ""
    place = f'x="{left:.1f}" y="{top:.1f}" font-size="{size}" fill="{colour}"{weight}'
    return f"<text {place}>{escape_markup(words.plain(text))}</text>"


def _svg(wide: int, high: int, drawn: Iterable[str]) -> str:
    paper = f'<rect width="{wide}" height="{high}" fill="{_PAPER}"/>'
    size = f'width="{wide}" height="{high}" viewBox="0 0 {wide} {high}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif">{paper}{"".join(drawn)}</svg>'
