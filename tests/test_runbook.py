"""Runbooks: what was promised can be read by people and by the engine, and a mistake in it has a line."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from defib.errors import InputError, RunbookInvalid
from defib.objectives import Objectives, Phase, Plane
from defib.runbook import load_runbook, parse_runbook
from defib.sites.site import load_site
from tests.stage import LAB, PROCEDURES, RUNBOOKS

GOOD = """---
procedure: a-thing
rto: 2h
rpo: 90m
---
# The title

Prose.

## first-step
detect · data · 30s

Look at it.

### a heading inside
## second-step

act · control · 2m
Do it.
"""
WHERE = Path("a-thing.md")


def refusal(text: str) -> tuple[str, str]:
    """What is wrong with a runbook, and at which line."""
    with pytest.raises(RunbookInvalid) as caught:
        parse_runbook(text, WHERE)
    return caught.value.what, caught.value.where.rpartition(":")[2]


def test_reads() -> None:
    """Front matter, title, and for each step its phase, plane, budget and how to do it by hand."""
    runbook = parse_runbook(GOOD, WHERE)
    assert (runbook.procedure, runbook.title, runbook.automatic) == ("a-thing", "The title", False)
    assert runbook.objectives == Objectives(timedelta(hours=2), timedelta(minutes=90))
    first, second = runbook.steps
    assert (first.name, first.phase, first.plane, first.budget) == (
        "first-step",
        Phase.DETECT,
        Plane.DATA,
        timedelta(seconds=30),
    )
    assert (first.by_hand, second.by_hand) == ("Look at it.\n\n### a heading inside", "Do it.")


@pytest.mark.parametrize("path", sorted(RUNBOOKS.glob("*.md")), ids=lambda path: path.stem)
def test_runbooks_that_come_with_it(path: Path) -> None:
    """Every runbook of the repository can be read, and says how to do each step by hand."""
    runbook = load_runbook(path.stem, RUNBOOKS)
    assert all(step.by_hand for step in runbook.steps)
    if path.stem in PROCEDURES:
        runbook.must_match(PROCEDURES[path.stem].steps)


@pytest.mark.parametrize(
    ("old", "new", "what", "line"),
    [
        ("---\nprocedure", "procedure", "no front matter", "1"),
        ("rto: 2h", "rto: -2h", "rto: a duration such as", "3"),
        ("rto: 2h", "rto: .nan", "rto: a duration such as", "3"),
        ("rpo: 90m", "rp0: 90m", "rpo: is missing", "2"),
        ("rpo: 90m", "rpo: 90m\nautomtic: true", "unknown key 'automtic'; did you mean 'automatic'?", "5"),
        ("# The title", "The title", "no title", "6"),
        ("## first-step", "## First step", "a step's heading is an imperative in kebab case", "10"),
        ("## second-step", "## first-step", "the step 'first-step' stands twice", "10"),
        ("detect · data · 30s", "detect · data", "the line after a step's heading says", "11"),
        ("detect · data", "notice · data", "a step's facts cannot be read", "11"),
        ("· 30s", "· soon", "a step's facts cannot be read", "11"),
        ("Do it.", "", "second-step: says nothing about how to do it by hand", "18"),
    ],
)
def test_mistakes(old: str, new: str, what: str, line: str) -> None:
    """E14: each mistake is refused with its line."""
    said, at = refusal(GOOD.replace(old, new))
    assert said.startswith(what)
    assert at == line


def test_no_steps() -> None:
    """A runbook without steps is none."""
    assert refusal(GOOD.partition("## first")[0])[0] == "no steps"


def test_digest_is_of_the_file() -> None:
    """Any change of the text is another runbook."""
    assert parse_runbook(GOOD, WHERE).digest != parse_runbook(GOOD + "\n", WHERE).digest


@pytest.mark.parametrize(
    "steps", [(), ("first-step",), ("second-step", "first-step"), ("first-step", "second-step", "third-step")]
)
def test_flow_that_does_otherwise(steps: tuple[str, ...]) -> None:
    """A flow whose steps are not exactly the runbook's is refused."""
    with pytest.raises(RunbookInvalid):
        parse_runbook(GOOD, WHERE).must_match(steps)


def test_stricter_objective_counts() -> None:
    """Of two promises the stricter one is measured."""
    objectives = parse_runbook(GOOD, WHERE).objectives_for(load_site(LAB))
    assert objectives == Objectives(timedelta(hours=2), timedelta(hours=1))


def test_unknown_procedure() -> None:
    """A name that is none lists those that are."""
    with pytest.raises(InputError, match="no procedure 'cdn-failure'") as caught:
        load_runbook("cdn-failure", RUNBOOKS)
    assert "cdn-failover" in caught.value.expected


def test_name_and_file_differ(tmp_path: Path) -> None:
    """A file is not carried out under another procedure's name."""
    (tmp_path / "other.md").write_text(GOOD, encoding="utf-8")
    with pytest.raises(RunbookInvalid, match="file name and procedure differ"):
        load_runbook("other", tmp_path)
