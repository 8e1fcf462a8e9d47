"""A bucket and its replica compared: twenty thousand objects against rclone, and two million entries in how much memory."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from obstore.store import S3Store

from benchmarks.commands import Ended, listening, timed
from benchmarks.figures import Findings, Sample, Series, Target, at_most, in_turns, no_more_than
from benchmarks.generated_s3 import ENTRIES, REPLICA, SOURCE, World
from benchmarks.lists import write
from benchmarks.order import Order
from benchmarks.process import KEYS, LISTS
from benchmarks.uploaders import Server, find, serving
from defib.clock import SystemClock

OBJECTS = 20_000
FOLDERS = 40
APART = 4000
"""Of so many objects one is missing at the replica, and one has other bytes of the same size."""

DELAY = 100
"""Milliseconds: S3 answers small requests in 100 to 200, whoever asks
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html)."""

SHARE = 0.5
SIZES = (250_000, 500_000, 1_000_000, 2_000_000)
LISTED = 500_000
"""Entries at each side that are told by inventories."""

MOST_MEMORY = 200
"""Megabytes, with the largest of them."""

MOST_GROWTH = 1.3
"""Times the processor time for an entry that the smallest of them takes."""

_PUTS_AT_ONCE = 32
_FAR, _NEAR = f"20,000 + 20,000 objects, answers after {DELAY} ms", "20,000 + 20,000 objects, answers at once"
_NOTES = (
    "the server is rclone serve s3, in memory, for all tools; each tool is a process, timed from its start to its end",
    "all compare size and MD5 of what the listings tell, and must find exactly what differs; headers are not asked for",
    "rclone check --fast-list lists all keys one page after the other, without it folder by folder",
    "the comparison alone is Defib's, once its process has begun; the start of Python and its libraries is the rest",
    "inventories are read from the same kind of server; what S3 asks for writing them is not in the time",
    "the entries are versions and delete markers, made up by a server of our own as they are listed",
)


def measure(order: Order) -> Findings:
    """Defib and rclone in turn against one server, near and at a distance; and Defib alone with large buckets."""
    with tempfile.TemporaryDirectory(prefix="defib-bench-") as folder:
        speed, targets = _speed(order, Path(folder))
    growth, limits = _growth(order)
    return Findings((*speed, *growth, *_by_inventory(order)), (*targets, *limits), _NOTES)


def _speed(order: Order, folder: Path) -> tuple[list[Series], list[Target]]:
    found: list[Series] = []
    with serving(SOURCE, REPLICA) as server:
        for bucket, objects in ((SOURCE, _source()), (REPLICA, _replica())):
            asyncio.run(_fill(server, bucket, objects))
        for job, delay in ((_FAR, DELAY), (_NEAR, 0)):
            order.tell(f"{job}, {order.rounds} rounds, three ways")
            with _away(server, delay) as port:
                found += _compared(order, job, Server(f"http://127.0.0.1:{port}"), folder)
    far, peer = found[0], found[2]
    return found, [no_more_than(far, peer, SHARE)]


def _compared(order: Order, job: str, server: Server, folder: Path) -> list[Series]:
    alone: list[Sample] = []
    rclone = find("rclone")
    missing = "" if rclone else "is not installed: make peers"
    tasks: dict[str, Callable[[int], Sample]] = {
        "defib": lambda number: _by_defib(server, alone, number),
        "rclone": lambda _: _by_rclone(server, rclone, folder, "--fast-list"),
        "rclone, by folders": lambda _: _by_rclone(server, rclone, folder),
    }
    found = in_turns(order.rounds, tasks)
    series = [
        Series(job, tool, samples=samples, missing=missing if "rclone" in tool else "") for tool, samples in found.items()
    ]
    return [series[0], Series(job, "defib, the comparison alone", samples=tuple(alone)), *series[1:]]


def _by_defib(server: Server, alone: list[Sample], number: int) -> Sample:
    ended = _once(server.endpoint, "unversioned")
    if ended.status:
        return Sample(None, f"exit {ended.status}: {ended.errors.strip()[-100:]}")
    told = json.loads(ended.output)
    wrong = _apart({key: _SAYS.get(kind, kind) for kind, key in told["found"]}, _WANTED)
    if number >= 0:
        alone.append(Sample(None, wrong) if wrong else Sample(told["took"]))
    return Sample(None, wrong) if wrong else Sample.took(ended.took)


def _by_rclone(server: Server, program: str, folder: Path, *options: str) -> Sample:
    report = folder / "combined"
    sides = (f"there:{SOURCE}", f"there:{REPLICA}", "--combined", str(report))
    ended = timed([program, "check", *options, *sides], server.environment)
    lines = (line.rstrip("\n").split(" ", 1) for line in report.read_text(encoding="utf-8").splitlines())
    wrong = _apart({key: _SAYS[sign] for sign, key in lines if sign != "="}, _WANTED)
    if wrong or ended.status != 1:  # as it ends where something differs
        return Sample(None, wrong or f"exit {ended.status}: {ended.errors.strip()[-100:]}")
    return Sample.took(ended.took)


_SAYS = {"*": "other", "+": "missing", "-": "extra", "different": "other", "not covered": "missing"}
"""What the tools call it; Defib has asked for the status of what is missing, which this server does not know."""


def _apart(found: Mapping[str, str], wanted: Mapping[str, str]) -> str:
    """What was found that is not there, or the other way round."""
    wrong = sorted(set(found.items()) ^ set(wanted.items()))
    return f"{len(wrong)} findings are wrong, the first is {wrong[0]}" if wrong else ""


def _key(number: int) -> str:
    return f"assets/d{number % FOLDERS:02}/f{number:05}.png"


_WANTED = {
    **{_key(number): "missing" for number in range(0, OBJECTS, APART)},
    **{_key(number): "other" for number in range(1, OBJECTS, APART)},
    **{f"assets/d{number:02}/more.png": "extra" for number in range(0, FOLDERS, 8)},
}


def _source() -> Iterable[tuple[str, bytes]]:
    return ((_key(number), b"%05d" % number * 20) for number in range(OBJECTS))


def _replica() -> Iterable[tuple[str, bytes]]:
    for key, content in _source():
        if _WANTED.get(key) != "missing":
            yield key, content[::-1] if _WANTED.get(key) == "other" else content
    yield from ((key, b"more") for key, what in _WANTED.items() if what == "extra")


def _store(server: Server, bucket: str) -> S3Store:
    return S3Store(
        bucket,
        endpoint=server.endpoint,
        access_key_id=KEYS[0],
        secret_access_key=KEYS[1],
        region="us-east-1",
        client_options={"allow_http": True},
    )


async def _fill(server: Server, bucket: str, objects: Iterable[tuple[str, bytes]]) -> None:
    store = _store(server, bucket)
    free = asyncio.Semaphore(_PUTS_AT_ONCE)

    async def put(key: str, content: bytes) -> None:
        async with free:
            await store.put_async(key, content, use_multipart=False)

    await asyncio.gather(*(put(key, content) for key, content in objects))


def _away(server: Server, delay: int) -> AbstractContextManager[int]:
    """The port at which the server answers later."""
    port = urlsplit(server.endpoint).port
    assert port is not None
    return listening("benchmarks.distance", str(port), str(delay)) if delay else nullcontext(port)


def _growth(order: Order) -> tuple[list[Series], list[Target]]:
    found = {}
    for size in SIZES:
        order.tell(_entries(size))
        with listening("benchmarks.generated_s3", str(size)) as port:
            found[size] = _large(size, port)
    times = [Series(_entries(size), "defib", samples=(each["s"],)) for size, each in found.items()]
    costs = [Series(f"{_entries(size)}: processor time", "defib", _EACH, (each[_EACH],)) for size, each in found.items()]
    memory = Series(f"{_entries(SIZES[-1])}: most memory", "defib", "MB", (found[SIZES[-1]]["MB"],))
    limits = [
        at_most(memory.job, memory, memory.largest, MOST_MEMORY),
        at_most(
            f"{costs[-1].job}, {MOST_GROWTH} times that of {SIZES[0]:,}", costs[-1], costs[-1].median, _allowed(costs[0])
        ),
    ]
    return [*times, *costs, memory], limits


_EACH = "µs an entry"


def _allowed(least: Series) -> float:
    return MOST_GROWTH * (least.median or 0)


def _entries(size: int) -> str:
    return f"{size:,} + {size:,} entries"


def _large(size: int, port: int, *how: str) -> Mapping[str, Sample]:
    """Time, processor time for an entry and memory of one comparison, which must find exactly what is planted."""
    ended = _once(f"http://127.0.0.1:{port}", *how)
    if ended.status:
        return dict.fromkeys(("s", _EACH, "MB"), Sample(None, f"exit {ended.status}: {ended.errors.strip()[-100:]}"))
    told = json.loads(ended.output)
    wrong = _apart({key: _SAYS.get(kind, kind) for kind, key in told["found"]}, _planted(size))
    if wrong or told["source"] != size:
        return dict.fromkeys(("s", _EACH, "MB"), Sample(None, wrong or f"{told['source']:,} of {size:,} entries were seen"))
    each = told["processor"] / (2 * size) * 1e6
    return {"s": Sample.took(ended.took), _EACH: Sample(each), "MB": Sample(told["memory"] / 1e6)}


def _by_inventory(order: Order) -> list[Series]:
    """The same as listings of that size, told by inventories in both formats; S3 itself has written those before."""
    found, world = [], World(LISTED // ENTRIES)
    began = SystemClock().now().replace(microsecond=0) - timedelta(hours=12)
    for kind in ("CSV", "Parquet"):
        order.tell(f"{_entries(LISTED)}, by inventory in {kind}")
        with serving(LISTS) as server, listening("benchmarks.generated_s3", str(LISTED)) as port:
            store = _store(server, LISTS)
            for bucket in (SOURCE, REPLICA):
                write(world, bucket, kind, began, lambda key, body, store=store: store.put(key, body))
            each, job = _large(LISTED, port, server.endpoint), f"{_entries(LISTED)}, by inventory, {kind}"
        found += [Series(job, "defib", samples=(each["s"],)), Series(f"{job}: most memory", "defib", "MB", (each["MB"],))]
    return found


def _planted(size: int) -> Mapping[str, str]:
    world = World(size // ENTRIES)
    return {
        **{world.key(group, 0): "missing" for group in world.planted.missing},
        **{world.key(group, 0): "other" for group in world.planted.other},
        **{f"{world.key(group, 0)}.extra": "extra" for group in world.planted.extra},
    }


def _once(endpoint: str, *how: str) -> Ended:
    return timed([sys.executable, "-m", "benchmarks.replication_once", endpoint, SOURCE, REPLICA, *how], within=600)
