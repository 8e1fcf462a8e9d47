"""``kill-switch``: keep everything automatic from starting."""

from __future__ import annotations

from typing import Annotated

import typer

from defib.cli.options import AsJson

switch_app = typer.Typer(help="Keep everything automatic from starting.", no_args_is_help=True, rich_markup_mode=None)

_SwitchSite = Annotated[str, typer.Option("--site", "-s", help="Only for this site; for all sites otherwise.")]


@switch_app.command("on")
def switch_on(why: str, site: _SwitchSite = "", as_json: AsJson = False) -> int:
    """Set the switch: detection goes on, and nothing acts by itself."""
    from defib.cli import switch  # noqa: PLC0415

    return switch.on(site, why, as_json=as_json)


@switch_app.command("off")
def switch_off(why: str, site: _SwitchSite = "", as_json: AsJson = False) -> int:
    """Clear the switch."""
    from defib.cli import switch  # noqa: PLC0415

    return switch.off(site, why, as_json=as_json)


@switch_app.command("status")
def switch_status(site: _SwitchSite = "", as_json: AsJson = False) -> int:
    """Say whether the switch is on, since when, by whom and why."""
    from defib.cli import switch  # noqa: PLC0415

    return switch.status(site, as_json=as_json)
