"""``export``: what a site is made of, in the words of other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from defib.cli.options import REDACT, AsJson, SiteName

export_app = typer.Typer(
    help="Write what a site is made of in the words of other tools.", no_args_is_help=True, rich_markup_mode=None
)


@export_app.callback()
def _group() -> None:
    """Write what a site is made of in the words of other tools."""


@export_app.command()
def terraform(
    site: SiteName,
    to: Annotated[str, typer.Option("--to", metavar="FILE", help="Write a file instead of printing.")] = "",
) -> int:
    """Print the standby on AWS as Terraform. Asks nobody: it is what the site file says, not what stands."""
    from defib.cli.desk import desk  # noqa: PLC0415
    from defib.cli.say import aside, say  # noqa: PLC0415
    from defib.clock import SystemClock  # noqa: PLC0415
    from defib.errors import InputError  # noqa: PLC0415
    from defib.providers.standby.terraform import terraform as written  # noqa: PLC0415
    from defib.redeploy.groundwork import groundwork  # noqa: PLC0415
    from defib.redeploy.place import host_of  # noqa: PLC0415
    from defib.sites.site import load_site  # noqa: PLC0415

    known = load_site(desk(SystemClock(), REDACT).site_path(site))
    text = written(groundwork(known, host_of(known)))
    if not to:
        say(text.rstrip("\n"))
        return 0
    try:
        Path(to).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError("the file cannot be written", where=to, seen=error.strerror or str(error)) from error
    aside(f"written to {to}; next: terraform init, terraform plan")
    return 0


@export_app.command()
def iam(
    site: SiteName,
    procedure: Annotated[str, typer.Option("--procedure", "-p", help="Only this one; also readiness, release-prune.")] = "",
    account: Annotated[str, typer.Option(metavar="NUMBER", help="The AWS account, which most site files do not name.")] = "",
    kms_key: Annotated[
        list[str] | None, typer.Option(metavar="ARN", help="A key of your own that buckets are encrypted with.")
    ] = None,
    to: Annotated[str, typer.Option("--to", metavar="FOLDER", help="Write a file for each policy.")] = "",
    as_json: AsJson = False,
) -> int:
    """Print the least that credentials must be allowed.

    IAM policies, and the scopes of tokens. Asks nobody.
    """
    from defib.cli import privileges  # noqa: PLC0415

    at = privileges.At(account, tuple(kms_key or ()))
    return privileges.iam(REDACT, site, procedure, at, to, as_json=as_json)
