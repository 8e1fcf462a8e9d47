"""The board as people see it: what goes on first, unknown never green, and nothing that can break out of the page."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from defib.board.model import Board
from defib.objectives import Mode, Phase, Plane, Status
from defib.observe.outage import KnownOutage, note_outage
from defib.ready.check import Check, Readiness, State
from defib.ready.kept import keep
from defib.report.as_html import board_as_html
from defib.report.board_artifacts import all_line, all_picture, all_text, site_line, site_picture, site_text
from defib.report.board_figures import board_as_json, board_exit_code
from defib.report.board_page import board_page, thinned
from defib.report.page import Tone
from tests.board.scene import DAY, HOUR, MINUTE, NOW, Scene
from tests.report import samples
from tests.report.samples import HOSTILE, s

SITE = "pulse-trading"


def busy(scene: Scene) -> Board:
    """Users of one site have no service and a run is at work on it; another site has something of everything."""
    scene.site("checkout")
    scene.site(SITE)
    note_outage(scene.home.path, "checkout", KnownOutage(NOW - 200 * s(1), NOW - 195 * s(1), NOW - s(3)))
    pen = scene.begin("cdn-failover", "checkout", 190 * s(1), mode=Mode.INCIDENT, since=NOW - 200 * s(1), automatic=True)
    samples.confirm(pen)
    samples.decide(pen)
    pen.begin("steer-traffic", Phase.ACT, Plane.CONTROL, 120)
    run = scene.keep(pen, report=False)
    for number in range(5):
        scene.recovered("cdn-failover", SITE, (number * 29 + 2) * DAY, outage=3 + 7 * number, mode=Mode.INCIDENT)
    scene.recovered("aws-redeploy", SITE, 60 * DAY, mode=Mode.INCIDENT)
    scene.recovered("failback", SITE, DAY, mode=Mode.INCIDENT)
    scene.drilled("dns-switch", SITE, 4 * DAY, Status.FAILED, "+ a record was left")
    scene.mirrored(SITE, 5 * MINUTE, timedelta(0))
    scene.replicated(SITE, 4 * MINUTE, 90 * MINUTE)
    scene.looks(SITE, "assets", [None if number % 40 == 7 else number % 9 * 10 * MINUTE for number in range(300)])
    keep(scene.home, Readiness(SITE, NOW - 9 * MINUTE, (Check("build", "netlify", State.FAIL, "too old", "deploy to it"),)))
    with scene.alive(run):
        return scene.board()


def hostile(scene: Scene) -> Board:
    """Everything that comes from outside tries to break out of the page."""
    path = scene.site(SITE)
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("title: Pulse Trading\n", f"title: {json.dumps(HOSTILE)}\n"), encoding="utf-8")
    scene.failed("cdn-failover", SITE, DAY, HOSTILE)
    scene.drilled("dns-switch", SITE, DAY, Status.FAILED, HOSTILE)
    scene.mirrored(SITE, MINUTE, None, [HOSTILE])
    scene.replicated(SITE, MINUTE, None, HOSTILE)
    pen = scene.begin("aws-redeploy", SITE, HOUR, mode=Mode.INCIDENT)
    pen.begin(HOSTILE, Phase.ACT, Plane.CONTROL, 120)
    run = scene.keep(pen, report=False)
    folder = scene.home.path / "runs" / "<img src=x onerror=alert(1)>"
    folder.mkdir()
    (folder / "journal.jsonl").write_bytes(b"hello\n")
    (scene.runbooks / "x.md").write_text(HOSTILE, encoding="utf-8")
    keep(scene.home, Readiness(SITE, NOW, (Check(HOSTILE, HOSTILE, State.FAIL, HOSTILE, HOSTILE),)))
    (scene.home.path / "kill-switch").write_text(json.dumps({"since": NOW.isoformat(), "who": HOSTILE, "why": HOSTILE}))
    with scene.alive(run):
        return scene.board()


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """An empty home."""
    return Scene.set_in(tmp_path)


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.values: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember what stands in the page."""
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.values += [value or "" for _, value in attrs]


def parsed(html: str) -> _Tags:
    """What stands in a page."""
    found = _Tags()
    found.feed(html)
    return found


def test_what_goes_on_stands_first(scene: Scene) -> None:
    """Three in the morning: who has no service, what is at work, in which step; then everything else."""
    page = board_page(busy(scene))
    assert (page.tone, page.headline) == (Tone.BAD, "No service: checkout")
    assert [alarm.title for alarm in page.alarms] == ["checkout: users out for 3 min 20 s", "checkout: cdn-failover"]
    assert "step steer-traffic for" in page.alarms[1].lines[1]
    assert [site.name for site in page.sites] == ["checkout", SITE]
    html = board_as_html(page)
    assert html.index("users out for 3 min 20 s") < html.index("never proved") < html.index("<footer>")


