"""A board of many sites and many runs is made in a moment, and anew in less."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from secrets import token_hex

from defib.board.lookout import Lookout
from defib.clock import SystemClock
from defib.history import JOURNAL, digest
from defib.journal import FIRST
from defib.ready.check import State
from defib.report.as_html import board_as_html
from defib.report.board_page import board_page
from tests.board.scene import DAY, Scene

SITES = int(os.environ.get("DEFIB_BOARD_SITES", "40"))
"""Set it to 200 to see what 5,000 runs cost."""

RUNS = 25
NAMES = ("cdn-failover", "dns-switch", "aws-redeploy", "failback", "cdn-failover")


def test_many_sites_and_many_runs(tmp_path: Path) -> None:
    """Of each run both ends and the report are read; of what has not changed, nothing: what is in it now is not seen."""
    scene = Scene.set_in(tmp_path)
    scene.site("site-0")
    for number in range(1, SITES):
        text = (scene.runbooks / "sites" / "site-0.yaml").read_text(encoding="utf-8")
        (scene.runbooks / "sites" / f"site-{number}.yaml").write_text(
            text.replace("site: site-0\n", f"site: site-{number}\n")
        )
    for number in range(RUNS):
        run = scene.recovered(NAMES[number % len(NAMES)], "site-0", (number + 1) * DAY)
        for other in range(1, SITES):
            to = f"site-{other}"
            copied(scene.home.path / "runs" / run, "site-0", to, digest(scene.runbooks / "sites" / f"{to}.yaml"))
    clock, lookout = SystemClock(), Lookout(scene.home, scene.runbooks, scene.clock)
    began = clock.monotonic()
    board = lookout.board()
    first = clock.monotonic() - began
    for journal in (scene.home.path / "runs").glob(f"*/{JOURNAL}"):
        spoil_unnoticed(journal)
    assert lookout.board() == board
    again = clock.monotonic() - began - first
    page = board_as_html(board_page(board))
    took = clock.monotonic() - began - first - again
    seconds = ", ".join(f"{span.total_seconds():.2f} s" for span in (first, again, took))
    sys.stdout.write(f"{SITES} sites, {SITES * RUNS} runs: first, again, page: {seconds}; {len(page)} bytes\n")
    assert len(board.sites) == SITES
    assert {proof.state for site in board.sites for proof in site.procedures} <= {State.OK, State.WARN, State.UNKNOWN}
    assert all(len(proof.past) >= 5 for site in board.sites for proof in site.procedures if proof.last)
    assert not [site for site in board.sites if site.unreadable]
    assert len(page) < SITES * 40_000
    assert any(site.unreadable for site in Lookout(scene.home, scene.runbooks, scene.clock).board().sites), "they are spoilt"


def spoil_unnoticed(path: Path) -> None:
    """Other bytes in a file, of the same number and time."""
    was = path.stat()
    path.write_bytes(b"x" * was.st_size)
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))


def copied(folder: Path, site: str, to: str, site_digest: str) -> None:
    """The same run on another site: its journal with a chain of its own, and the report of that."""
    name = f"{folder.name.rpartition('-')[0].removesuffix(f'-{site}')}-{to}-{token_hex(2)}"
    new = folder.parent / name
    new.mkdir()
    prev, lines = FIRST, []
    for raw in (folder / JOURNAL).read_bytes().splitlines():
        line = json.loads(raw)
        del line["hash"]
        if line["kind"] == "Opened":
            line["data"] |= {"run_id": name, "site": to, "site_digest": site_digest}
        line["prev"] = prev
        prev = hashlib.sha256(canonical(line)).hexdigest()
        lines.append(canonical({**line, "hash": prev}) + b"\n")
    (new / JOURNAL).write_bytes(b"".join(lines))
    report = json.loads((folder / "report.json").read_bytes())
    (new / "report.json").write_text(json.dumps(report | {"run_id": name, "site": to, "head": prev}), encoding="utf-8")


def canonical(line: object) -> bytes:
    """As journals are written."""
    return json.dumps(line, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
