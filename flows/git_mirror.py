"""Bring what every repository has at its source to all mirrors, and lose nothing. Reads like ``runbooks/git-mirror.md``."""

from __future__ import annotations

from collections.abc import Sequence

from defib.mirror import exporting, losses, mirroring
from defib.mirror.copies import Copy
from defib.plan import Plan
from defib.run import Lasts, Run, Step
from flows.engine import Procedure, step


@step("ask-the-remotes", Lasts.NEVER)
def ask_the_remotes(at: Step, copies: Sequence[Copy]) -> None:
    """What every remote holds, by its own answer; an emptied source is refused."""
    mirroring.ask_everybody(at, copies)


@step("take-in-the-source", Lasts.NEVER)
def take_in_the_source(at: Step, copies: Sequence[Copy]) -> None:
    """What the source has comes into the local store, beside the local copy, which it does not touch yet."""
    mirroring.take_in(at, copies)


@step("send-what-is-new", Lasts.NEVER)
def send_what_is_new(at: Step, copies: Sequence[Copy]) -> None:
    """New and advanced refs go to every mirror at once, without force."""
    mirroring.send_what_is_new(at, copies)


@step("approve-the-losses", Lasts.ONCE_CHANGED)
def approve_the_losses(at: Step, copies: Sequence[Copy]) -> Plan:
    """What was deleted or moved back at the source, each ref before and after; above the threshold a person decides."""
    return losses.plan_of_losses(at, copies)


@step("archive-and-follow", Lasts.NEVER)
def archive_and_follow(at: Step, copies: Sequence[Copy], plan: Plan) -> None:
    """The old tips stay under a dated ref, and only then do mirrors follow."""
    losses.follow(at, copies, plan)


@step("keep-the-bundles", Lasts.NEVER)
def keep_the_bundles(at: Step, copies: Sequence[Copy]) -> None:
    """What may be built with no remote alive."""
    mirroring.keep_bundles(at, copies)


@step("export-the-settings", Lasts.NEVER)
def export_the_settings(at: Step, copies: Sequence[Copy]) -> None:
    """What Git does not carry, by the vendors' APIs."""
    exporting.export_settings(at, copies)


@step("compare-the-remotes", Lasts.NEVER)
def compare_the_remotes(at: Step, copies: Sequence[Copy]) -> None:
    """Ref by ref, from their own answers; how far each mirror is behind is the recovery point."""
    mirroring.compare(at, copies)


def play(run: Run) -> None:
    """The procedure, step by step."""
    copies = mirroring.copies_of(run)
    ask_the_remotes(run, copies)
    take_in_the_source(run, copies)
    send_what_is_new(run, copies)
    plan = approve_the_losses(run, copies)
    archive_and_follow(run, copies, plan)
    keep_the_bundles(run, copies)
    export_the_settings(run, copies)
    compare_the_remotes(run, copies)


def stays(_: Run) -> str:
    """Why what mirrors followed is not taken back where something else fails: nothing was lost by it."""
    return "the old tips stand under their dated refs; defib rollback puts the refs back"


PROCEDURE = Procedure(
    name="git-mirror",
    steps=(
        "ask-the-remotes",
        "take-in-the-source",
        "send-what-is-new",
        "approve-the-losses",
        "archive-and-follow",
        "keep-the-bundles",
        "export-the-settings",
        "compare-the-remotes",
    ),
    play=play,
    may_undo=stays,
)
