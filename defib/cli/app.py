"""Every command with its options; what it does stands in the module that it imports when it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from defib.cli.alarms import alarms_app
from defib.cli.assets import assets_app
from defib.cli.elsewhere import elsewhere_app
from defib.cli.export import export_app
from defib.cli.git import git_app
from defib.cli.guard import guarded
from defib.cli.host import host_app
from defib.cli.kill_switch import switch_app
from defib.cli.lab import lab_app
from defib.cli.options import (
    REDACT,
    Approve,
    AsJson,
    AwaitApproval,
    Commit,
    Force,
    ModeOption,
    NoPrefect,
    Procedure,
    RunId,
    RunMode,
    SiteName,
    Trigger,
)
from defib.cli.release import release_app
from defib.cli.service import down, up
from defib.lab.plan import DEFAULT_NET
from defib.objectives import Mode

app = typer.Typer(
    name="defib",
    help="Disaster recovery for web properties that runs, is timed, and proves itself.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(lab_app, name="lab")
app.add_typer(switch_app, name="kill-switch")
app.add_typer(export_app, name="export")
app.add_typer(release_app, name="release")
app.add_typer(host_app, name="host")
app.add_typer(git_app, name="git")
app.add_typer(assets_app, name="assets")
app.add_typer(alarms_app)
app.add_typer(elsewhere_app)


@app.command()
def plan(procedure: Procedure, site: SiteName, commit: Commit = "", force: Force = False, as_json: AsJson = False) -> int:
    """Say what is wrong and what would change; reads only.

    The plan comes with the digest to approve it with.
    """
    from defib.cli import planning  # noqa: PLC0415

    return planning.plan(REDACT, procedure, site, as_json=as_json, forced=force, commit=commit)


@app.command()
def run(
    procedure: Procedure,
    site: SiteName,
    mode: ModeOption = RunMode.INCIDENT,
    approve: Approve = "",
    await_approval: AwaitApproval = False,
    since: Annotated[str, typer.Option(help="When users first lost service, ISO 8601 with a time zone.")] = "",
    commit: Commit = "",
    force: Force = False,
    no_prefect: NoPrefect = False,
    trigger: Trigger = "",
    down_at: Annotated[str, typer.Option(hidden=True)] = "",
    automatic: Annotated[bool, typer.Option(hidden=True)] = False,
    as_json: AsJson = False,
) -> int:
    """Carry out a procedure."""
    from defib.cli import recover  # noqa: PLC0415

    asked = recover.Asked(REDACT, as_json, not no_prefect, approve, await_approval, trigger)
    return recover.run(
        asked, procedure, site, Mode(mode.value), since, "", down_at, forced=force, automatic=automatic, commit=commit
    )


@app.command()
def mirror(site: SiteName, no_prefect: NoPrefect = False, as_json: AsJson = False) -> int:
    """Bring every repository to all of its mirrors.

    As it is done every 15 minutes: nothing is lost by it without a person.
    """
    from defib.cli import recover  # noqa: PLC0415

    asked = recover.Asked(REDACT, as_json, not no_prefect)
    return recover.run(asked, "git-mirror", site, Mode.INCIDENT, "", "by schedule", automatic=True)


@app.command()
def replicas(site: SiteName, no_prefect: NoPrefect = False, as_json: AsJson = False) -> int:
    """Compare every replica of a bucket with its source.

    As it is done every 15 minutes: every version, how old what is missing is, and how long an object takes to arrive.
    """
    from defib.cli import recover  # noqa: PLC0415

    asked = recover.Asked(REDACT, as_json, not no_prefect)
    return recover.run(asked, "replication-check", site, Mode.INCIDENT, "", "by schedule", automatic=True)


@app.command()
def resume(
    run_id: RunId,
    approve: Approve = "",
    await_approval: AwaitApproval = False,
    no_prefect: NoPrefect = False,
    as_json: AsJson = False,
) -> int:
    """Bring a run that was killed or interrupted to its end."""
    from defib.cli import recover  # noqa: PLC0415

    return recover.resume(recover.Asked(REDACT, as_json, not no_prefect, approve, await_approval), run_id)


@app.command()
def rollback(run_id: RunId, as_json: AsJson = False) -> int:
    """Put back what a run changed."""
    from defib.cli import recover  # noqa: PLC0415

    return recover.rollback(recover.Asked(REDACT, as_json), run_id)


@app.command()
def failback(
    run_id: RunId,
    mode: ModeOption = RunMode.INCIDENT,
    approve: Approve = "",
    await_approval: AwaitApproval = False,
    plan_only: Annotated[bool, typer.Option("--plan", help="Only show what would change, and its digest.")] = False,
    force: Force = False,
    no_prefect: NoPrefect = False,
    trigger: Trigger = "",
    as_json: AsJson = False,
) -> int:
    """Go back to the primary after a recovery."""
    from defib.cli import planning, recover  # noqa: PLC0415

    if plan_only:
        return planning.plan(REDACT, "failback", "", run_id, as_json=as_json, forced=force)
    asked = recover.Asked(REDACT, as_json, not no_prefect, approve, await_approval, trigger)
    return recover.failback(asked, run_id, Mode(mode.value), forced=force)


@app.command()
def drill(
    procedure: Procedure,
    site: SiteName,
    fault: Annotated[str, typer.Option(help="How it fails; see: defib lab status. Left out: as it usually does.")] = "",
    net: Annotated[str, typer.Option(help="The network of the lab, if one has to be started.")] = DEFAULT_NET,
    live: Annotated[bool, typer.Option("--live", help="Break nothing, and move the users of a site in earnest.")] = False,
    approve: Approve = "",
    await_approval: AwaitApproval = False,
    no_prefect: NoPrefect = False,
    as_json: AsJson = False,
) -> int:
    """Rehearse a recovery in the lab, there and back.

    Break the primary, let it be noticed, recover, fail back, and prove that nothing is left. With --live nothing breaks:
    users are sent the procedure's way while they are served, with the same proofs and approval, and defib failback takes
    them back.
    """
    from defib.cli import drills, recover  # noqa: PLC0415

    if live:
        asked = recover.Asked(REDACT, as_json, not no_prefect, approve, await_approval)
        return recover.run(asked, procedure, site, Mode.INCIDENT, "", "live drill", live=True)
    return drills.drill(recover.Asked(REDACT, as_json, not no_prefect), procedure, site, fault, net)


@app.command()
def drills(
    site: SiteName,
    html: Annotated[str, typer.Option("--html", metavar="FILE", help="Also write them as one page, with pictures.")] = "",
    hold: Annotated[
        bool, typer.Option("--hold", help="Hold the drill that is due now, if any; for an hourly schedule.")
    ] = False,
    net: Annotated[str, typer.Option(help="The network of the lab, if one has to be started.")] = DEFAULT_NET,
    trigger: Annotated[str, typer.Option(hidden=True)] = "",
    no_prefect: NoPrefect = False,
    as_json: AsJson = False,
) -> int:
    """List the drills of a site, and when the next are due.

    With --hold, what was missed is recorded and told, and what is due by the calendar of the site file is held; the exit
    code is then the drill's.
    """
    from defib.cli import drillbook, recover  # noqa: PLC0415

    if hold:
        return drillbook.hold(recover.Asked(REDACT, as_json, not no_prefect), site, net, trigger)
    return drillbook.show(REDACT, site, html, as_json=as_json)


@app.command()
def fleet(
    procedure: Procedure,
    sites: Annotated[str, typer.Option(metavar="PATTERN", help="A folder of site files, or a pattern of paths or names.")],
    mode: ModeOption = RunMode.INCIDENT,
    approve: Annotated[str, typer.Option(metavar="DIGEST", help="Approve exactly the plans with this digest.")] = "",
    since: Annotated[str, typer.Option(help="When users first lost service, ISO 8601 with a time zone.")] = "",
    force: Force = False,
    as_json: AsJson = False,
) -> int:
    """Carry out a procedure on many sites at once.

    Without --approve it reads only, and shows all plans with one digest over them.
    """
    from defib.cli import fleet as fleets  # noqa: PLC0415

    asked = fleets.Asked(REDACT, procedure, sites, Mode(mode.value), approve, since, force, as_json)
    return fleets.fleet(asked)


@app.command()
def releases(site: SiteName, as_json: AsJson = False) -> int:
    """List the releases that a site's last resort holds."""
    from defib.cli import shelf  # noqa: PLC0415

    return shelf.show(REDACT, site, as_json=as_json)


