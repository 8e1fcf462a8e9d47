"""``lab``: the small internet on this machine, to rehearse on."""

from __future__ import annotations

from typing import Annotated

import typer

from defib.cli.options import AsJson
from defib.lab.plan import DEFAULT_NET

lab_app = typer.Typer(
    help="The small internet on this machine, to rehearse on.", no_args_is_help=True, rich_markup_mode=None
)


@lab_app.command("up")
def lab_up(
    net: Annotated[str, typer.Option(help="The first two octets of its addresses, 127.2 to 127.254.")] = DEFAULT_NET,
    as_json: AsJson = False,
) -> int:
    """Start the lab in the background."""
    from defib.cli import labs  # noqa: PLC0415

    return labs.up(net, as_json=as_json)


@lab_app.command("down")
def lab_down(as_json: AsJson = False) -> int:
    """Stop the lab."""
    from defib.cli import labs  # noqa: PLC0415

    return labs.down(as_json=as_json)


@lab_app.command("status")
def lab_status(as_json: AsJson = False) -> int:
    """Show what can be broken, and what is."""
    from defib.cli import labs  # noqa: PLC0415

    return labs.status(as_json=as_json)


@lab_app.command("break")
def lab_break(
    target: str,
    fault: str,
    options: Annotated[
        list[str] | None, typer.Option("--with", metavar="NAME=NUMBER", help="An option of the fault.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Break one part of the lab."""
    from defib.cli import labs  # noqa: PLC0415

    return labs.break_(target, fault, options or (), as_json=as_json)


@lab_app.command("heal")
def lab_heal(target: Annotated[str, typer.Argument()] = "", as_json: AsJson = False) -> int:
    """Heal one part of the lab, or all of it."""
    from defib.cli import labs  # noqa: PLC0415

    return labs.heal(target, as_json=as_json)


@lab_app.command("inbox")
def lab_inbox(as_json: AsJson = False) -> int:
    """Show the alerts that arrived in the lab."""
    from defib.cli import labs  # noqa: PLC0415

    return labs.inbox(as_json=as_json)
