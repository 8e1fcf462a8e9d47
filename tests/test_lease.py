"""One run at a time on a site, and none that lost it writes on."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from defib.clock import SimulatedClock
from defib.errors import EvidenceBroken, HomeUnwritable, LeaseHeld, LeaseLost
from defib.history import status_of
from defib.journal import read_journal
from defib.lease import LIFETIME, Holder, Lease, current_holder, operator
from defib.objectives import Status
from tests.stage import REFUSED, ROOT, Stage, kinds, seconds, steps

Other = subprocess.Popen[str]


def other_process(home: Path) -> Other:
    """A run in another process."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.other_process", str(home)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def others() -> Iterator[list[Other]]:
    """Processes that are ended with the test."""
    started: list[Other] = []
    yield started
    for process in started:
        process.kill()
        process.communicate(timeout=30)


def said(process: Other) -> str:
    """Its next line."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.fixture
def clock() -> SimulatedClock:
    """A simulated clock."""
    return SimulatedClock()


class TestTaking:
    """Who gets it."""

    def test_numbers_rise(self, tmp_path: Path, clock: SimulatedClock) -> None:
        """Every taking has a higher number than all before it."""
        numbers = []
        for name in "abc":
            lease = Lease.take(tmp_path, clock, Holder.me(name))
            numbers.append(lease.number)
            lease.release()
        assert numbers == [1, 2, 3]

    def test_second_is_refused_with_the_holders_name(self, tmp_path: Path, clock: SimulatedClock) -> None:
        """E7: the second run within a second is refused, and told who holds the site."""
        Lease.take(tmp_path, clock, Holder.me("the-first"))
        with pytest.raises(LeaseHeld) as caught:
            Lease.take(tmp_path, clock, Holder.me("the-second"))
        assert caught.value.seen.startswith(f"run the-first of {operator()}, process {os.getpid()}")

    def test_many_at_once(self, tmp_path: Path, clock: SimulatedClock) -> None:
        """E7: of many that start at the same moment exactly one gets it."""
        got: list[str] = []
        ready = threading.Barrier(12)

        def take(name: str) -> None:
            ready.wait()
            try:
                Lease.take(tmp_path, clock, Holder.me(name))
            except LeaseHeld:
                return
            got.append(name)

        threads = [threading.Thread(target=take, args=(f"run-{n}",)) for n in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(got) == 1

    def test_two_processes(self, tmp_path: Path, others: list[Other]) -> None:
        """E7: two operators start the same failover within a second: one runs, the other is told by whom."""
        others.extend(other_process(tmp_path) for _ in range(2))
        lines = [said(process) for process in others]
        holding = [number for number, line in enumerate(lines) if line.startswith("holding")]
        assert len(holding) == 1, lines
        run_id = lines[holding[0]].split()[1]
        assert f"refused: another run holds this site; where: {tmp_path}" in lines[1 - holding[0]]
        assert f"run {run_id} of {operator()}, process {others[holding[0]].pid}" in lines[1 - holding[0]]
        out, _ = others[holding[0]].communicate(timeout=300)
        assert out.strip() == "recovered"

    def test_killed_process(self, tmp_path: Path, others: list[Other]) -> None:
        """E1: killed with -9 in step 3: the site is free at once, the journal has the steps, and the run can be resumed."""
        others.append(other_process(tmp_path))
        run_id = said(others[0]).split()[1]
        stage = Stage(tmp_path)
        stage.edges["cloudfront"] = REFUSED
        with pytest.raises(LeaseHeld, match="another run holds"):
            stage.begin()
        others[0].kill()
        others[0].wait(timeout=30)
        assert current_holder(stage.desk.home.site("lab")) is None
        records, _ = read_journal(stage.desk.home.run(run_id) / "journal.jsonl")
        assert (status_of(records), kinds(records)[-1]) == (None, "Forecast")
        run, outcome = stage.resume(run_id)
        assert outcome.status is Status.RECOVERED
        assert [step for step, _ in steps(run)][:2] == ["confirm-the-outage", "prove-the-standby"]

    def test_reused_process_number(self, tmp_path: Path, clock: SimulatedClock) -> None:
        """A process that has the dead holder's number and not its start time is not taken for it."""
        me = Holder.me("dead")
        Lease.take(tmp_path, clock, Holder(me.run_id, me.user, me.host, me.pid, "1"))
        assert Lease.take(tmp_path, clock, Holder.me("next")).number == 2

    def test_holder_on_another_machine_is_believed(self, tmp_path: Path, clock: SimulatedClock) -> None:
        """Who cannot be asked is alive until the lease expires, and not a moment longer."""
        Lease.take(tmp_path, clock, Holder("far", "ann", "another-host", 1, "1"))
        clock.sleep(LIFETIME - seconds(1))
        with pytest.raises(LeaseHeld, match="another run"):
            Lease.take(tmp_path, clock, Holder.me("near"))
        clock.sleep(seconds(1))
        assert Lease.take(tmp_path, clock, Holder.me("near")).number == 2

    def test_user_without_a_name(self, tmp_path: Path) -> None:
        """A container's user that no one has named holds a lease like any other."""
        program = "import os; os.setuid(54321); from defib.lease import operator; print(operator())"
        if os.getuid() != 0:
            pytest.skip("only root can become somebody without a name")
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        code = f"import defib.lease, encodings.idna; {program}"
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=True
        )
        assert done.stdout.startswith("uid 54321@")


