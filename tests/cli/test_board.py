"""``defib board`` as people and scripts run it: a table, JSON, a file, and served; without a lab, Prefect or network."""

from __future__ import annotations

import json
import signal
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from subprocess import Popen

import pytest

from tests.board.scene import DAY, Scene
from tests.conftest import Defib
from tests.report.samples import HOSTILE

SITE = "pulse-trading"
HOST = "127.166.41.1"


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """A home with one site."""
    found = Scene.set_in(tmp_path)
    found.site(SITE)
    return found


def at(scene: Scene) -> Defib:
    """``defib`` in that home, with those runbooks."""
    return Defib(scene.home.path, {"DEFIB_RUNBOOKS": str(scene.runbooks), "PREFECT_API_URL": "http://127.0.0.1:9/api"})


def test_a_table_for_whoever_has_only_a_terminal(scene: Scene) -> None:
    """What goes on, each procedure with its state and figures, and what was never proved; Prefect is not asked."""
    scene.recovered("cdn-failover", SITE, DAY)
    scene.killed("dns-switch", SITE, DAY)
    ended = at(scene)("board")
    assert ended.code == 1
    lines = ended.out.splitlines()
    assert lines[0] == "1 run stopped half-way. Nothing is running."
    assert any(line.startswith("!  cdn-failover") and "6.2 s of 4 h" in line for line in lines), ended.out
    assert any("never proved" in line and "asset-restore" in line for line in lines)
    assert any(line.strip().startswith("next: defib rollback ") for line in lines)
    assert not [line for line in lines if len(line) > 100]


def test_json_is_one_object(scene: Scene) -> None:
    """With the exit code in it: nothing is proved, so nobody can tell."""
    ended = at(scene)("board", "--json")
    assert (ended.code, ended.json["exit_code"], ended.json["state"]) == (6, 6, "unknown")
    assert [site["site"] for site in ended.json["sites"]] == [SITE]


def test_a_page_is_written_whole(scene: Scene, tmp_path: Path) -> None:
    """Into the file that was named, and its path is printed; a page that was made is a success whatever it says."""
    file = tmp_path / "board.html"
    ended = at(scene)("board", "--html", str(file))
    assert (ended.code, ended.out.strip()) == (0, str(file))
    assert file.read_text(encoding="utf-8").endswith("</html>")
    assert 'http-equiv="refresh"' not in file.read_text(encoding="utf-8")
    ended = at(scene)("board", "--html", "/proc/nowhere/board.html", "--json")
    assert (ended.code, ended.json["error"].startswith("cannot write the board")) == (13, True)


def test_a_site_that_is_not_there_is_named(scene: Scene) -> None:
    """With those that are."""
    ended = at(scene)("board", "--site", "nope", "--json")
    assert (ended.code, ended.json["expected"]) == (12, f"one of: {SITE}")
    assert at(scene)("board", "--site", SITE, "--json").json["sites"][0]["site"] == SITE


def test_nothing_is_obeyed_by_the_terminal(scene: Scene) -> None:
    """Escape sequences in reasons are shown."""
    scene.failed("cdn-failover", SITE, DAY, HOSTILE)
    ended = at(scene)("board")
    assert "\x1b" not in ended.out
    assert "\\u001b" in ended.out


@contextmanager
def served(scene: Scene) -> Iterator[tuple[str, Popen[str]]]:
    """A board that is served; its address, and the process."""
    process = at(scene).start("board", "--serve", "--host", HOST, "--port", "0", "--json")
    assert process.stdout is not None
    try:
        told = ""
        while not told.endswith("}\n"):
            line = process.stdout.readline()
            assert line, f"it ended before it said where it is: {told}"
            told += line
        yield json.loads(told)["url"], process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_it_is_served_until_it_is_stopped(scene: Scene) -> None:
    """The page renews itself, says what was done since, and a signal ends it in good order."""
    with served(scene) as (url, process):
        with urllib.request.urlopen(url, timeout=60) as answer:
            assert 'http-equiv="refresh"' in answer.read().decode()
        scene.recovered("cdn-failover", SITE, DAY)
        shown: dict[str, str] = {}
        while shown.get("cdn-failover") != "warn":
            with urllib.request.urlopen(f"{url}board.json", timeout=60) as answer:
                (site,) = json.load(answer)["sites"]
            shown = {each["procedure"]: each["state"] for each in site["procedures"]}
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0


def test_where_it_cannot_be_served_is_said(scene: Scene) -> None:
    """A name is no address, and a port that is taken is said."""
    ended = at(scene)("board", "--serve", "--host", "board.example", "--json")
    assert (ended.code, ended.json["seen"]) == (2, "board.example")
    with served(scene) as (url, _):
        port = url.rstrip("/").rpartition(":")[2]
        ended = replace(at(scene))("board", "--serve", "--host", HOST, "--port", port, "--json")
    assert (ended.code, ended.json["where"]) == (14, f"{HOST}:{port}")
