"""The append-only, hash-chained, flushed record of one run; the only source of every figure ever reported.

One JSON object a line::

    {"n": 3, "at": "2026-…Z", "mono": "PT81.2S", "kind": "StepStarted", "data": {…}, "prev": "<hash of 2>", "hash": "…"}

``hash`` is the SHA-256 of the line without it, in canonical JSON (sorted keys, no spaces, UTF-8), so anybody can check the
chain with a few lines of any language. ``mono`` is the machine's monotonic clock: two entries of one process whose ``at``
differ by more than their ``mono`` tell that the wall clock was set in between.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeVar, get_args

from pydantic import TypeAdapter, ValidationError

from defib import entries, longplan
from defib.clock import Clock
from defib.entries import Entry
from defib.errors import EvidenceBroken, HomeUnwritable, LeaseLost
from defib.plan import Change

FIRST = "0" * 64
"""What the first entry has for `prev`."""

_ADAPTERS: dict[str, TypeAdapter[Any]] = {kind.__name__: TypeAdapter(kind) for kind in get_args(Entry)}
_DURATION = TypeAdapter(timedelta)
_STAMP = TypeAdapter(datetime)
_BUFFERED = (entries.Observed, entries.Noted, entries.Told, entries.Forecast)
"""Entries that may wait for the next flush: a lost look loses no change. A killed process loses none of them either."""

Kind = TypeVar("Kind")


@dataclass(frozen=True)
class Record:
    """One entry with its place in the chain."""

    n: int
    at: datetime
    mono: timedelta
    entry: Entry
    prev: str
    hash: str


class Sink(Protocol):
    """Where a journal's bytes go."""

    def append(self, line: bytes, *, durable: bool) -> None:
        """Write `line` at the end; with `durable` it is on the disk when this returns."""
        ...


ALIVE = "alive"
"""Beside the journal: locked by the operating system for as long as the process that writes it lives."""


