"""A report as Markdown: the same order as the HTML, tables, and a Mermaid Gantt chart in place of the picture.

It is also what Prefect shows, where raw HTML is not rendered and Mermaid is.
"""

from __future__ import annotations

import re

from defib.report.page import SIGNS, Cell, Page, Section, Table, Tone
from defib.report.words import plain

_SPECIAL = re.compile(r"([\\`*_\[\]|~])")
_OPENING = re.compile(r"[#+=-]|\d+(?=[.)])")
"""What would make a heading, a list or a rule of a line that begins with it."""


def as_markdown(page: Page) -> str:
    """The report's text, ending in a newline."""
    tiles = Table(
        "Verdicts",
        ("", "Verdict", "Figure", "Meaning"),
        tuple((Cell(t.caption), Cell(t.word, tone=t.tone), Cell(t.figure), Cell(t.sentence)) for t in page.tiles),
    )
    blocks = [f"# {escape(page.title)}", paragraph(page.subtitle), f"**{escape(page.lead)}**", _table(tiles)]
    blocks += _commands(page.commands)
    for section in page.sections:
        blocks += _section(section)
    blocks += ["---", paragraph(page.footer)]
    return "\n\n".join(blocks) + "\n"


def escape(text: str) -> str:
    """`text` as one line that shows in Markdown, inside a table too, just as it is."""
    line = " ".join(plain(text).split())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(r"\\\1", line)


def paragraph(text: str) -> str:
    """The same where it begins a line, so that it opens nothing; of a number the full stop after it is escaped."""
    line = escape(text)
    found = _OPENING.match(line)
    if found is None:
        return line
    return f"{found[0]}\\{line[found.end() :]}" if found[0].isdigit() else f"\\{line}"


def _section(section: Section) -> list[str]:
    blocks = [f"## {escape(section.title)}", *(paragraph(sentence) for sentence in section.sentences)]
    if section.scale:
        blocks.append(paragraph(section.scale.words))
    if section.gantt:
        blocks.append(f"```mermaid\n{section.gantt}\n```")
    blocks += [f"```mermaid\n{chart.mermaid}\n```" for chart in section.charts if chart.mermaid]
    for table in section.tables:
        blocks += [f"### {escape(table.caption)}", _table(table)]
    return blocks + _commands(section.commands)


def _table(table: Table) -> str:
    lines = [_line([escape(column) for column in table.columns]), _line(["---"] * len(table.columns))]
    lines += [_line([_cell(cell) for cell in row]) for row in table.rows]
    return "\n".join(lines)


def _line(texts: list[str]) -> str:
    return f"| {' | '.join(texts)} |"


def _cell(cell: Cell) -> str:
    sign = SIGNS[cell.tone]
    text = f"`{cell.text}`" if cell.code and _is_plain_code(cell.text) else escape(cell.text)
    return f"{sign} **{text}**" if sign and cell.tone is not Tone.PLAIN else text


def _is_plain_code(text: str) -> bool:
    """Whether a code span can hold it: inside one nothing can be escaped."""
    return bool(text) and text == plain(text) and not re.search(r"[`|\n\t\\]", text) and text == text.strip()


def _commands(commands: tuple[str, ...]) -> list[str]:
    return ["\n".join(f"    {' '.join(plain(command).split())}" for command in commands)] if commands else []
