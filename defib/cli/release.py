"""``release …``: a site's last resort, with its options; what is done stands in the modules that it imports."""

from __future__ import annotations

from typing import Annotated

import typer

from defib.cli.options import REDACT, Approve, AsJson, AwaitApproval, ModeOption, NoPrefect, RunMode, SiteName, Trigger
from defib.objectives import Mode

release_app = typer.Typer(help="What the last resort of a site serves.", no_args_is_help=True, rich_markup_mode=None)


@release_app.callback()
def _releases() -> None:
    """What the last resort of a site serves."""


@release_app.command("prune")
def prune(
    site: SiteName,
    yes: Annotated[bool, typer.Option("--yes", help="Remove them; without it they are only listed.")] = False,
    as_json: AsJson = False,
) -> int:
    """List, or remove, the releases that nobody needs any more; the live one and the one before it never go."""
    from defib.cli import shelf  # noqa: PLC0415

    return shelf.prune(REDACT, site, remove_them=yes, as_json=as_json)


@release_app.command("rollback")
def rollback(
    site: SiteName,
    mode: ModeOption = RunMode.INCIDENT,
    since: Annotated[str, typer.Option(help="When users first got the bad release (ISO 8601), if known.")] = "",
    approve: Approve = "",
    await_approval: AwaitApproval = False,
    no_prefect: NoPrefect = False,
    trigger: Trigger = "",
    as_json: AsJson = False,
) -> int:
    """Serve the release before the live one: one write, and no upload."""
    from defib.cli import recover  # noqa: PLC0415

    asked = recover.Asked(REDACT, as_json, not no_prefect, approve, await_approval, trigger)
    return recover.run(asked, "release-rollback", site, Mode(mode.value), since)
