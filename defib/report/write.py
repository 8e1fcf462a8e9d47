"""The documents of a run or a drill, written into its folder; the only I/O of the reports."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from defib.drills.drilled import Drill
from defib.drills.line import DrillLine
from defib.errors import HomeUnwritable
from defib.report.afteraction import FILE, after_action
from defib.report.as_html import as_html
from defib.report.as_json import as_json
from defib.report.as_markdown import as_markdown
from defib.report.drill_page import drill_page
from defib.report.drillfigures import DrillFigures, drill_figures
from defib.report.figures import RunFigures, run_figures
from defib.report.page import Page
from defib.report.run_page import run_page
from defib.timeline import Timeline

HTML = Path("report.html")


def write_run(folder: Path, timeline: Timeline) -> Path:
    """Write ``report.json``, ``report.md`` and ``report.html``; the path of the last. Safe to repeat.

    Raises :class:`HomeUnwritable`; a reader never sees half a file.
    """
    return _write(folder, run_figures(timeline, HTML), run_page(timeline))


def write_drill(folder: Path, drill: Drill, past: Sequence[DrillLine] = ()) -> Path:
    """As :func:`write_run`, for a drill and those of its site before it; ``after-action.md`` is written once and kept."""
    if drill.status is not None:
        _write_once(folder / FILE, after_action(drill))
    return _write(folder, drill_figures(drill, HTML), drill_page(drill, past))


def _write(folder: Path, figures: RunFigures | DrillFigures, page: Page) -> Path:
    _replace(folder / "report.json", as_json(figures))
    _replace(folder / "report.md", as_markdown(page))
    _replace(folder / HTML, as_html(page))
    return folder / HTML


def _write_once(path: Path, text: str) -> None:
    """What stands there already is somebody's, filled in or not."""
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        return
    except OSError as error:
        raise _unwritable(path, error) from error


def _replace(path: Path, text: str) -> None:
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> HomeUnwritable:
    return HomeUnwritable(
        f"cannot write the report: {error.strerror}",
        where=str(path),
        expected="a folder that this user may write to",
        then="defib report RUN, once it can be written",
    )
