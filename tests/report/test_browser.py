"""The report in a real browser: it fits a desk and a phone, and asks nobody for anything."""

from __future__ import annotations

import http.server
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from defib.report.write import write_drill, write_run
from tests.report import samples

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FRAME = """<!doctype html><title>measure</title>
<iframe id="page" src="report.html" style="width:{width}px;height:800px;border:0"></iframe>
<pre id="told"></pre>
<script>
  document.getElementById("page").addEventListener("load", event => {{
    const page = event.target.contentDocument.documentElement;
    const text = page.innerText.length;
    document.getElementById("told").textContent = `wide ${{page.scrollWidth}} of ${{page.clientWidth}} text ${{text}}`;
  }});
</script>
"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium, which is not installed")


@dataclass
class Served:
    """A folder on loopback, and what was asked of it."""

    url: str
    asked: list[str] = field(default_factory=list)


class _Handler(http.server.SimpleHTTPRequestHandler):
    def __init__(self, *args: object, asked: list[str], **more: object) -> None:
        self._asked = asked
        super().__init__(*args, **more)  # type: ignore[arg-type]

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the standard library
        """Remember instead of printing."""
        del format
        self._asked.append(str(args[0]).split()[1] if args else "")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A web server for the folder of the test."""
    asked: list[str] = []
    handler = partial(_Handler, asked=asked, directory=str(tmp_path))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Served(f"http://127.0.0.1:{server.server_port}", asked)
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("kind", ["drill", "run", "hostile"])
def test_report_fits(served: Served, tmp_path: Path, kind: str, width: int) -> None:
    """Nothing reaches beyond the screen, and the page loads nothing but itself."""
    if kind == "drill":
        write_drill(tmp_path, samples.drilled_with_residue())
    else:
        write_run(tmp_path, samples.recovered() if kind == "run" else samples.hostile())
    (tmp_path / "frame.html").write_text(FRAME.format(width=width), encoding="utf-8")
    flags = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync")
    quiet = ("--disable-background-networking", "--disable-component-update", "--virtual-time-budget=10000")
    profile = tmp_path / "profile"
    profile.mkdir()
    command = [str(CHROMIUM), *flags, *quiet, f"--user-data-dir={profile}", "--dump-dom", f"{served.url}/frame.html"]
    at_home = {**os.environ, "HOME": str(profile)}  # it keeps more than its profile, and shall keep it here
    dom = subprocess.run(command, env=at_home, capture_output=True, text=True, timeout=300, check=True).stdout
    told = re.search(r"wide (\d+) of (\d+) text (\d+)", dom)
    assert told is not None, dom[-500:]
    assert int(told[1]) <= int(told[2]) <= width
    assert int(told[3]) > 500
    assert set(served.asked) <= {"/frame.html", "/report.html", "/favicon.ico"}
