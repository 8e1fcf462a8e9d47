"""Runbooks: one recovery procedure as a person reads it, in Markdown with front matter.

::

    ---
    procedure: cdn-failover
    rto: 4h
    rpo: 1h
    automatic: true
    ---
    # What it is for

    ## confirm-the-outage
    detect · data · 30s

    How to do this step by hand.

The line after a step's heading says its phase, its plane and its budget. Every ``##`` heading is a step; other headings
are ``#`` or ``###``. The steps of the flow and the headings must be the same, in the same order.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from defib.about import About, about
from defib.errors import InputError, RunbookInvalid
from defib.objectives import Objectives, Phase, Plane
from defib.sites.site import Site
from defib.sites.values import Duration, parse_duration
from defib.sites.vendors import AwsHost, CdnOfSite, HostOfSite
from defib.yamlfile import parse_model

Word = TypeVar("Word", bound=StrEnum)


class _FrontMatter(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    procedure: Annotated[str, Field(pattern=r"^[a-z]+(-[a-z]+)*$")]
    rto: Duration
    rpo: Duration
    automatic: bool = False
    against: Literal["", "cdn", "host", "hosts"] = ""


@dataclass(frozen=True)
class RunbookStep:
    """One step as promised: what its time is spent on, what it depends on, how long it may take, how to do it by hand."""

    name: str
    phase: Phase
    plane: Plane
    budget: timedelta
    by_hand: str
    line: int


@dataclass(frozen=True)
class Runbook:
    """One procedure as a person reads it. `automatic` allows detection to start it without an approval.

    `against` is whose failure it answers: that of the primary ``cdn``, of the primary ``host``, of all ``hosts`` but the
    last resort, or "" nobody's.
    """

    procedure: str
    title: str
    objectives: Objectives
    automatic: bool
    against: str
    steps: tuple[RunbookStep, ...]
    path: Path
    text: str

    @property
    def digest(self) -> str:
        """SHA-256 of the file as it is."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def step(self, name: str) -> RunbookStep:
        """The step of that name; :class:`RunbookInvalid` when there is none."""
        for step in self.steps:
            if step.name == name:
                return step
        raise RunbookInvalid(
            f"the flow has a step {name!r} that the runbook lacks",
            where=str(self.path),
            expected=f"a heading '## {name}'",
            seen=", ".join(step.name for step in self.steps),
        )

    def must_match(self, flow_steps: Sequence[str]) -> None:
        """Refuse a flow whose steps are not exactly this runbook's, in this order."""
        for name in flow_steps:
            self.step(name)
        for position, step in enumerate(self.steps):
            if position >= len(flow_steps) or flow_steps[position] != step.name:
                flow = flow_steps[position] if position < len(flow_steps) else "nothing"
                raise RunbookInvalid(
                    f"the runbook's step {position + 1} is {step.name!r}, the flow's is {flow!r}",
                    where=f"{self.path}:{step.line}",
                    expected=", ".join(flow_steps),
                )

    def primary_of(self, site: Site) -> CdnOfSite | HostOfSite:
        """What fails where this procedure is the answer; :class:`InputError` where the site has no such thing."""
        if not self.against:
            raise InputError(f"{self.procedure} answers no failure of its own", then="defib plan cdn-failover")
        return site.primary if self.against == "cdn" else site.primary_host

    def failing(self, site: Site, fault: str) -> tuple[tuple[str, str], ...]:
        """What a drill breaks, and how: vendors as `fault` says; with all hosts, the first Git remote refuses, too.

        Of repositories it is the source of the one that the site is built from, of assets S3's replication.
        """
        what = about(self.procedure)
        if what is About.ASSETS:
            return (("s3-replication", fault),) if site.replication else ()
        if what is About.REPOSITORIES:
            return ((site.git.taken_from().name, fault),) if site.git else ()
        if self.against != "hosts":
            return ((self.primary_of(site).provider, fault),)
        hosts = [(host.provider, fault) for host in site.hosts if not isinstance(host, AwsHost)]
        return (*hosts, *((remote.name, "refuse") for remote in (site.git.remotes[:1] if site.git else ())))

    def objectives_for(self, site: Site) -> Objectives:
        """The stricter of what the runbook and the site file promise."""
        signed = site.objectives.objectives()
        return Objectives(rto=min(signed.rto, self.objectives.rto), rpo=min(signed.rpo, self.objectives.rpo))


