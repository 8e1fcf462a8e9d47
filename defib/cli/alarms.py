"""``event``, ``listen`` and ``sentinel``: what comes from outside, and what is seen of runs from outside of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from defib.alarms.addresses import OWN_SECRET
from defib.cli.options import REDACT, AsJson, NoPrefect, SiteName

alarms_app = typer.Typer(rich_markup_mode=None)


@alarms_app.command()
def event(
    site: SiteName,
    source: Annotated[str, typer.Option("--from", metavar="SOURCE", help="Who says it, such as uptimerobot.")],
    number: Annotated[str, typer.Option("--id", metavar="ID", help="What tells this alarm from the source's others.")],
    says: Annotated[str, typer.Option(help="What it says, in its own words.")] = "",
    since: Annotated[str, typer.Option(help="When it began, ISO 8601 with a time zone.")] = "",
    up: Annotated[bool, typer.Option("--up", help="It says that the site is back: remembered, and starts nothing.")] = False,
    no_prefect: NoPrefect = False,
    as_json: AsJson = False,
) -> int:
    """Answer an alarm from outside, once, and follow the run.

    An alarm proves nothing: the recovery looks for itself, and refuses where users are served. The same alarm again, another
    one about the same outage, and one beside a run under way start nothing. Exit code 0 then, 4 where something such as the
    kill switch holds it back, else that of the run.
    """
    from defib.cli import events  # noqa: PLC0415

    return events.event(REDACT, site, source, number, says, since, up=up, prefect=not no_prefect, as_json=as_json)


@alarms_app.command()
def listen(
    site: Annotated[list[str], typer.Option("--site", "-s", help="A site file's name or path; once for each site.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to listen; 0 for any free port.")] = 8650,
    host: Annotated[
        str, typer.Option(help="On which address; a proxy with TLS stands before any but loopback.")
    ] = "127.0.0.1",
    topic: Annotated[list[str] | None, typer.Option(metavar="ARN", help="An SNS topic that is believed.")] = None,
    secret: Annotated[str, typer.Option(help="The secret in the addresses, as a reference.")] = OWN_SECRET,
    through_prefect: Annotated[
        bool, typer.Option("--through-prefect", help="Answer by Prefect's automation, and without it where that is late.")
    ] = False,
    prefect_within: Annotated[float, typer.Option(min=1, metavar="SECONDS", help="How late it may be.")] = 20,
    addresses: Annotated[bool, typer.Option("--addresses", help="Show what to paste at the vendors, and stop.")] = False,
    no_prefect: NoPrefect = False,
    as_json: AsJson = False,
) -> int:
    """Take alarms by webhook, and answer each as `event` does.

    Those of UptimeRobot, Pingdom and CloudWatch. It also looks after this machine's runs as `defib sentinel` does, and hands
    on what Prefect's automations have to say.
    """
    from defib.cli import listening  # noqa: PLC0415

    late = timedelta(seconds=prefect_within)
    topics = tuple(topic or ())
    wanted = listening.Listening(tuple(site), host, port, topics, secret, through_prefect, late, not no_prefect)
    return listening.listen(REDACT, wanted, addresses=addresses, as_json=as_json)


@alarms_app.command()
def sentinel(as_json: AsJson = False) -> int:
    """Look for runs that died or hang, and tell it once.

    For cron, every minute. A run that is only slow is left alone. Exit code 0 where nothing is wrong, 1 where something is.
    """
    from defib.cli import guarding  # noqa: PLC0415

    return guarding.sentinel(REDACT, as_json=as_json)
