"""``assets``: the buckets of a site and what they held."""

from __future__ import annotations

from enum import StrEnum
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

assets_app = typer.Typer(help="The buckets of a site.", no_args_is_help=True, rich_markup_mode=None)


class Side(StrEnum):
    """Whose versions tell of the past."""

    SOURCE = "source"
    REPLICA = "replica"


@assets_app.callback()
def _assets() -> None:
    """The buckets of a site."""


@assets_app.command("restore")
def restore(
    site: SiteName,
    at: Annotated[str, typer.Option("--at", metavar="TIME", help="The last moment at which all was well, ISO 8601.")],
    pair: Annotated[str, typer.Option(help="Which pair of buckets, where the site has several.")] = "",
    prefix: Annotated[str, typer.Option(help="Only the objects whose keys begin so.")] = "",
    side: Annotated[
        Side, typer.Option("--from", help="Whose versions tell of the past; that side is restored, unless --into.")
    ] = Side.SOURCE,
    into: Annotated[
        str,
        typer.Option(metavar="BUCKET", help="Where it is put: source, replica, or one of restore_into in the site file."),
    ] = "",
    since: Annotated[str, typer.Option(help="When users got wrong objects first, ISO 8601: the RTO begins there.")] = "",
    mode: ModeOption = RunMode.INCIDENT,
    approve: Approve = "",
    await_approval: AwaitApproval = False,
    plan_only: Annotated[bool, typer.Option("--plan", help="Only show what would change, and its digest.")] = False,
    force: Force = False,
    no_prefect: NoPrefect = False,
    trigger: Trigger = "",
    as_json: AsJson = False,
) -> int:
    """Make the objects what they were at a moment.

    From the versions that the bucket keeps, as new versions: nothing is written over, and defib rollback takes it back.
    """
    from defib.cli import planning, recover  # noqa: PLC0415
    from defib.cli.desk import parse_moment  # noqa: PLC0415
    from defib.copyentries import PastWanted  # noqa: PLC0415

    past = PastWanted(pair, parse_moment("--at", at), prefix, side.value, into)
    if plan_only:
        return planning.plan(REDACT, "asset-restore", site, as_json=as_json, forced=force, past=past)
    asked = recover.Asked(REDACT, as_json, not no_prefect, approve, await_approval, trigger)
    return recover.run(asked, "asset-restore", site, Mode(mode.value), since, forced=force, past=past)
