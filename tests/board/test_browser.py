"""The board in a real browser, at a desk and on a telephone: it fits, asks nobody for anything, and keeps itself up to date.

Pictures of what was seen are kept in ``build/pages``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from defib.board.model import Board
from defib.board.server import BoardServer, Fresh
from defib.clock import SystemClock
from defib.report.as_html import board_as_html
from defib.report.board_figures import board_as_json
from defib.report.board_page import board_page
from tests.board import test_page as boards
from tests.board.scene import HOUR, Scene
from tests.browser import CHROMIUM, Page, browsing
from tests.stage import ROOT

HOST = "127.166.42.1"
DESK, TELEPHONE = 1280, 390

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium, which is not installed")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One browser for this module."""
    with browsing(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@contextmanager
def served(make: Callable[[], Board], refresh: int = 0) -> Iterator[str]:
    """A board that is made anew when it is asked for."""

    def pages() -> tuple[str, str]:
        board = make()
        return board_as_html(board_page(board, refresh)), board_as_json(board)

    server = BoardServer(HOST, 0, Fresh(pages, SystemClock()))
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield server.url
    finally:
        server.close()
        thread.join(60)


@pytest.mark.parametrize("width", [DESK, TELEPHONE])
@pytest.mark.parametrize("kind", ["busy", "hostile"])
def test_it_fits_and_asks_nobody(page: Page, tmp_path: Path, kind: str, width: int) -> None:
    """Nothing reaches beyond the screen, whatever is in it; nothing but the page itself is fetched; nothing runs."""
    board = {"busy": boards.busy, "hostile": boards.hostile}[kind](Scene.set_in(tmp_path))
    with served(lambda: board) as url:
        page.size(width, 900)
        page.go(url)
        page.reads("Made from the journals of this machine alone")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate("performance.getEntriesByType('resource').map(each => each.name)") == []
        assert page.evaluate("document.scripts.length") == 0
        page.size(width, min(int(page.evaluate("document.documentElement.scrollHeight")), 6000))
        page.picture(ROOT / "build" / "pages" / f"board-{kind}-{width}.png")


def test_what_goes_on_is_on_the_first_screen_of_a_telephone(page: Page, tmp_path: Path) -> None:
    """At three in the morning nobody scrolls: who has no service, and what is at work on it."""
    board = boards.busy(Scene.set_in(tmp_path))
    with served(lambda: board) as url:
        page.size(TELEPHONE, 844)
        page.go(url)
        page.reads("users out for 3 min 20 s")
        bottoms = page.evaluate("[...document.querySelectorAll('.alarm')].map(each => each.getBoundingClientRect().bottom)")
        assert bottoms[1] <= 844


def test_it_keeps_itself_up_to_date(page: Page, tmp_path: Path) -> None:
    """Without a script, and without anybody who reloads it."""
    scene = Scene.set_in(tmp_path)
    scene.site("pulse-trading")
    with served(scene.board, 1) as url:
        page.size(DESK, 900)
        page.go(url)
        page.reads("Nothing is running")
        scene.killed("cdn-failover", "pulse-trading", HOUR)
        page.reads("cdn-failover was killed, and 1 change may stand")


def test_a_site_is_opened_without_a_script(page: Page, tmp_path: Path) -> None:
    """Of many sites those that are well are closed, and open when they are clicked."""
    scene = Scene.set_in(tmp_path)
    for number in range(8):
        scene.site(f"site-{number}")
    with served(scene.board) as url:
        page.size(TELEPHONE, 844)
        page.go(url)
        page.reads("Site by site")
        assert "Ready to recover?" not in page.text()
        page.click("site-3", "summary h3")
        page.reads("Ready to recover?")
        assert page.evaluate("document.querySelectorAll('details[open]').length") == 1