def load_runbook(procedure: str, folder: Path) -> Runbook:
    """The runbook of `procedure`; raises :class:`RunbookInvalid` with file and line, or InputError if there is none."""
    path = folder / f"{procedure}.md"
    if not path.is_file():
        known = sorted(file.stem for file in folder.glob("*.md"))
        raise InputError(
            f"there is no procedure {procedure!r}",
            where=str(folder),
            expected=f"one of: {', '.join(known)}",
            then="defib --help",
        )
    runbook = parse_runbook(path.read_text(encoding="utf-8"), path)
    if runbook.procedure != procedure:
        raise RunbookInvalid("file name and procedure differ", where=f"{path}:1", expected=procedure, seen=runbook.procedure)
    return runbook


def parse_runbook(text: str, path: Path) -> Runbook:
    """A runbook from its text; `path` is for messages."""
    lines = text.splitlines()
    if not lines or lines[0].strip() != "---" or "---" not in [line.strip() for line in lines[1:]]:
        raise RunbookInvalid("no front matter", where=f"{path}:1", expected="a first line '---', keys, and '---'")
    end = next(number for number, line in enumerate(lines[1:], start=1) if line.strip() == "---")
    front = parse_model("\n".join(lines[1:end]), str(path), _FrontMatter, RunbookInvalid, first_line=2)
    title = next((line[2:].strip() for line in lines[end + 1 :] if line.startswith("# ")), "")
    if not title:
        raise RunbookInvalid("no title", where=f"{path}:{end + 2}", expected="a line '# …' after the front matter")
    return Runbook(
        procedure=front.procedure,
        title=title,
        objectives=Objectives(rto=front.rto, rpo=front.rpo),
        automatic=front.automatic,
        against=front.against,
        steps=_steps(lines, end + 1, path),
        path=path,
        text=text,
    )


def _steps(lines: list[str], start: int, path: Path) -> tuple[RunbookStep, ...]:
    headings = [number for number in range(start, len(lines)) if lines[number].startswith("## ")]
    if not headings:
        raise RunbookInvalid("no steps", where=f"{path}:{len(lines)}", expected="a heading '## step-name' a step")
    ends = [*headings[1:], len(lines)]
    steps = tuple(_step(lines, first, last, path) for first, last in zip(headings, ends, strict=True))
    for step in steps:
        if [other.name for other in steps].count(step.name) > 1:
            raise RunbookInvalid(f"the step {step.name!r} stands twice", where=f"{path}:{step.line}")
    return steps


def _step(lines: list[str], first: int, last: int, path: Path) -> RunbookStep:
    name = lines[first][3:].strip()
    if not re.fullmatch(r"[a-z]+(-[a-z]+)*", name):
        raise RunbookInvalid("a step's heading is an imperative in kebab case", where=f"{path}:{first + 1}", seen=name)
    facts = next((number for number in range(first + 1, last) if lines[number].strip()), first)
    phase, plane, budget = _facts(lines[facts], f"{path}:{facts + 1}")
    by_hand = "\n".join(lines[facts + 1 : last]).strip()
    if not by_hand:
        raise RunbookInvalid(f"{name}: says nothing about how to do it by hand", where=f"{path}:{facts + 1}")
    return RunbookStep(name, phase, plane, budget, by_hand, first + 1)


def _facts(line: str, where: str) -> tuple[Phase, Plane, timedelta]:
    parts = [part.strip() for part in line.split("·")]
    if len(parts) != 3:  # noqa: PLR2004 - the three that are named next
        raise RunbookInvalid(
            "the line after a step's heading says phase, plane and budget",
            where=where,
            expected="such as: act · control · 2m",
            seen=line.strip() or "nothing",
        )
    try:
        return _word(Phase, parts[0]), _word(Plane, parts[1]), parse_duration(parts[2])
    except ValueError as error:
        raise RunbookInvalid("a step's facts cannot be read", where=where, expected=str(error), seen=line.strip()) from error


def _word(words: type[Word], text: str) -> Word:
    try:
        return words(text)
    except ValueError as error:
        raise ValueError(f"one of {', '.join(words)}, not {text!r}") from error
