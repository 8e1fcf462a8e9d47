"""A built site brought into S3: all of it, again with nothing changed, again with one file changed, and how much memory."""

from __future__ import annotations

import hashlib
import json
import os
import random
import sys
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from benchmarks.commands import Ended, timed
from benchmarks.figures import Findings, Sample, Series, Target, at_most, in_turns, no_more_than
from benchmarks.order import Order
from benchmarks.process import KEYS
from benchmarks.sink import Sink, sink
from benchmarks.uploaders import BUCKET, Server, Uploader, serving, uploaders
from defib.clock import Deadline, SystemClock
from defib.providers.aws import AwsAccess
from defib.providers.releases.s3 import S3Releases

FILES = 2004
BYTES = 39_000_000
MOST_MEMORY = 200
"""Megabytes, with a site of 5 GiB."""

MOST_WITH_FAULTS = 60
"""Seconds; what counts is that nothing is lost, which makes a round wrong whatever it took."""

_REFUSED = 0.02
_FAULTY, _MEMORY = "upload, 503 on 2 % of the PUTs", "most memory, a site of 5 GiB"
_PAGES = ("index.html", "main.dart.js", "version.json", "flutter_service_worker.js")
_GIB = 1024**3
_LARGE, _MIDDLE = 64 * 1024**2, 15 * 1024**2  # in parts, and as large as a single request may be
_UPLOAD, _SAME, _CHANGED = "upload, 2,004 files, 39 MB", "again, nothing changed", "again, one file of the same size, older"


def measure(order: Order) -> Findings:
    """Defib, s5cmd and rclone in turn against one server, and Defib alone with a large site."""
    with tempfile.TemporaryDirectory(prefix="defib-bench-") as folder, serving() as server:
        root = _site(Path(folder) / "site", random.Random(order.seed))
        order.tell(f"{FILES} files, {order.rounds} rounds, three tools")
        speed = _speed(order, server, root)
    faulty, memory = _alone(order)
    return Findings((*speed, faulty, memory), _targets(speed, faulty, memory), _NOTES)


_NOTES = (
    "the server is rclone serve s3, in memory, for all tools; each tool is a process, timed from its start to its end",
    "after each run every file must be there with its MD5; what is uploaded by Defib has also been listed back by itself,",
    "with SHA-256, content type and cache rule of each object, which the others neither check nor, as used here, set",
    "s5cmd sync compares size and time, rclone sync --checksum size and MD5; who leaves the old file in place is wrong",
    "with 503s and with 5 GiB the server is one of our own that forgets content; with 503s a file that is lost is wrong",
    "the memory is the most that the process ever held, Python and all",
)


def _speed(order: Order, server: Server, root: Path) -> tuple[Series, ...]:
    tools = uploaders()
    tasks: dict[tuple[str, str], Callable[[int], Sample]] = {}
    for tool in tools:
        if not tool.missing:
            rounds = _Rounds(server, root, tool)
            tasks |= {
                (_UPLOAD, tool.name): rounds.upload,
                (_SAME, tool.name): rounds.same,
                (_CHANGED, tool.name): rounds.changed,
            }
    found = {job: in_turns(order.rounds, {key: task for key, task in tasks.items() if key[0] == job}) for job in _JOBS}
    return tuple(
        Series(job, tool.name, samples=found[job].get((job, tool.name), ()), missing=tool.missing)
        for job in _JOBS
        for tool in tools
    )


_JOBS = (_UPLOAD, _SAME, _CHANGED)


class _Rounds:
    """One tool's turns; the site that is uploaded again is the one of the last round that uploaded."""

    def __init__(self, server: Server, root: Path, tool: Uploader) -> None:
        self._server, self._root, self._tool = server, root, tool
        access = AwsAccess(endpoint=server.endpoint, region="us-east-1", access_key=KEYS[0], secret_key=KEYS[1])
        self._store = S3Releases(BUCKET, access)
        self._last = ""

    def upload(self, number: int) -> Sample:
        """All of it, to where nothing is; what was there before is removed, outside of the time."""
        self._forget()
        self._last = f"{number + 2:07x}"
        return self._checked(self._tool.run(self._server, self._root, self._last))

    def same(self, _number: int) -> Sample:
        """The same again."""
        return self._checked(self._tool.run(self._server, self._root, self._last, again=True))

    def changed(self, number: int) -> Sample:
        """The same again after one file got other content of the same size and an older time."""
        page = self._root / "index.html"
        page.write_bytes(random.Random(number).randbytes(page.stat().st_size))
        os.utime(page, (1_000_000_000 + number, 1_000_000_000 + number))
        return self._checked(self._tool.run(self._server, self._root, self._last, again=True))

    def _checked(self, ended: Ended) -> Sample:
        if ended.status != 0:
            said = ended.errors.strip().splitlines()
            return Sample(None, f"exit {ended.status}: {said[-1][:400] if said else 'no word'}")
        wrong = self._wrong()
        return Sample(None, wrong) if wrong else Sample.took(ended.took)

    def _wrong(self) -> str:
        """What is missing or differs at the server, by its MD5."""
        prefix = self._tool.prefix_of(self._last)
        there = {each.key.removeprefix(prefix): each.etag for each in self._store.list(prefix, within=_soon())}
        here = {path.relative_to(self._root).as_posix(): path for path in self._root.rglob("*") if path.is_file()}
        missing = [path for path in here if path not in there]
        if missing:
            return f"{len(missing)} of {len(here)} files are missing"
        old = [path for path, file in here.items() if there[path] != _md5(file)]
        return f"{len(old)} of {len(here)} files are not what they should be" if old else ""

    def _forget(self) -> None:
        if self._last:
            keys = [each.key for each in self._store.list(self._tool.prefix_of(self._last), within=_soon())]
            self._store.delete(keys, within=_soon())


