"""What ``make up`` leaves running, in Debian's Chromium as a person uses it; pictures are kept in ``build/pages``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from defib import entries
from defib.lab import process
from tests.browser import CHROMIUM, Page, browsing
from tests.conftest import ROOT, LabMaker
from tests.flows.prefect_server import PrefectApi
from tests.flows.prefect_stage import Board, until
from tests.flows.test_on_demand import deployment, digest_of, records_of, until_state
from tests.ports import free_port

NET = "127.170"
PICTURES = ROOT / "build" / "pages"


@pytest.fixture(scope="module")
def board(make_lab: LabMaker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    """A lab, and Prefect's server, worker and deployments beside it, down afterwards whatever happened."""
    lab = make_lab(NET)
    up = lab("up", "--port", str(free_port()), "--json")
    try:
        assert (up.code, up.json["started"]) == (0, ["server", "worker"]), up.err
        yield Board(lab, PrefectApi(up.json["api"]), tmp_path_factory.mktemp("pages"))
    finally:
        lab("down")


@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium, which is not installed")
def test_from_the_form_to_the_artifacts(board: Board) -> None:
    """The CDN fails: somebody starts cdn-failover from its form, approves it in the form of its pause, and reads on."""
    process.break_(board.lab.home, "cloudfront", "refuse")
    with browsing(board.home / "browser") as page:
        page.size(1280, 1000)
        made = _start_by_hand(board, page)
        paused = until_state(board, made, "PAUSED")
        _approve_by_hand(board, page, made, digest_of(board, paused["name"]))
        ended = until_state(board, made, "COMPLETED", "FAILED", "CRASHED")
        assert ended["state_name"] == "Recovered"
        _read_by_hand(board, page, ended)
        _read_the_board(board, page)
    approved = next(each.entry for each in records_of(board, ended["name"]) if isinstance(each.entry, entries.Approved))
    assert (approved.by, approved.how) == ("the operator on call, as typed into Prefect's form", "prefect")


def _start_by_hand(board: Board, page: Page) -> dict[str, Any]:
    """Deployments, cdn-failover of the lab, Run, Custom run, Submit."""
    page.go(f"{board.server.pages}/deployments")
    page.reads("cdn-failover")
    page.picture(PICTURES / "1-deployments.png")
    identity = deployment(board, "cdn-failover/lab")["id"]
    page.focus(f"document.querySelector('a[href*=\"deployment/{identity}\"]')")
    page.click("Run", "button")
    page.click("Custom run", "[role=menuitem]")
    page.reads("The web property that is recovered.")
    page.picture(PICTURES / "2-form.png")
    page.click("Submit", "button")

    def made() -> list[dict[str, Any]]:
        return board.server.find("flow_runs", deployments={"id": {"any_": [identity]}})  # schedules make hundreds of others

    until(made, "the run")
    return made()[0]


def _approve_by_hand(board: Board, page: Page, made: dict[str, Any], digest: str) -> None:
    """The menu of the run's page, Resume, and the form."""
    page.go(f"{board.server.pages}/runs/flow-run/{made['id']}")
    page.reads("AwaitingApproval")
    page.picture(PICTURES / "3-waiting.png")
    page.focus("[...document.querySelectorAll('button[aria-haspopup=menu]')].at(-1)")
    page.click("Resume", "[role=menuitem]")
    page.reads(f"Type {digest[:4]}, the first digits")
    page.picture(PICTURES / "4-question.png")
    page.fill("document.querySelectorAll('[role=dialog] textarea')[0]", digest[:4])
    page.focus("document.querySelector('[aria-label=\"Select Decision\"]')")
    page.click("approve", "[role=option]")
    page.fill("document.querySelectorAll('[role=dialog] textarea')[1]", "the operator on call")
    page.picture(PICTURES / "5-answer.png")
    page.click("Resume", "[role=dialog] button")
    page.reads("Flow run resumed")


def _read_by_hand(board: Board, page: Page, ended: dict[str, Any]) -> None:
    """The run's page, and each of its artifacts."""
    page.go(f"{board.server.pages}/runs/flow-run/{ended['id']}?tab=Artifacts")
    page.reads("Recovered")
    page.reads("lab-cdn-failover-verdicts")
    page.shows("canvas")
    page.picture(PICTURES / "6-recovered.png")
    says = {"plan": "Approved (prefect) by the operator on call", "timeline": "verify-the-users", "verdicts": "RTO"}
    newest = {each["key"]: each["id"] for each in board.server.find("artifacts", sort="CREATED_DESC")[::-1]}
    for name, text in says.items():
        page.go(f"{board.server.pages}/artifacts/artifact/{newest[f'lab-cdn-failover-{name}']}")
        page.reads(text)
        page.picture(PICTURES / f"7-{name}.png")


def _read_the_board(board: Board, page: Page) -> None:
    """Who opens Prefect's pages finds every site at a glance, at a desk and on a telephone."""
    newest = {each["key"]: each["id"] for each in board.server.find("artifacts", sort="CREATED_DESC")[::-1]}
    for name, width in (("desk", 1280), ("telephone", 390)):
        page.size(width, 1000)
        page.go(f"{board.server.pages}/artifacts/artifact/{newest['board-lab']}")
        page.reads("Last proof")
        page.reads("cdn-failover")
        page.picture(PICTURES / f"8-board-{name}.png")
