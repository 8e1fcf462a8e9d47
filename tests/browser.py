"""Debian's Chromium, driven as a person would: it goes to pages, clicks what it reads, types, and takes pictures."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import urllib.request
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from websockets.sync.client import connect
from websockets.sync.connection import Connection

from defib.clock import Deadline, SystemClock

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE = timedelta(seconds=120)
_QUIET = ("--no-first-run", "--disable-sync", "--disable-background-networking", "--disable-component-update")
_FIND = """
(() => {
  const wanted = %s, selector = %s;
  const seen = [...document.querySelectorAll(selector)].filter(each => each.getClientRects().length);
  const text = each => (each.innerText || each.getAttribute("aria-label") || "").trim();
  const found = seen.find(each => text(each) === wanted) || seen.find(each => text(each).startsWith(wanted));
  if (!found) return null;
  found.scrollIntoView({block: "center"});
  const box = found.getBoundingClientRect();
  return [box.x + box.width / 2, box.y + box.height / 2];
})()
"""


class Page:
    """One tab. Everything waits until it can be done, up to :data:`PATIENCE`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._numbers = itertools.count(1)
        self._clock = SystemClock()

    def go(self, url: str) -> None:
        """Open an address."""
        self._call("Page.navigate", url=url)

    def reads(self, text: str) -> None:
        """Wait until the page says `text` somewhere."""
        self._until(lambda: text in self.text(), text)

    def shows(self, selector: str) -> None:
        """Wait until there is such an element."""
        self._until(lambda: self.evaluate(f"!!document.querySelector({json.dumps(selector)})"), selector)

    def text(self) -> str:
        """Everything that a person can read on it."""
        return str(self.evaluate("document.body ? document.body.innerText : ''"))

    def click(self, text: str, selector: str = "button, a, [role=option], [role=menuitem], [role=tab], label") -> None:
        """Click what says `text`, or begins so."""
        self._click_at(_FIND % (json.dumps(text), json.dumps(selector)), text)

    def focus(self, script: str) -> None:
        """Click the element that `script` finds."""
        place = f"(() => {{ const e = {script}; if (!e) return null; e.scrollIntoView({{block: 'center'}});"
        place += " const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        self._click_at(place, script)

    def fill(self, script: str, text: str) -> None:
        """Type into the field that `script` finds; again where a menu that was still open took the click."""

        def has_focus() -> bool:
            self.focus(script)
            return bool(self.evaluate(f"document.activeElement === {script}"))

        self._until(has_focus, script)
        self._call("Input.insertText", text=text)

    def evaluate(self, script: str) -> Any:
        """What a script gives."""
        answer = self._call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def size(self, width: int, height: int) -> None:
        """The size of the window."""
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def picture(self, path: Path) -> None:
        """What is on the screen, into a file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b64decode(self._call("Page.captureScreenshot", format="png")["data"]))

    def _click_at(self, find: str, what: str) -> None:
        """Click where a script finds something, once it has come to rest: dialogs fly in, and pages fill from above."""
        places: list[Any] = [None]

        def at_rest() -> Any:
            places.append(self.evaluate(find))
            return places[-1] if places[-1] == places[-2] else None

        x, y = self._until(at_rest, what)
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            pressed = {} if kind == "mouseMoved" else {"button": "left", "clickCount": 1}
            self._call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **pressed)

    def _until(self, holds: Any, what: str) -> Any:
        within = Deadline.after(self._clock, PATIENCE)
        while not (found := holds()):
            assert not within.expired(), f"{what!r} never came; the page says: {self.text()}"
            self._clock.sleep(timedelta(milliseconds=100))
        return found

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self._connection.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._connection.recv(timeout=PATIENCE.total_seconds()))
            if answer.get("id") == number:
                assert "error" not in answer, answer["error"]
                result: dict[str, Any] = answer["result"]
                return result


@contextmanager
def browsing(folder: Path) -> Iterator[Page]:
    """A browser with nothing of its owner's, for as long as the context lasts."""
    profile = folder / "profile"
    profile.mkdir(parents=True)
    command = [str(CHROMIUM), "--headless=new", "--no-sandbox", "--disable-gpu", *_QUIET, f"--user-data-dir={profile}"]
    with (folder / "chromium.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--remote-debugging-port=0", "about:blank"],
            env={**os.environ, "HOME": str(profile)},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        with connect(_page_of(profile), max_size=None) as connection:
            yield Page(connection)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _page_of(profile: Path) -> str:
    """The address at which the first tab takes commands."""
    clock, told = SystemClock(), profile / "DevToolsActivePort"
    within = Deadline.after(clock, PATIENCE)
    while not (told.is_file() and told.read_text().count("\n")):
        assert not within.expired(), "the browser did not come up"
        clock.sleep(timedelta(milliseconds=50))
    port = told.read_text().split("\n", 1)[0]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=60) as answer:
        address: str = next(each["webSocketDebuggerUrl"] for each in json.load(answer) if each["type"] == "page")
    return address
