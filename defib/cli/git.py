"""``git``: the repositories of a site."""

from __future__ import annotations

from typing import Annotated

import typer

from defib.cli.options import (
    REDACT,
    Approve,
    AsJson,
    AwaitApproval,
    Force,
    ModeOption,
    NoPrefect,
    RunMode,
    SiteName,
    Trigger,
)
from defib.objectives import Mode

git_app = typer.Typer(help="The repositories of a site.", no_args_is_help=True, rich_markup_mode=None)


@git_app.callback()
def _repositories() -> None:
    """The repositories of a site."""


@git_app.command("promote")
def promote(
    site: SiteName,
    to: Annotated[str, typer.Option("--to", metavar="REMOTE", help="The mirror that is to be the source.")],
    repository: Annotated[str, typer.Option(help="Which repository; the one that the site is built from by default.")] = "",
    mode: ModeOption = RunMode.INCIDENT,
    approve: Approve = "",
    await_approval: AwaitApproval = False,
    plan_only: Annotated[bool, typer.Option("--plan", help="Only show what would change, and its digest.")] = False,
    force: Force = False,
    no_prefect: NoPrefect = False,
    trigger: Trigger = "",
    as_json: AsJson = False,
) -> int:
    """Take a repository from one of its mirrors.

    After the loss of its source; the same command takes it back.
    """
    from defib.cli import planning, recover  # noqa: PLC0415

    promoted = f"{repository or recover.own_repository(REDACT, site)}@{to}"
    if plan_only:
        return planning.plan(REDACT, "git-promote", site, as_json=as_json, forced=force, promoted=promoted)
    asked = recover.Asked(REDACT, as_json, not no_prefect, approve, await_approval, trigger)
    return recover.run(asked, "git-promote", site, Mode(mode.value), "", forced=force, promoted=promoted)
