"""This machine and this home: what would keep a run from beginning here, and people from hearing of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import partial

from defib.clock import Deadline
from defib.history import unfinished
from defib.lease import current_holder
from defib.observe.killswitch import kill_switch
from defib.pack.remembered import changed_since, last_made, was_made
from defib.providers.open_alerts import open_channel
from defib.ready.check import Check, Question, State
from defib.ready.scene import Here
from defib.report import words
from defib.sites.alerts import AlertChannel, AtlassianStatuspage

_MEGABYTE = 1_000_000
FULL = 100 * _MEGABYTE
NEARLY_FULL = 1000 * _MEGABYTE


def questions(here: Here) -> Iterator[Question]:
    """Each asks the file system alone, and for the channels whether their secrets are there."""
    site = here.site.site
    yield Question("kill-switch", site, partial(_switch, here))
    yield Question("lease", site, partial(_lease, here))
    yield Question("unfinished-run", site, partial(_unfinished, here))
    yield Question("disk", str(here.home.path), partial(_disk, here))
    for channel in here.site.alerts:
        yield Question("alerts", channel.name, partial(_openable, here, channel))
    for page in here.site.status:
        if isinstance(page, AtlassianStatuspage):
            yield Question("alerts", page.name, partial(_resolvable, here, page.name, page.token))
    if not here.site.alerts:
        yield Question("alerts", site, partial(_nobody, here))
    if was_made(here.home, site):
        yield Question("pack", site, partial(_packed, here))
    if here.site.acceptance is not None:
        yield Question("acceptance", here.site.acceptance.command[0], partial(_runnable, here.site.acceptance.command[0]))


def _packed(here: Here, within: Deadline) -> Iterator[Check]:
    """Of who made a pack once, and relies on it."""
    del within
    made, site = last_made(here.home, here.site.site), here.site.site
    if made is None:
        return
    changed = changed_since(made, here.site_path, here.runbooks)
    text = f"the last break-glass pack was made {words.duration(here.clock.now() - made.at)} ago"
    if changed:
        then = f"defib pack --site {site} --to FOLDER"
        yield Check("pack", site, State.WARN, f"{text}; changed since: {', '.join(changed)}", then)
    else:
        yield Check("pack", site, State.OK, f"{text}, and nothing in it has changed since")


def _switch(here: Here, within: Deadline) -> Iterator[Check]:
    del within
    switch, site = kill_switch(here.home.path, here.site.site), here.site.site
    if switch is None:
        yield Check("kill-switch", site, State.OK, "off")
    else:
        yield Check("kill-switch", site, State.FAIL, f"nothing automatic would start: {switch}", "defib kill-switch off WHY")


def _lease(here: Here, within: Deadline) -> Iterator[Check]:
    del within
    holder, site = current_holder(here.folder), here.site.site
    if holder is None:
        yield Check("lease", site, State.OK, "free")
    else:
        yield Check("lease", site, State.FAIL, f"another run would be refused: {holder} holds the site", "defib runs")


def _unfinished(here: Here, within: Deadline) -> Iterator[Check]:
    del within
    folder, site = unfinished(here.home, here.site.site), here.site.site
    if folder is None:
        yield Check("unfinished-run", site, State.OK, "none")
    else:
        then = f"defib resume {folder.name}, or defib rollback {folder.name}"
        yield Check("unfinished-run", site, State.FAIL, f"{folder.name} stopped half-way, and its changes stand", then)


def _disk(here: Here, within: Deadline) -> Iterator[Check]:
    del within
    free = here.free(here.home.path)
    state = State.FAIL if free < FULL else State.WARN if free < NEARLY_FULL else State.OK
    then = "" if state is State.OK else "a run that cannot write its journal makes no change: free some space"
    yield Check("disk", str(here.home.path), state, f"{free // _MEGABYTE} MB free", then)


def _openable(here: Here, channel: AlertChannel, within: Deadline) -> Iterator[Check]:
    """A secret that is missing, or is no address that Apprise can read, raises, and is the finding. Nothing is sent."""
    within.clock.call(lambda: open_channel(channel, here.secret), within.remaining())
    yield Check("alerts", channel.name, State.OK, "its secret is there, and is an address that alerts can be sent to")


def _resolvable(here: Here, name: str, reference: str, within: Deadline) -> Iterator[Check]:
    """A missing secret raises, and is the finding."""
    within.clock.call(lambda: here.secret(reference), within.remaining())
    yield Check("alerts", name, State.OK, "its secret is there")


def _nobody(here: Here, within: Deadline) -> Iterator[Check]:
    del within
    yield Check("alerts", here.site.site, State.WARN, "nobody would be told of a recovery", "name channels under alerts:")


def _runnable(command: str, within: Deadline) -> Iterator[Check]:
    del within
    found = shutil.which(command)
    if found:
        yield Check("acceptance", command, State.OK, f"found at {found}")
    else:
        yield Check(
            "acceptance", command, State.FAIL, "there is no such command here", "install it, or correct the site file"
        )
