"""``host …``: the hosting platforms of a site, with their options; what is done stands in the module that it imports."""

from __future__ import annotations

from typing import Annotated

import typer

from defib.cli.options import REDACT, AsJson, SiteName

host_app = typer.Typer(help="The hosting platforms of a site.", no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(metavar="HOST", help="Its name in the site file, such as netlify.")]


@host_app.callback()
def _platforms() -> None:
    """The hosting platforms of a site."""


@host_app.command("show")
def show(site: SiteName, as_json: AsJson = False) -> int:
    """Say what each platform says of the site; changes nothing.

    What is live, since when and from which commit; which names are attached, verified and certified; whether the account may
    serve. Exit code 1 where users could not be sent to one of them, 6 where one does not answer.
    """
    from defib.cli import hosting  # noqa: PLC0415

    return hosting.show(REDACT, site, as_json=as_json)


@host_app.command("attach")
def attach(
    name: Name,
    site: SiteName,
    yes: Annotated[bool, typer.Option("--yes", help="Attach them; without it they are only listed.")] = False,
    as_json: AsJson = False,
) -> int:
    """Attach the site's names that are not there.

    The platform is asked to verify them, and for their certificates. It does so as far as it can: what it says is shown.
    """
    from defib.cli import hosting  # noqa: PLC0415

    return hosting.attach(REDACT, site, name, do=yes, as_json=as_json)


@host_app.command("publish")
def publish(
    name: Name,
    deployment: Annotated[str, typer.Argument(metavar="DEPLOYMENT", help="The platform's id of an earlier deployment.")],
    site: SiteName,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without it only what would change is shown.")] = False,
    as_json: AsJson = False,
) -> int:
    """Make an earlier deployment the live one at a platform.

    Users who are there get it at once. The same command takes it back.
    """
    from defib.cli import hosting  # noqa: PLC0415

    return hosting.publish(REDACT, site, name, deployment, do=yes, as_json=as_json)