def test_nothing_unknown_is_green(scene: Scene) -> None:
    """A site of which nothing is known has no good tone anywhere, and is said to be unproved."""
    scene.site(SITE)
    board = scene.board()
    page = board_page(board)
    (site,) = page.sites
    assert Tone.GOOD not in {page.tone, site.tone, site.ready_tone, *(line.tone for line in (*site.proofs, *site.unproved))}
    assert board_exit_code(board) == 6
    assert 'class="good"' not in board_as_html(page)


def test_every_colour_has_a_sign_and_a_word(scene: Scene) -> None:
    """Whoever sees no colours reads the same."""
    html = board_as_html(board_page(busy(scene)))
    for sign, word in (("✗", "failed"), ("✓", "proved"), ("?", "never proved"), ("!", "proved, but look")):
        assert re.search(rf'aria-hidden="true">\{sign}</span>\s*<span class="word [a-z]+">{word}</span>', html), word


def test_the_page_needs_nothing_else(scene: Scene) -> None:
    """No script, no link to anywhere, nothing that would be fetched; its own policy forbids it as well."""
    html = board_as_html(board_page(busy(scene), 5))
    found = parsed(html)
    assert not found.tags & {"script", "link", "img", "iframe", "object", "embed", "form", "base", "image", "use"}
    assert not found.attributes & {"src", "srcset", "xlink:href", "action", "onclick", "onload"}
    assert "default-src 'none'; style-src 'unsafe-inline'" in html
    assert "url(" not in html
    assert '<meta http-equiv="refresh" content="5">' in html
    assert "refresh" not in parsed(board_as_html(board_page(scene.board()))).values


def test_nothing_breaks_out_of_the_page(scene: Scene) -> None:
    """Titles, reasons, notes, names of folders and runbooks with markup are shown as they are."""
    board = hostile(scene)
    page = board_page(board)
    found = parsed(board_as_html(page))
    assert not found.tags & {"script", "img"}
    assert not [name for name in found.attributes if name.startswith("on")]
    html = board_as_html(page)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "\x1b" not in html
    assert "\u202e" not in html


def test_nothing_breaks_out_of_the_artifacts(scene: Scene) -> None:
    """Prefect renders Markdown and pictures: neither gets markup that is not ours."""
    page = board_page(hostile(scene))
    (site,) = page.sites
    for text in (all_text(page), site_text(page, site), all_line(page), site_line(page, site)):
        assert "<script" not in text
        assert "<img" not in text
        assert not re.search(r"(?<!\\)\]\(javascript", text)
        assert "\x1b" not in text
    for picture in (all_picture(page), site_picture(page, site)):
        assert parsed(picture).tags <= {"svg", "rect", "text"}


def test_a_list_of_artifacts_says_what_goes_on(scene: Scene) -> None:
    """Before anything is opened: a line each."""
    board = busy(scene)
    page = board_page(board)
    assert all_line(page).startswith("✗ No service: checkout. 1 run is at work.")
    assert site_line(page, page.sites[0]) == "✗ no service, running, readiness unknown, 0 of 10 proved"
    told = "✗ not ready, 4 of 10 proved, dns-switch failed, replication-check missed"
    assert site_line(board_page(scene.board(SITE)), page.sites[1]) == told


def test_json_says_the_same(scene: Scene) -> None:
    """One object, with null for what is not known."""
    board = busy(scene)
    told = json.loads(board_as_json(board))
    checkout, pulse = told["sites"]
    assert (told["state"], told["exit_code"]) == ("fail", 1)
    assert checkout["running"][0]["step"] == "steer-traffic"
    assert checkout["down"]["since"].startswith("2026-03-07T02:47:48")
    shown = {each["procedure"]: each for each in pulse["procedures"]}
    assert shown["cdn-failover"]["last"]["rto"]["verdict"] == "met"
    assert shown["asset-restore"]["last"] is None
    assert (pulse["ready"]["state"], pulse["ready"]["findings"]) == ("fail", {"fail": 1})


def test_of_many_looks_the_worst_are_drawn() -> None:
    """A look at which the RPO was missed is never hidden by those around it, nor one at which nobody knew."""
    looks = [(NOW + number * MINUTE, timedelta(0)) for number in range(400)]
    looks[57] = (looks[57][0], 2 * HOUR)
    hidden = [*looks[:200], (looks[200][0], None), *looks[201:]]
    found = thinned(hidden, HOUR)
    assert len(found) <= 42
    assert 2 * HOUR in [figure for _, figure in found]
    assert None in [figure for _, figure in found]
