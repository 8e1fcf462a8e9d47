"""The journal: what is written is there, and whatever is done to it is found."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import threading
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from defib import entries
from defib.clock import Deadline, SimulatedClock, SystemClock
from defib.errors import EvidenceBroken, HomeUnwritable, LeaseLost
from defib.history import is_alive
from defib.journal import FIRST, FileSink, Follower, Journal, Record, mend, read_journal
from defib.objectives import Status
from defib.plan import Change, Plan
from defib.ports import RecordChange
from defib.redact import Redactor
from defib.replication.objectplans import parts
from defib.replication.objects import holding, object_key, restored
from tests.stage import ROOT

NOTES = tuple(entries.Noted("a-step", f"note {number}", warning=number % 2 == 0) for number in range(6))


def journal(path: Path, records: tuple[Record, ...] = ()) -> Journal:
    """A journal on the disk."""
    return Journal(FileSink(path), SimulatedClock(), Redactor(), records)


def planned(objects: int) -> entries.Planned:
    """A plan of so many objects, one of which has a secret for a name."""
    names = [f"images/object-{number}" if number != 30 else "images/correct horse" for number in range(objects)]
    records = [RecordChange(holding(key, "1"), restored(key)) for key in (object_key(name, "2") for name in names)]
    changes = tuple(Change("s3-objects", "b as b", tuple(some), "as it was “then”") for some in parts(records))
    return entries.Planned(Plan("asset-restore", "lab", changes).digest(), changes)


def first_of(records: tuple[Record, ...]) -> tuple[Change, ...]:
    """The changes of the plan that comes first."""
    first = records[0].entry
    assert isinstance(first, entries.Planned)
    return first.changes


def written(path: Path) -> bytes:
    """A journal of a few entries, as it is on the disk."""
    book = journal(path)
    for note in NOTES:
        book.append(note)
    book.append(entries.Closed(Status.FAILED, "überall “quotes”, \u2028 and \\ too"))
    return path.read_bytes()


class TestWriting:
    """Appending."""

    def test_reads_back_what_was_written(self, tmp_path: Path) -> None:
        """Every entry comes back as it was, with its place in the chain."""
        path = tmp_path / "journal.jsonl"
        book = journal(path)
        made = [book.append(note) for note in NOTES]
        assert read_journal(path) == (tuple(made), 0)
        assert book.records == tuple(made)
        assert [record.n for record in made] == [1, 2, 3, 4, 5, 6]
        assert (made[0].prev, book.head) == (FIRST, made[-1].hash)

    def test_anybody_can_check_the_chain(self, tmp_path: Path) -> None:
        """The hash is what the documentation says: SHA-256 of canonical JSON without it."""
        prev = FIRST
        for raw in written(tmp_path / "journal.jsonl").splitlines():
            line = json.loads(raw)
            claimed = line.pop("hash")
            plain = json.dumps(line, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
            assert (line["prev"], sha256(plain).hexdigest()) == (prev, claimed)
            prev = claimed

    def test_secrets_are_cut_out(self, tmp_path: Path) -> None:
        """E13: neither learnt secrets nor what looks like one reach the disk, however deep they stand."""
        redact = Redactor()
        redact.learn("correct horse")
        path = tmp_path / "journal.jsonl"
        book = Journal(FileSink(path), SimulatedClock(), redact)
        parts = (("error", "GET https://ann:hunter22@host/ failed with correct horse"),)
        book.append(entries.StepEnded("a", "failed", timedelta(0), json.dumps({"x": "correct horse"}), parts))
        text = path.read_text(encoding="utf-8")
        assert "correct" not in text
        assert "hunter22" not in text
        assert "correct" not in str(book.records)

    @pytest.mark.parametrize("objects", [0, 1, 51, 4000])
    def test_a_plan_of_any_length(self, tmp_path: Path, objects: int) -> None:
        """Gone through change by change it is a line like any other, without secrets, and what was planned is kept once."""
        redact = Redactor()
        redact.learn("correct horse")
        path = tmp_path / "journal.jsonl"
        book, plan = Journal(FileSink(path), SimulatedClock(), redact), planned(objects)
        book.append(plan)
        for number, change in enumerate(plan.changes):
            book.append(entries.ChangeIntended(number, change, 1))
        raws = path.read_bytes().splitlines()
        line = json.loads(raws[0])
        assert json.dumps(line, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() == raws[0]
        claimed = line.pop("hash")
        plain = json.dumps(line, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        assert sha256(plain).hexdigest() == claimed
        assert b"correct horse" not in path.read_bytes()
        records, torn = read_journal(path)
        assert (records, torn) == (book.records, 0)
        intended = [record.entry for record in records if isinstance(record.entry, entries.ChangeIntended)]
        assert len(intended) == len(plan.changes)
        assert all(each.change is other for each, other in zip(intended, first_of(records), strict=True))

    @pytest.mark.parametrize(("was", "now"), [(b"object-2000", b"object-9999"), (b'"type":"OBJECT"', b'"type": "OBJECT"')])
    def test_a_long_plan_that_was_edited(self, tmp_path: Path, was: bytes, now: bytes) -> None:
        """It is found, also where whoever did it made a hash anew."""
        path = tmp_path / "journal.jsonl"
        journal(path).append(planned(4000))
        raw = path.read_bytes()[:-1].replace(was, now, 1)
        path.write_bytes(raw + b"\n")
        with pytest.raises(EvidenceBroken):
            read_journal(path)
        claimed = json.loads(raw)["hash"].encode()
        fresh = sha256(raw.replace(b',"hash":"' + claimed + b'"', b"")).hexdigest().encode()
        path.write_bytes(raw.replace(claimed, fresh) + b"\n")
        if b": " in now:
            with pytest.raises(EvidenceBroken, match="not as it was written"):
                read_journal(path)
        else:
            assert read_journal(path)[0][0].hash == fresh.decode()  # the next line, or the seal, tells

    def test_bytes_that_are_no_text(self, tmp_path: Path) -> None:
        """An error text with undecodable bytes in it, such as a file's name, is written all the same."""
        path = tmp_path / "journal.jsonl"
        journal(path).append(entries.Noted("", os.fsdecode(b"caf\xe9.txt")))
        assert [r.entry for r in read_journal(path)[0]] == [entries.Noted("", "caf\\udce9.txt")]

    def test_another_process_has_taken_it_up(self, tmp_path: Path) -> None:
        """E8: a run that slept while its journal was taken up writes not one line more into it."""
        path = tmp_path / "journal.jsonl"
        sleeper = journal(path)
        sleeper.append(NOTES[0])
        records, _ = mend(path)
        other = journal(path, records)
        other.append(NOTES[1])
        with pytest.raises(LeaseLost, match="taken up"):
            sleeper.append(NOTES[2])
        other.append(NOTES[3])
        assert [record.entry for record in read_journal(path)[0]] == [NOTES[0], NOTES[1], NOTES[3]]

    def test_deleted_while_it_was_written(self, tmp_path: Path) -> None:
        """A run whose evidence was deleted does not go on without."""
        path = tmp_path / "journal.jsonl"
        book = journal(path)
        book.append(NOTES[0])
        path.unlink()
        with pytest.raises(HomeUnwritable, match="deleted"):
            book.append(NOTES[1])

    def test_nowhere_to_write(self, tmp_path: Path) -> None:
        """A folder that is not there is told as what it is."""
        with pytest.raises(HomeUnwritable):
            FileSink(tmp_path / "gone" / "journal.jsonl")

    def test_full_disk_leaves_no_half_line(self, tmp_path: Path) -> None:
        """When the disk is full in the middle of a line, the line is not there, and the journal can go on later."""
        program = (
            "import sys, resource, pathlib, signal\n"
            "from tests.test_journal import NOTES, journal, HomeUnwritable\n"
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
            "path = pathlib.Path(sys.argv[1])\n"
            "book = journal(path)\n"
            "book.append(NOTES[0])\n"
            "size = path.stat().st_size\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (size + 50, resource.RLIM_INFINITY))\n"
            "try:\n    book.append(NOTES[1])\n"
            "except HomeUnwritable as error:\n    print(error.what)\n"
            "assert path.stat().st_size == size\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
            "book.append(NOTES[2])\n"
        )
        path = tmp_path / "journal.jsonl"
        done = subprocess.run(
            [sys.executable, "-c", program, str(path)], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
        )
        assert (done.returncode, "only 50 of" in done.stdout) == (0, True), done.stderr
        assert [record.entry for record in read_journal(path)[0]] == [NOTES[0], NOTES[2]]

    def test_limits_of_this_process_stand(self) -> None:
        """The test above changes the limits of its own process alone."""
        assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY

    def test_a_journal_that_is_there_is_held(self, tmp_path: Path) -> None:
        """Whoever finds a journal finds its process alive, from the first moment on: that is held before the journal is."""
        path = tmp_path / "journal.jsonl"
        os.mkfifo(path)  # to open it for writing takes until somebody opens it for reading
        opening = threading.Thread(target=FileSink, args=(path,))
        opening.start()
        clock = SystemClock()
        limit = Deadline.after(clock, timedelta(seconds=30))
        while not (held := is_alive(tmp_path)) and not limit.expired():
            clock.sleep(timedelta(milliseconds=10))
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        opening.join()
        os.close(reader)
        assert held


