"""A workshop to build in: a work tree, a toolchain that really compiles it, and the registry that this toolchain asks."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from defib.building.build import build_site
from defib.building.built import Built, Checkout
from defib.clock import Deadline, SystemClock
from defib.home import Home
from defib.sites.git import Build
from defib.sites.site import Site, load_site
from tests.stage import LAB

COMMIT = "c0ffee" * 6 + "c0de"
COMMITTED = datetime(2026, 1, 1, 10, tzinfo=UTC)
SITE = load_site(LAB)
PAGE = SITE.page
INDEX = f'<title>Pulse Trading</title><meta name="build" content="{COMMIT} 2026-01-01T10:00:00Z">'

PUBSPEC = """
name: pulse_trading
dependencies:
  flutter:
    sdk: flutter
  intl: ^0.19.0
"""

# Resolves the packages that the sources import at the registry, and joins what it gets to the program.
TOOLCHAIN = """#!{python}
import os, pathlib, sys, urllib.error, urllib.request
assert sys.argv[1:] == ["build", "web", "--release"], sys.argv
program = ["// built for " + os.environ["DEFIB_COMMIT"]]
for line in pathlib.Path("lib/main.dart").read_text().splitlines():
    if line.startswith("import "):
        name = line.split("'")[1]
        print("Resolving", name, flush=True)
        try:
            program.append(urllib.request.urlopen("{registry}/" + name).read().decode())
        except OSError as error:
            print(f"Got an error trying to find package {{name}} at {registry}: {{error}}", file=sys.stderr)
            sys.exit(69)
    else:
        program.append(line.replace("print(", "console.log("))
web = pathlib.Path("build/web")
web.mkdir(parents=True)
page = pathlib.Path("web/index.html").read_text()
page = page.replace("$ID", os.environ["DEFIB_COMMIT"]).replace("$BUILT", os.environ["DEFIB_COMMITTED"])
(web / "index.html").write_text(page)
(web / "main.dart.js").write_text("\\n".join(program))
(web / "flutter_bootstrap.js").write_text("_flutter.loader.load();")
(web / ".last_build_id").write_text("1")
print("Compiled lib/main.dart for the Web")
"""


class Registry:
    """A package registry over HTTP that can be taken down, or made to accept and never answer."""

    def __init__(self) -> None:
        self.hangs = threading.Event()
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if registry.hangs.is_set():
                    self.rfile.read()  # until the client is gone
                    return
                body = f"/* {self.path} */".encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.77.9.1", 0), Handler)
        self.url = f"http://127.77.9.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def stop(self) -> None:
        """Take it down; connections are refused from now on. Safe to repeat."""
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def registry() -> Iterator[Registry]:
    """A registry that is up, and gone afterwards."""
    one = Registry()
    try:
        yield one
    finally:
        one.stop()


@dataclass
class Workshop:
    """A home of its own with a work tree in it; `lines` are what builds have said."""

    folder: Path
    lines: list[str] = field(default_factory=list)
    clock: SystemClock = field(default_factory=SystemClock)

    @property
    def home(self) -> Home:
        """Where artefacts are kept."""
        return Home.open(self.folder / "home")

    @property
    def tree(self) -> Path:
        """The work tree."""
        return self.folder / "tree"

    def within(self, seconds: float = 30) -> Deadline:
        """A deadline."""
        return Deadline.after(self.clock, timedelta(seconds=seconds))

    def write(self, path: str, text: str) -> Path:
        """A file of the work tree."""
        file = self.tree / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def script(self, text: str, output: str = "public", **more: object) -> Site:
        """The site whose build is this shell script."""
        self.write("build.sh", f"#!/bin/sh\n{text}\n").chmod(0o755)
        return site(["./build.sh"], output, **more)

    def flutter(self, registry: Registry) -> Site:
        """The site whose sources are a small Flutter application, with the toolchain in its home."""
        self.write("pubspec.yaml", PUBSPEC)
        self.write("lib/main.dart", "import 'intl';\nprint('pulse');\n")
        self.write("web/index.html", '<title>Pulse Trading</title><meta name="build" content="$ID $BUILT">')
        program = self.home.path / "toolchain" / "flutter"
        program.parent.mkdir(exist_ok=True)
        program.write_text(TOOLCHAIN.format(python=sys.executable, registry=registry.url), encoding="utf-8")
        program.chmod(0o755)
        return site(["flutter", "build", "web", "--release"], "build/web", path=("toolchain",))

    def clean(self) -> None:
        """Give the work tree back as it was checked out."""
        for each in sorted((self.tree / "build").rglob("*"), reverse=True):
            each.rmdir() if each.is_dir() else each.unlink()
        (self.tree / "build").rmdir()

    def build(
        self, site: Site, commit: str = COMMIT, seconds: float = 30, line: Callable[[str], None] | None = None
    ) -> Built:
        """Build the work tree as a commit's."""
        checkout = Checkout(commit, COMMITTED, self.tree)
        return build_site(site, checkout, self.home, self.within(seconds), line or self.lines.append)


def site(command: Sequence[str], output: str, **more: object) -> Site:
    """The lab's site with another build."""
    build = Build.model_validate({"command": tuple(command), "output": output, **more})
    return SITE.model_copy(update={"build": build})