@app.command()
def watch(
    site: SiteName,
    procedure: Annotated[
        list[str] | None, typer.Option(help="What to start when the site is down, in this order; else all that fit it.")
    ] = None,
    no_prefect: NoPrefect = False,
    as_json: AsJson = False,
) -> int:
    """Look at a site all the time, and act when it is down.

    It starts a procedure by itself if the runbook says `automatic: true`; one that refuses, because something else is what
    failed, makes room for the next.
    """
    from defib.cli import watching  # noqa: PLC0415

    return watching.watch(REDACT, site, tuple(procedure or ()), prefect=not no_prefect, as_json=as_json)


@app.command()
def ready(site: SiteName, as_json: AsJson = False) -> int:
    """Say what would stop a recovery now; changes nothing.

    Exit code 0 where nothing would, 1 where something would, 6 where that could not be told.
    """
    from defib.cli import ready as readiness  # noqa: PLC0415

    return readiness.ready(REDACT, site, as_json=as_json)


@app.command()
def board(
    site: Annotated[str, typer.Option("--site", "-s", help="Only of this site.")] = "",
    html: Annotated[str, typer.Option(metavar="FILE", help="Write it as one page that needs nothing else.")] = "",
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve the page on this machine; it keeps itself up to date.")
    ] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to serve it; 0 is any free port.")] = 8808,
    host: Annotated[str, typer.Option(help="The address to serve it at; others than this machine's have no password.")] = (
        "127.0.0.1"
    ),
    as_json: AsJson = False,
) -> int:
    """Show every site: what runs, what is proved and ready.

    Read from this machine's disk alone, so that it works when Prefect and every vendor are down. As a table or as JSON the
    exit code is 0 where all is proved and ready, 1 where something is wrong, 6 where that cannot be told.
    """
    from defib.cli import board as boards  # noqa: PLC0415

    return boards.board(boards.Wanted(site, html, serve, host, port, as_json))