class TestReading:
    """Checking."""

    @settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    @given(data=st.data())
    def test_any_changed_byte_is_found(self, tmp_path: Path, data: st.DataObject) -> None:
        """One byte more, less or other than was written, anywhere before the end, breaks the chain."""
        path = tmp_path / "journal.jsonl"
        path.unlink(missing_ok=True)
        whole = written(path)
        at = data.draw(st.integers(0, len(whole) - 2))
        byte = data.draw(st.binary(min_size=1, max_size=1))
        how = data.draw(st.sampled_from(["change", "insert", "cut"]))
        edited = whole[:at] + (b"" if how == "cut" else byte) + whole[at + (how != "insert") :]
        path.write_bytes(edited)
        if edited != whole:
            with pytest.raises(EvidenceBroken):
                read_journal(path)

    @settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    @given(data=st.data())
    def test_any_moved_line_is_found(self, tmp_path: Path, data: st.DataObject) -> None:
        """Lines cut out, swapped, repeated, or put in from another journal break the chain."""
        path = tmp_path / "journal.jsonl"
        path.unlink(missing_ok=True)
        lines = written(path).splitlines(keepends=True)
        there = st.integers(0, len(lines) - 1)
        one, other = data.draw(there), data.draw(there)
        how = data.draw(st.sampled_from(["cut", "swap", "repeat", "blank"]))
        edited = list(lines)
        if how == "cut" and one < len(lines) - 1:
            del edited[one]
        elif how == "swap":
            edited[one], edited[other] = edited[other], edited[one]
        elif how == "repeat":
            edited.insert(other, lines[one])
        else:
            edited.insert(one, b"\n")
        path.write_bytes(b"".join(edited))
        if edited != lines:
            with pytest.raises(EvidenceBroken) as caught:
                read_journal(path)
            assert f"{path}:" in caught.value.where

    def test_cut_end_is_found_by_the_head(self, tmp_path: Path) -> None:
        """Whoever knows the head can tell that the last entries were cut off; the rest still verifies."""
        path = tmp_path / "journal.jsonl"
        lines = written(path).splitlines(keepends=True)
        head = read_journal(path)[0][-1].hash
        path.write_bytes(b"".join(lines[:-2]))
        records, torn = read_journal(path)
        assert (torn, records[-1].hash == head) == (0, False)

    def test_same_content_written_otherwise(self, tmp_path: Path) -> None:
        """Spaces, another order of keys, or a key twice are edits, although JSON means the same by them."""
        path = tmp_path / "journal.jsonl"
        first = written(path).splitlines(keepends=True)[0]
        line = json.loads(first)
        others = [
            json.dumps(line, sort_keys=True, ensure_ascii=False).encode(),
            json.dumps(dict(reversed(line.items())), separators=(",", ":"), ensure_ascii=False).encode(),
            first.rstrip().replace(b'"n":1', b'"n":7,"n":1'),
        ]
        for other in others:
            path.write_bytes(other + b"\n")
            with pytest.raises(EvidenceBroken):
                read_journal(path)

    @pytest.mark.parametrize("line", [b"", b"{}", b"[]", b"7", b'"x"', b"\xff", b"null", b"[" * 100_000])
    def test_not_an_entry(self, tmp_path: Path, line: bytes) -> None:
        """Whatever else stands in a line is named with its place, not raised as something else."""
        path = tmp_path / "journal.jsonl"
        path.write_bytes(written(path) + line + b"\n")
        with pytest.raises(EvidenceBroken) as caught:
            read_journal(path)
        assert caught.value.where == f"{path}:8"

    def test_torn_end_is_cut_off_and_told(self, tmp_path: Path) -> None:
        """A crash in the middle of a write costs that entry and nothing else."""
        path = tmp_path / "journal.jsonl"
        whole = written(path)
        path.write_bytes(whole[:-10])
        records, torn = mend(path)
        assert (len(records), torn) == (6, len(whole.splitlines(keepends=True)[-1]) - 10)
        journal(path, records).append(NOTES[0])
        assert len(read_journal(path)[0]) == 7

    def test_torn_in_the_middle(self, tmp_path: Path) -> None:
        """A journal that is torn anywhere but at its end is broken, and is not mended over."""
        path = tmp_path / "journal.jsonl"
        lines = written(path).splitlines(keepends=True)
        path.write_bytes(b"".join([*lines[:3], lines[3][:20], *lines[4:]]))
        with pytest.raises(EvidenceBroken):
            mend(path)

    def test_missing(self, tmp_path: Path) -> None:
        """A journal that is not there is said so."""
        with pytest.raises(EvidenceBroken, match="cannot read"):
            read_journal(tmp_path / "journal.jsonl")


def test_a_journal_that_another_process_writes(tmp_path: Path) -> None:
    """Whoever follows it gets each entry once, as soon as its line is whole, and no part of one."""
    path = tmp_path / "journal.jsonl"
    follower = Follower(path)
    assert follower.new() == ()
    writer = journal(path)
    first = writer.append(entries.Noted("", "one"))
    assert follower.new() == (first,)
    assert follower.new() == ()
    more = (writer.append(entries.Noted("", "two\n")), writer.append(entries.Noted("", "three")))
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert follower.new() == more[:1]
    path.write_bytes(whole)
    assert follower.new() == more[1:]


def test_a_followed_journal_that_was_edited(tmp_path: Path) -> None:
    """The chain is checked on the way, as for a journal that is read whole."""
    path = tmp_path / "journal.jsonl"
    follower = Follower(path)
    writer = journal(path)
    writer.append(entries.Noted("", "one"))
    follower.new()
    before = path.stat().st_size
    writer.append(entries.Noted("", "two"))
    whole = path.read_bytes()
    path.write_bytes(whole[:before] + whole[before:].replace(b"two", b"owt"))
    with pytest.raises(EvidenceBroken, match="edited"):
        follower.new()