class FileSink:
    """Bytes to the end of a file, one system call a line, so that a line is whole or torn but never mixed.

    Raises :class:`HomeUnwritable` where a line cannot be written, and leaves no part of it; :class:`LeaseLost` where
    another process has written since: a run that slept, and was taken up meanwhile, must not break the other's chain.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            # Held first: whoever finds a journal whose process holds nothing takes it for that of a run that died.
            self._alive = _hold(path.with_name(ALIVE))
            self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise HomeUnwritable(f"cannot open the journal: {error.strerror}", where=str(path)) from error
        self._size = os.fstat(self._descriptor).st_size

    def append(self, line: bytes, *, durable: bool) -> None:
        try:
            # Never waited for: whoever holds it may be suspended.
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise self._lost("another process is writing it") from error
        try:
            self._must_be_as_left()
            self._write(line, durable=durable)
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def _must_be_as_left(self) -> None:
        found = os.fstat(self._descriptor)
        if found.st_nlink == 0:
            raise HomeUnwritable("the journal was deleted while the run was writing it", where=str(self._path))
        if found.st_size != self._size:
            raise self._lost(f"{found.st_size} bytes, not the {self._size} that this process left")

    def _write(self, line: bytes, *, durable: bool) -> None:
        try:
            written = os.write(self._descriptor, line)
            if written == len(line) and durable:
                os.fsync(self._descriptor)
        except OSError as error:
            raise self._not_written(error.strerror or type(error).__name__) from error
        if written != len(line):
            raise self._not_written(f"only {written} of {len(line)} bytes could be written")
        self._size += len(line)

    def _not_written(self, why: str) -> HomeUnwritable:
        # A part of a line in the middle would make everything after it unreadable.
        with suppress(OSError):
            os.ftruncate(self._descriptor, self._size)
        return HomeUnwritable(f"cannot write the journal: {why}", where=str(self._path))

    def _lost(self, seen: str) -> LeaseLost:
        return LeaseLost("this run was taken up by another process", where=str(self._path), seen=seen, then="defib runs")


def _hold(path: Path) -> BinaryIO | None:
    """The file, locked until this process ends; None where another one, perhaps suspended, holds it: the lease decides."""
    held = path.open("ab")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        held.close()
        return None
    return held


class Journal:
    """The journal of one run, open for appending. Safe to use from several threads."""

    def __init__(
        self,
        sink: Sink,
        clock: Clock,
        redact: Callable[[str], str],
        records: Sequence[Record] = (),
        listen: Callable[[Record], None] = lambda _: None,
    ) -> None:
        self._sink = sink
        self._clock = clock
        self.redact = redact
        self._records = list(records)
        self._listeners: tuple[Callable[[Record], None], ...] = (listen,)
        self._lock = threading.Lock()

    @property
    def records(self) -> tuple[Record, ...]:
        """All entries so far."""
        with self._lock:
            return tuple(self._records)

    @property
    def head(self) -> str:
        """The hash of the last entry: whoever knows it can tell whether anything before it was edited."""
        with self._lock:
            return self._records[-1].hash if self._records else FIRST

    def append(self, entry: Entry) -> Record:
        """Write one entry, on the disk when this returns (observations and notes at the next other entry)."""
        with self._lock:
            number, prev = len(self._records) + 1, self._records[-1].hash if self._records else FIRST
            at = _STAMP.dump_python(self._clock.now(), mode="json")
            mono = _DURATION.dump_python(self._clock.monotonic(), mode="json")
            data, kept = _redacted(entry, self.redact)
            parts = {"at": at, "kind": type(entry).__name__, "mono": mono, "n": number, "prev": prev}
            hashed = hashlib.sha256()
            for piece in _pieces(parts, data):
                hashed.update(piece)
            parts["hash"] = hashed.hexdigest()
            self._sink.append(b"".join((*_pieces(parts, data), b"\n")), durable=not isinstance(entry, _BUFFERED))
            stamps = _STAMP.validate_python(at), _DURATION.validate_python(mono)
            record = Record(number, *stamps, kept, prev, parts["hash"])
            self._records.append(record)
        for listen in self._listeners:
            listen(record)
        return record

    def follow(self, listen: Callable[[Record], None]) -> None:
        """Call `listen`, too, after each entry from now on, in the thread that made it: it must be quick and not fail."""
        with self._lock:
            self._listeners = (*self._listeners, listen)

    def of(self, kind: type[Kind]) -> Iterator[Kind]:
        """All entries of one kind, oldest first."""
        return (record.entry for record in self.records if isinstance(record.entry, kind))


def _redacted(entry: Entry, redact: Callable[[str], str]) -> tuple[bytes, Entry]:
    """An entry without secrets, as canonical JSON and as it is read again; a change that was planned is kept once."""
    if isinstance(entry, entries.Planned):
        return longplan.written(entry, lambda tree: redact_tree(tree, redact))
    tree = redact_tree(encode(entry), redact)
    kept = _ADAPTERS[type(entry).__name__].validate_python(tree)
    return _canonical(tree), entry if isinstance(entry, entries.ChangeIntended) and kept == entry else kept


def _pieces(parts: dict[str, Any], data: bytes) -> Iterator[bytes]:
    """The canonical line of these parts and `data`, whose name stands where the order of names puts it."""
    before = {name: part for name, part in parts.items() if name < "data"}
    after = {name: part for name, part in parts.items() if name > "data"}
    yield _canonical(before)[:-1] + b',"data":'
    yield data
    yield b"," + _canonical(after)[1:]


def encode(entry: Entry) -> Any:
    """An entry as plain JSON values."""
    return _ADAPTERS[type(entry).__name__].dump_python(entry, mode="json")


def redact_tree(tree: Any, redact: Callable[[str], str]) -> Any:
    """Plain JSON values with every string redacted."""
    if isinstance(tree, str):
        # Names of files and output of commands may hold bytes that are no text; they must not keep an entry from the disk.
        return redact(tree.encode("utf-8", "backslashreplace").decode())
    if isinstance(tree, list):
        return [redact_tree(item, redact) for item in tree]
    if isinstance(tree, dict):
        return {key: redact_tree(value, redact) for key, value in tree.items()}
    return tree


def read_journal(path: Path) -> tuple[tuple[Record, ...], int]:
    """All whole entries of a journal and the number of bytes of a torn last line (a crash in the middle of a write).

    Raises :class:`EvidenceBroken` naming the line where the chain does not hold.
    """
    records: list[Record] = []
    known: dict[Change, Change] = {}
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                if not raw.endswith(b"\n"):
                    return tuple(records), len(raw)
                prev = records[-1].hash if records else FIRST
                records.append(_shared(_check(raw[:-1], number, prev, path), known))
    except OSError as error:
        raise EvidenceBroken(f"cannot read the journal: {error.strerror}", where=str(path)) from error
    return tuple(records), 0


def _shared(record: Record, known: dict[Change, Change]) -> Record:
    """The same, with a change that was planned, and is told of again, kept once."""
    entry = record.entry
    if isinstance(entry, entries.Planned):
        known.update((change, change) for change in entry.changes)
    elif isinstance(entry, entries.ChangeIntended) and entry.change in known:
        return replace(record, entry=replace(entry, change=known[entry.change]))
    return record


class Follower:
    """Reads a journal that another process writes: each entry once, as soon as it is whole.

    :class:`EvidenceBroken` where the chain does not hold, as for :func:`read_journal`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._number = 0
        self._prev = FIRST

    def new(self) -> tuple[Record, ...]:
        """What was written since the last call, oldest first; nothing while there is no journal yet."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                whole, newline, _ = file.read().rpartition(b"\n")
        except FileNotFoundError:
            return ()
        records = tuple(self._check(raw) for raw in whole.split(b"\n")) if whole else ()
        self._offset += len(whole) + len(newline)
        return records

    def _check(self, raw: bytes) -> Record:
        record = _check(raw, self._number + 1, self._prev, self._path)
        self._number, self._prev = record.n, record.hash
        return record


@dataclass(frozen=True)
class Ends:
    """How a journal begins, and its last entries: the newest first, down to the one that was looked for."""

    first: Record
    newest: tuple[Record, ...]


def read_ends(path: Path, until: Callable[[Entry], bool], most: int = 64 * 1024) -> Ends:
    """Both ends of a journal, without what lies between: at most its last `most` bytes, back to an entry that `until` knows.

    Each entry is checked by itself, the chain between them is not: for that there is :func:`read_journal`. Raises
    :class:`EvidenceBroken`, also where no whole entry has been written yet.
    """
    try:
        with path.open("rb") as file:
            head = file.readline(most)
            start = max(file.seek(0, os.SEEK_END) - most, 0)
            file.seek(start)
            lines = file.read(most).split(b"\n")[:-1]
    except OSError as error:
        raise EvidenceBroken(f"cannot read the journal: {error.strerror}", where=str(path)) from error
    if not head.endswith(b"\n"):
        raise EvidenceBroken("the journal does not begin with a whole entry", where=f"{path}:1")
    newest: list[Record] = []
    for raw in reversed(lines[1:] if start else lines):
        newest.append(_by_itself(raw, path))
        if until(newest[-1].entry):
            break
    return Ends(_check(head[:-1], 1, FIRST, path), tuple(newest))


def _by_itself(raw: bytes, path: Path) -> Record:
    """An entry whose place in the chain is taken from its own word."""
    try:
        line = json.loads(raw)
        number, prev = int(line["n"]), str(line["prev"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise EvidenceBroken(f"not a journal entry: {type(error).__name__}", where=str(path)) from error
    return _check(raw, number, prev, path)


def mend(path: Path) -> tuple[tuple[Record, ...], int]:
    """Like :func:`read_journal`, and cuts a torn last line off the file, so that it can be appended to."""
    records, torn = read_journal(path)
    if torn:
        os.truncate(path, path.stat().st_size - torn)
    return records, torn


def _check(raw: bytes, number: int, prev: str, path: Path) -> Record:
    where = f"{path}:{number}"
    try:
        long = longplan.read(raw)
        if long is not None and (long.n, long.prev) == (number, prev):
            stamps = _STAMP.validate_python(long.at), _DURATION.validate_python(long.mono)
            return Record(number, *stamps, long.entry, prev, long.hash)
        line = json.loads(raw)
        if _canonical(line) != raw:
            raise EvidenceBroken("this entry is not as it was written", where=where)
        claimed = line.pop("hash")
        if line["n"] != number:
            raise EvidenceBroken(f"entry {line['n']} stands at line {number}", where=where, expected=str(number))
        if line["prev"] != prev:
            raise EvidenceBroken("the chain is broken before this entry", where=where, expected=prev, seen=line["prev"])
        if _digest(line) != claimed:
            raise EvidenceBroken("this entry was edited", where=where, expected=claimed, seen=_digest(line))
        return _record({**line, "hash": claimed})
    except (ValueError, KeyError, TypeError, AttributeError, ValidationError, RecursionError) as error:
        raise EvidenceBroken(f"not a journal entry: {type(error).__name__}", where=where) from error


def _record(line: dict[str, Any]) -> Record:
    return Record(
        n=line["n"],
        at=_STAMP.validate_python(line["at"]),
        mono=_DURATION.validate_python(line["mono"]),
        entry=_ADAPTERS[line["kind"]].validate_python(line["data"]),
        prev=line["prev"],
        hash=line["hash"],
    )


def _digest(line: dict[str, Any]) -> str:
    return hashlib.sha256(_canonical(line)).hexdigest()


def _canonical(line: Any) -> bytes:
    return json.dumps(line, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
