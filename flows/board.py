"""The board in Prefect: ``board`` for all sites and ``board-SITE`` for each, with a picture of either.

They are refreshed whenever something was done: at the end of a run, of a round, of a check. They belong to no flow run, and
are put in the place of what they said before: a version for every quarter of an hour of every site would be gigabytes.
``defib board`` shows the same, and more, without Prefect.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from prefect import get_client, get_run_logger
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.client.schemas.sorting import ArtifactSort

from defib.board.lookout import Lookout
from defib.clock import Deadline
from defib.report.board_artifacts import all_line, all_picture, all_text, site_line, site_picture, site_text
from defib.report.board_page import BoardPage, board_page
from defib.start import Desk
from flows.scheduled import desk

WITHIN = timedelta(seconds=10)
"""For reading the runs, where nobody waits."""

OFTEN = timedelta(minutes=1)
"""What comes round by itself, on many sites, refreshes the board of all sites no more often."""

_TO_WRITE = timedelta(seconds=10)

_ALL = "board"


@dataclass(frozen=True)
class _Shown:
    """An artifact of the board."""

    key: str
    type: str
    data: str
    description: str


def refresh(at: Desk, site: str, within: timedelta = WITHIN, *, every: timedelta = timedelta(0)) -> None:
    """Put the board of `site`, and the one of all sites where it can be read in time, in the place of what is there.

    The one of all sites stays where somebody refreshed it less than `every` ago. Raises what Prefect's client raises;
    whoever calls decides what that is worth.
    """
    deadline = Deadline.after(at.clock, within)
    lookout = Lookout(at.home, at.runbooks, at.clock)
    stamp = at.home.path / "board-refreshed"
    with get_client(sync_client=True) as client:
        for shown in _of_site(board_page(lookout.board(site, within=deadline.remaining())), site):
            _put(client, shown)
        if _age(stamp, at.clock.now()) < every:
            return
        stamp.touch()
        everything = board_page(lookout.board(within=deadline.remaining()))
        if not deadline.expired():  # half a board would call unknown what is well
            for shown in _of_all(everything):
                _put(client, shown)


def _age(stamp: Path, now: datetime) -> timedelta:
    try:
        return abs(now - datetime.fromtimestamp(stamp.stat().st_mtime, UTC))
    except OSError:
        return timedelta.max


def refresh_here(site: str) -> None:
    """The same at the desk of this machine."""
    refresh(desk(), site)


def refreshed(at: Desk, site: str, every: timedelta = timedelta(0)) -> None:
    """The same inside a flow run, which it neither fails nor holds up for long."""
    try:
        at.clock.call(lambda: refresh(at, site, every=every), WITHIN + _TO_WRITE)
    except Exception as error:
        get_run_logger().warning("the board was not refreshed: %s: %s", type(error).__name__, error)


def _of_site(page: BoardPage, site: str) -> Iterator[_Shown]:
    view = next((view for view in page.sites if view.name == site), None)
    if view is not None:
        key, told = f"{_ALL}-{site}", site_line(page, view)
        yield _Shown(key, "markdown", site_text(page, view), told)
        yield _Shown(f"{key}-picture", "image", _image(site_picture(page, view)), told)


def _of_all(page: BoardPage) -> Iterator[_Shown]:
    yield _Shown(_ALL, "markdown", all_text(page), all_line(page))
    yield _Shown(f"{_ALL}-picture", "image", _image(all_picture(page)), all_line(page))


def _image(svg: str) -> str:
    return f"data:image/svg+xml;base64,{b64encode(svg.encode('utf-8', 'backslashreplace')).decode()}"


def _put(client: SyncPrefectClient, shown: _Shown) -> None:
    by_key = ArtifactFilter(key=ArtifactFilterKey(any_=[shown.key]))
    found = client.read_artifacts(artifact_filter=by_key, sort=ArtifactSort.CREATED_DESC, limit=1)
    if found:
        client.update_artifact(found[0].id, ArtifactUpdate(data=shown.data, description=shown.description))
    else:
        client.create_artifact(ArtifactCreate(**vars(shown)))
