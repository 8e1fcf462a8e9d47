"""A report before it is set: headline, verdicts, sections of tables and pictures. Markdown and HTML both come from this.

Text is as it was written down; whoever sets it escapes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from defib.objectives import Status, Verdict
from defib.report import words


class Tone(StrEnum):
    """What a figure means. Every document shows it by a sign and a word as well as by a colour."""

    GOOD = "good"
    BAD = "bad"
    WARN = "warn"
    UNKNOWN = "unknown"
    PLAIN = "plain"


SIGNS = {Tone.GOOD: "✓", Tone.BAD: "✗", Tone.WARN: "!", Tone.UNKNOWN: "?", Tone.PLAIN: ""}

_VERDICTS = {Verdict.MET: Tone.GOOD, Verdict.MISSED: Tone.BAD, Verdict.UNKNOWN: Tone.UNKNOWN}


def tone_of(outcome: Verdict | Status | None) -> Tone:
    """The tone of a verdict or a status; a run that has not ended is unknown."""
    if outcome is None:
        return Tone.UNKNOWN
    if isinstance(outcome, Verdict):
        return _VERDICTS[outcome]
    return Tone.GOOD if outcome is Status.RECOVERED else Tone.BAD


@dataclass(frozen=True)
class Cell:
    """One cell of a table. `code` sets it as the machine would; `gauge` draws a part of a whole (1.0) next to it."""

    text: str
    code: bool = False
    tone: Tone = Tone.PLAIN
    gauge: float | None = None


@dataclass(frozen=True)
class Table:
    """One table with a header row; `caption` says what it shows."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Tile:
    """One verdict at the top: what it is about, its word, its figure, and a sentence."""

    caption: str
    word: str
    figure: str
    sentence: str
    tone: Tone


@dataclass(frozen=True)
class Mark:
    """Something drawn in a row, from `left` and `width` in per cent of the row. `kind` says how; `words` say it."""

    kind: str
    left: float
    width: float
    words: str
    text: str = ""


@dataclass(frozen=True)
class Row:
    """One row of a picture: its label and a short figure, all that it shows in words, and its marks."""

    label: str
    said: str
    words: str
    marks: tuple[Mark, ...]
    group: str = ""
    """Set on the first row of a group of rows."""


@dataclass(frozen=True)
class Tick:
    """A place on an axis, in per cent, and its label."""

    left: float
    text: str


@dataclass(frozen=True)
class Picture:
    """Rows over one axis of time. `zero` says what its 0 is; `bands` are the times without service, behind every row."""

    title: str
    zero: str
    ticks: tuple[Tick, ...]
    instants: tuple[Tick, ...]
    bands: tuple[Mark, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Scale:
    """A figure on the scale of its whole target, both in per cent of the wider of the two."""

    words: str
    used: float
    target: float
    tone: Tone


@dataclass(frozen=True)
class Bar:
    """One look in a chart: `left` and `width` in per cent of its breadth, `height` of its own; `words` say it."""

    left: float
    width: float
    height: float
    tone: Tone
    words: str
    label: str = ""
    """What stands over it, where there is room."""


@dataclass(frozen=True)
class Chart:
    """A figure over time: a bar a look, and the `limit` that it is to stay under, in per cent of the height.

    A limit of more than 100 is beyond the picture, and only said.

    `mermaid` is the same for places where Markdown is shown but pictures are not.
    """

    title: str
    bars: tuple[Bar, ...]
    limit: float
    limit_words: str
    ticks: tuple[Tick, ...]
    mermaid: str

    @property
    def limit_said(self) -> str:
        """What the line is, or that it is too far up to be drawn."""
        fits = self.limit <= 100  # noqa: PLR2004 - per cent
        return f"the line is the {self.limit_words}" if fits else f"the {self.limit_words} is far above"


@dataclass(frozen=True)
class Section:
    """One part of a report: sentences, then pictures (or a Gantt chart where they cannot be), charts, tables, commands."""

    title: str
    sentences: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()
    charts: tuple[Chart, ...] = ()
    scale: Scale | None = None
    gantt: str = ""
    tables: tuple[Table, ...] = ()
    commands: tuple[str, ...] = ()


@dataclass(frozen=True)
class Page:
    """A whole report. `tone` is the verdict on all of it; `commands` are what to run next, if anything."""

    title: str
    subtitle: str
    tone: Tone
    lead: str
    tiles: tuple[Tile, ...]
    commands: tuple[str, ...]
    sections: tuple[Section, ...]
    footer: str


def cells(*texts: str | Cell) -> tuple[Cell, ...]:
    """A row of a table from texts and cells."""
    return tuple(text if isinstance(text, Cell) else Cell(text) for text in texts)


def code(text: str) -> Cell:
    """A cell set as the machine would."""
    return Cell(text, code=True)


def span(took: timedelta | None) -> Cell:
    """A cell of an exact length of time; unknown where it is not known."""
    return Cell(words.UNKNOWN, tone=Tone.UNKNOWN) if took is None else Cell(words.exact(took))
