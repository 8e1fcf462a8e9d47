"""``approve`` and ``stop``: what is said to a run from another terminal than its own."""

from __future__ import annotations

from typing import Annotated

import typer

from defib.cli.options import REDACT, AsJson, RunId

elsewhere_app = typer.Typer(rich_markup_mode=None)


@elsewhere_app.command()
def approve(
    run_id: RunId,
    digest: Annotated[
        str, typer.Option("--digest", metavar="DIGEST", help="Approve exactly the plan with this digest.")
    ] = "",
    refuse: Annotated[bool, typer.Option("--refuse", help="Say no; the run changes nothing.")] = False,
    note: Annotated[str, typer.Option("--note", help="Why, for the journal.")] = "",
    as_json: AsJson = False,
) -> int:
    """Answer a run that waits for an approval.

    Without --digest and --refuse it shows what waits, and answers nothing.
    """
    from defib.cli import answering  # noqa: PLC0415

    return answering.approve(REDACT, run_id, digest, note, refuse=refuse, as_json=as_json)


@elsewhere_app.command()
def stop(run_id: RunId, as_json: AsJson = False) -> int:
    """Stop a run that is under way, in good order.

    Nothing is undone by that: defib resume goes on with it, defib rollback puts it back.
    """
    from defib.cli import answering  # noqa: PLC0415

    return answering.stop(run_id, as_json=as_json)
