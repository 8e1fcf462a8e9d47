"""``release …``: a site's last resort, with its options; what is done stands in the modules that it imports."""

from __future__ import annotations

from typing import Annotated

import typer

from defib.objectives import Mode
from defib.redact import Redactor

release_app = typer.Typer(help="What the last resort of a site serves.", no_args_is_help=True, rich_markup_mode=None)


@release_app.callback()
def _releases() -> None:
    """What the last resort of a site serves."""


@release_app.command("prune")
def prune(
    site: Annotated[str, typer.Option("--site", "-s", help="A site file's name, or a path to one.")],
    yes: Annotated[bool, typer.Option("--yes", help="Remove them; without it they are only listed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of lines for people.")] = False,
) -> int:
    """List, or remove, the releases that nobody needs any more; the live one and the one before it never go."""
    from defib.cli import shelf  # noqa: PLC0415

    return shelf.prune(Redactor(), site, remove_them=yes, as_json=as_json)


@release_app.command("rollback")
def rollback(
    site: Annotated[str, typer.Option("--site", "-s", help="A site file's name, or a path to one.")],
    rehearsal: Annotated[bool, typer.Option("--rehearsal", help="In the lab: without asking anybody.")] = False,
    since: Annotated[str, typer.Option(help="When users first got the bad release (ISO 8601), if known.")] = "",
    approve: Annotated[str, typer.Option(metavar="DIGEST", help="Approve exactly the plan with this digest.")] = "",
    no_prefect: Annotated[bool, typer.Option("--no-prefect", help="Do not even ask whether Prefect is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of lines for people.")] = False,
) -> int:
    """Serve the release before the live one: one write, and no upload."""
    from defib.cli import recover  # noqa: PLC0415

    asked = recover.Asked(Redactor(), as_json, not no_prefect, approve)
    return recover.run(asked, "release-rollback", site, Mode.REHEARSAL if rehearsal else Mode.INCIDENT, since)