def _alone(order: Order) -> tuple[Series, Series]:
    """Defib with a server that refuses at times, and with a site that is larger than the memory it may take."""
    order.tell(f"503 on {_REFUSED:.0%} of the PUTs")
    found = in_turns(order.rounds, {_FAULTY: lambda number: _with_faults(order.seed + number)})
    order.tell("a site of 5 GiB")
    with tempfile.TemporaryDirectory(prefix="defib-bench-") as folder, sink() as server:
        memory = _held(_once(server, _large_site(Path(folder))))
    return Series(_FAULTY, "defib", samples=found[_FAULTY]), Series(_MEMORY, "defib", "MB", (memory,))


def _once(server: Sink, root: Path) -> Ended:
    command = [sys.executable, "-m", "benchmarks.deploy_once", server.endpoint, BUCKET, str(root), "0000001"]
    return timed(command, within=900)


def _with_faults(seed: int) -> Sample:
    with tempfile.TemporaryDirectory(prefix="defib-bench-") as folder, sink(_REFUSED, seed) as server:
        root = _site(Path(folder) / "site", random.Random(seed))
        ended = _once(server, root)
        wanted = {f"releases/0000001/{path.relative_to(root).as_posix()}" for path in root.rglob("*") if path.is_file()}
    lost = len(wanted - server.keys)
    if ended.status or lost or not server.refused:
        return Sample(None, f"exit {ended.status}, {lost} of {len(wanted)} lost, {server.refused} refused")
    return Sample.took(ended.took)


def _held(ended: Ended) -> Sample:
    if ended.status:
        return Sample(None, f"exit {ended.status}: {ended.errors.strip()[-100:]}")
    return Sample(json.loads(ended.output)["memory"] / 1e6)


def _targets(speed: tuple[Series, ...], faulty: Series, memory: Series) -> tuple[Target, ...]:
    by_name = {(each.job, each.tool): each for each in speed}
    return (
        no_more_than(by_name[_UPLOAD, "defib"], by_name[_UPLOAD, "s5cmd"]),
        no_more_than(by_name[_UPLOAD, "defib"], by_name[_UPLOAD, "rclone"]),
        no_more_than(by_name[_SAME, "defib"], by_name[_SAME, "rclone"]),
        at_most(faulty.job, faulty, faulty.largest, MOST_WITH_FAULTS),
        at_most(memory.job, memory, memory.largest, MOST_MEMORY),
    )


def _site(root: Path, chance: random.Random) -> Path:
    """As many files as a Flutter application with its pictures and fonts has, of sizes that differ a thousandfold."""
    weights = [chance.paretovariate(1.2) for _ in range(FILES)]
    scale = BYTES / sum(weights)
    names = [*_PAGES, *(f"assets/d{number % 40}/f{number}.png" for number in range(FILES - len(_PAGES)))]
    for name, weight in zip(names, weights, strict=True):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(chance.randbytes(max(1, round(weight * scale))))
    return root


def _large_site(root: Path) -> Path:
    """Large files of nothing, which take no room on the disk: half of them go in parts, half just not."""
    (root / "index.html").write_text("<title>large</title>", encoding="utf-8")
    for kind, each in (("large", _LARGE), ("middle", _MIDDLE)):
        for number in range(5 * _GIB // 2 // each):
            with (root / f"{kind}{number}.bin").open("wb") as stream:
                stream.truncate(each)
    return root


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def _soon() -> Deadline:
    return Deadline.after(SystemClock(), timedelta(seconds=120))