class TestHolding:
    """Who keeps it."""

    def test_kept_lease_does_not_expire(self, tmp_path: Path, clock: SimulatedClock) -> None:
        """E2: a run that lives renews, however long its steps take."""
        lease = Lease.take(tmp_path, clock, Holder("far", "ann", "another-host", 1, "1"))
        lease.keep()
        clock.sleep(timedelta(hours=1))
        with pytest.raises(LeaseHeld):
            Lease.take(tmp_path, clock, Holder.me("near"))
        lease.check()

    def test_late_but_not_taken(self, tmp_path: Path, clock: SimulatedClock) -> None:
        """E2: a run that was slow, and whose expired lease nobody took, goes on and has it anew."""
        lease = Lease.take(tmp_path, clock, Holder.me("slow"))
        clock.sleep(LIFETIME * 2)
        lease.check()
        with pytest.raises(LeaseHeld):
            Lease.take(tmp_path, clock, Holder.me("next"))

    def test_taken_while_it_slept(self, tmp_path: Path, clock: SimulatedClock) -> None:
        """E8: whoever finds a higher number writes no more, and gives back nothing that is not his."""
        old = Lease.take(tmp_path, clock, Holder.me("old"))
        clock.sleep(LIFETIME)
        new = Lease.take(tmp_path, clock, Holder.me("new"))
        with pytest.raises(LeaseLost, match="lost the site"):
            old.check()
        old.release()
        new.check()
        assert current_holder(tmp_path) == Holder.me("new")

    def test_released_lease_lets_nothing_pass(self, tmp_path: Path, clock: SimulatedClock) -> None:
        """A late call of a run that has given the site back writes nothing."""
        lease = Lease.take(tmp_path, clock, Holder.me("done"))
        lease.keep()
        lease.release()
        with pytest.raises(LeaseLost):
            lease.check()
        clock.sleep(LIFETIME)
        assert current_holder(tmp_path) is None

    def test_same_number_after_the_file_was_lost(self, tmp_path: Path, clock: SimulatedClock) -> None:
        """Where numbers began again because the file was removed, the holder's name tells the old run from the new."""
        old = Lease.take(tmp_path, clock, Holder.me("old"))
        (tmp_path / "lease.json").unlink()
        new = Lease.take(tmp_path, clock, Holder.me("new"))
        assert old.number == new.number
        with pytest.raises(LeaseLost):
            old.check()
        new.check()

    def test_wall_clock_set_back(self, tmp_path: Path, clock: SimulatedClock) -> None:
        """A clock that is set back takes the site from nobody, and keeps it for nobody who is dead."""
        lease = Lease.take(tmp_path, clock, Holder.me("holder"))
        clock.set_wall(-timedelta(days=1))
        lease.check()
        with pytest.raises(LeaseHeld):
            Lease.take(tmp_path, clock, Holder.me("next"))


class TestTrouble:
    """What goes wrong with the file itself."""

    @pytest.mark.parametrize("content", [b"", b"{", b'{"number": "x"}', b"\xff\xfe", b"[]"])
    def test_corrupted_file(self, tmp_path: Path, clock: SimulatedClock, content: bytes) -> None:
        """Nobody is let in on a file that does not say who holds the site; the way out is told."""
        lease = Lease.take(tmp_path, clock, Holder.me("holder"))
        (tmp_path / "lease.json").write_bytes(content)
        with pytest.raises(EvidenceBroken, match="not readable") as caught:
            Lease.take(tmp_path, clock, Holder.me("next"))
        assert str(tmp_path / "lease.json") in caught.value.then
        with pytest.raises(EvidenceBroken):
            lease.check()

    def test_renewal_that_fails_once(self, tmp_path: Path, clock: SimulatedClock) -> None:
        """A renewal that fails does not end the renewing, and raises nothing where nobody hears it."""
        lease = Lease.take(tmp_path, clock, Holder("far", "ann", "another-host", 1, "1"))
        lease.keep()
        good = (tmp_path / "lease.json").read_bytes()
        (tmp_path / "lease.json").write_bytes(b"{")
        clock.sleep(seconds(6))
        (tmp_path / "lease.json").write_bytes(good)
        clock.sleep(timedelta(minutes=5))
        with pytest.raises(LeaseHeld):
            Lease.take(tmp_path, clock, Holder.me("next"))

    def test_folder_that_cannot_be_made(self, tmp_path: Path, clock: SimulatedClock) -> None:
        """A home that cannot be written is told as such."""
        (tmp_path / "sites").write_text("a file, not a folder")
        with pytest.raises(HomeUnwritable, match="cannot keep the lease"):
            Lease.take(tmp_path / "sites" / "lab", clock, Holder.me("x"))

    def test_no_folder_no_holder(self, tmp_path: Path) -> None:
        """A site that was never touched is held by nobody."""
        assert current_holder(tmp_path / "lab") is None