@app.command()
def runs(site: Annotated[str, typer.Option("--site", "-s", help="Only of this site.")] = "", as_json: AsJson = False) -> int:
    """List all runs and how they ended."""
    from defib.cli import evidence  # noqa: PLC0415

    return evidence.runs(site, as_json=as_json)


@app.command()
def report(
    run_id: RunId,
    form: Annotated[str, typer.Option("--form", help="html (prints its path), md or json.")] = "html",
    as_json: AsJson = False,
) -> int:
    """Make the report of a run anew from its journal."""
    from defib.cli import evidence  # noqa: PLC0415

    return evidence.report(run_id, "json" if as_json else form)


@app.command()
def verify(
    run_id: RunId,
    head: Annotated[str, typer.Option(metavar="HASH", help="The seal that was printed or sent when the run ended.")] = "",
    as_json: AsJson = False,
) -> int:
    """Check that the journal of a run was not edited."""
    from defib.cli import evidence  # noqa: PLC0415

    return evidence.verify(run_id, head, as_json=as_json)


@app.command()
def pack(
    to: Annotated[str, typer.Option("--to", metavar="FOLDER", help="A folder that is empty or not there, or FILE.tar.gz.")],
    site: Annotated[
        list[str] | None, typer.Option("--site", "-s", help="A site; again for more. All but the lab's.")
    ] = None,
    platform: Annotated[
        list[str] | None, typer.Option(metavar="TAG:PYTHON", help="Wheels for another machine too: macosx_14_0_arm64:3.12.")
    ] = None,
    wheels: Annotated[
        str, typer.Option(help="From the index, or made of what is installed: index, installed, either.")
    ] = "either",
    bundles: Annotated[bool, typer.Option("--bundles", help="Take the bundles of the repositories along.")] = False,
    as_json: AsJson = False,
) -> int:
    """Write all that a recovery needs into one folder."""
    from defib.cli import pack as packing  # noqa: PLC0415

    wheels_from = packing.chosen(wheels)
    return packing.pack(REDACT, to, site or (), platform or (), wheels_from, bundles=bundles, as_json=as_json)


app.command()(up)
app.command()(down)


def invoke(arguments: list[str]) -> int:
    """Run one command and give its exit code; errors are explained, never thrown at people."""
    as_json = "--json" in arguments
    return guarded(lambda: app(arguments, standalone_mode=False, prog_name="defib"), REDACT, as_json=as_json)


def _show_version(value: bool) -> None:
    if value:
        from defib import __version__  # noqa: PLC0415
        from defib.cli.say import say  # noqa: PLC0415

        say(f"defib {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Disaster recovery for web properties that runs, is timed, and proves itself."""
