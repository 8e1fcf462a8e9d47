"""What others sent, on a terminal: control characters are seen and not obeyed, markup is text, and JSON says the same."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from rich.console import Console

from defib import entries
from defib.cli.say import aside, explain, prompt, say, say_json, show
from defib.cli.steptable import Scene
from defib.errors import Unavailable
from defib.journal import Record
from defib.redact import Redactor
from tests.stage import REFUSED, Stage

CLEARS, REVERSES, BEYOND = "\x1b[2J\x1b]0;owned\x07", "\u202egpj.exe", "\U000e0001"
HOSTILE = f"{CLEARS}\x9b31m{REVERSES}{BEYOND}\r[red]x[/red] <script>alert(1)</script>"
OBEYED = set("\x1b\x07\x9b\u202e\r") | {BEYOND}


@pytest.mark.parametrize("tell", [say, aside, prompt])
def test_lines_are_text(tell: object, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever is told, a terminal does nothing that the text asks for; people see that it was there."""
    assert callable(tell)
    tell(f"seen: {HOSTILE}\nsecond line")
    seen = capsys.readouterr()
    text = seen.out + seen.err
    assert not OBEYED & set(text)
    assert "\\u001b[2J" in text
    assert "\nsecond line" in text


def test_json_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    """What is made visible in JSON is read back as it was, beyond the first plane of Unicode too."""
    say_json({"seen": HOSTILE})
    text = capsys.readouterr().out
    assert not OBEYED & set(text)
    assert json.loads(text) == {"seen": HOSTILE}


def test_errors_are_text(capsys: pytest.CaptureFixture[str]) -> None:
    """A vendor's own words stand in an error."""
    error = Unavailable("no answer", where=HOSTILE, seen=HOSTILE, then=HOSTILE)
    explain(error, Redactor(), as_json=True)
    seen = capsys.readouterr()
    assert not OBEYED & set(seen.out + seen.err)
    assert json.loads(seen.out)["seen"] == HOSTILE


def test_colours_of_our_own_stay(capsys: pytest.CaptureFixture[str]) -> None:
    """Readiness colours its states itself, and makes the rest harmless before."""
    show("\x1b[32mok\x1b[0m")
    assert capsys.readouterr().out == "\x1b[32mok\x1b[0m\n"


def test_the_table_of_a_run_is_text(tmp_path: Path) -> None:
    """A title, a name of a step and a vendor's words: neither markup nor control characters do anything."""
    stage = Stage(tmp_path)
    stage.edges[stage.primary.name] = REFUSED
    run = stage.begin()
    step = replace(run.runbook.steps[0], name="[red]bold[/red]")
    run.runbook = replace(run.runbook, title=HOSTILE, steps=(step, *run.runbook.steps[1:]))
    scene = Scene(run)
    at = stage.clock.now()
    now, error = timedelta(0), (("error", HOSTILE), ("seen", HOSTILE))
    scene.take(Record(1, at, now, entries.Noted(step.name, HOSTILE, warning=True), "", ""))
    scene.take(Record(2, at, now, entries.StepEnded(step.name, "failed", now, error=error), "", ""))
    screen = io.StringIO()
    Console(file=screen, force_terminal=False, width=200).print(scene.picture(at))
    assert not OBEYED & set(screen.getvalue())
    assert "[red]bold[/red]" in screen.getvalue()
    assert "[red]x[/red]" in screen.getvalue()
    stage.die()
