"""The options that commands have in common, and the one redactor of the process: what one part learns, all keep secret."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from defib.objectives import Mode
from defib.redact import Redactor

REDACT = Redactor()

Procedure = Annotated[str, typer.Argument(help="The name of a runbook, such as cdn-failover.")]
RunId = Annotated[str, typer.Argument(help="A run's id, or an unambiguous beginning or end of it; see: defib runs.")]
SiteName = Annotated[str, typer.Option("--site", "-s", help="A site file's name, or a path to one.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of lines for people.")]
NoPrefect = Annotated[bool, typer.Option("--no-prefect", help="Do not even ask whether Prefect is there.")]
Approve = Annotated[str, typer.Option("--approve", metavar="DIGEST", help="Approve exactly the plan with this digest.")]
AwaitApproval = Annotated[
    bool, typer.Option("--await-approval", help="Wait, as long as the step may, for defib approve from anywhere else.")
]
Trigger = Annotated[str, typer.Option("--trigger", hidden=True)]
Commit = Annotated[str, typer.Option("--commit", metavar="ID", help="Build this commit of those that the remotes hold.")]
Force = Annotated[bool, typer.Option("--force", help="Go on where a guard would refuse; the journal says so.")]


class RunMode(StrEnum):
    """The modes in which a run can change something."""

    INCIDENT = Mode.INCIDENT.value
    REHEARSAL = Mode.REHEARSAL.value


ModeOption = Annotated[RunMode, typer.Option("--mode", help="incident for the real thing; rehearsal for the lab.")]
