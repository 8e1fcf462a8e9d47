"""Many sites at once: one run each, with its own lease and journal, and one approval over all of their plans.

What the sites share is the vendors' limits of calls, which count by account; :mod:`defib.providers.open` keeps them for the
process. So runs begin in turn, and only :data:`AT_VENDORS` of them at a time may be at steps that need a control plane. Each
then waits a few seconds for its call, and not for as long as all the others need, which would cost it its deadline. Those
that only watch their users go on beside them.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta

from pydantic import TypeAdapter, ValidationError

from defib.conduct import Outcome
from defib.entries import StepEnded
from defib.errors import DefibError, HomeUnwritable, Refused, StepFailed
from defib.home import Home
from defib.journal import Record
from defib.objectives import Mode, Plane
from defib.plan import Plan
from defib.run import PlanReady, Run
from defib.runbook import Runbook, load_runbook
from defib.start import Desk, Listener, Order, new_run, plan_run

AT_VENDORS = 12
"""So many runs may be at steps of the control plane at once: at five calls a second none waits 3 s for its turn."""

WORKERS = 64
"""So many runs may be under way at once; most of them wait for answers to move and for users to stay served."""

SHORT = 12
"""So many digits of a digest are shown to people, and accepted from them."""

CarryOut = Callable[[Desk, Run], Outcome]
"""Brings a begun run to its end, and gives its lease back."""


@dataclass(frozen=True)
class Planned:
    """What a run on one site would change, or why there is no plan."""

    site: str
    plan: Plan | None
    refusal: DefibError | None = None


@dataclass(frozen=True)
class FleetPlan:
    """The plans of all sites, in the order in which they were asked for."""

    parts: tuple[Planned, ...]

    @property
    def plans(self) -> tuple[Plan, ...]:
        """Those that there are."""
        return tuple(part.plan for part in self.parts if part.plan is not None)

    def digest(self) -> str:
        """SHA-256 over the sorted digests of the plans: it changes when any of them does, and not with their order."""
        return digest_of(plan.digest() for plan in self.plans)


@dataclass(frozen=True)
class Switched:
    """What became of one site: how its run ended, or why none began or could be brought to an end."""

    site: str
    outcome: Outcome | None
    refusal: DefibError | None = None


@dataclass(frozen=True)
class Fleet:
    """What became of all sites, in the order in which they were asked for."""

    parts: tuple[Switched, ...]


@dataclass(frozen=True)
class KeptPlan:
    """The digests of a fleet's plans by site, as somebody was shown them: what an approval of their digest approves."""

    procedure: str
    digests: dict[str, str]


_KEPT = TypeAdapter(KeptPlan)


def keep_plan(home: Home, procedure: str, planned: FleetPlan) -> None:
    """Keep what was shown, so that its approval needs no second planning; or :class:`HomeUnwritable`."""
    kept = KeptPlan(procedure, {part.site: part.plan.digest() for part in planned.parts if part.plan is not None})
    path = home.path / "fleets" / f"{planned.digest()}.json"
    new = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new.write_bytes(_KEPT.dump_json(kept))
        new.replace(path)
    except OSError as error:
        raise HomeUnwritable(f"cannot keep the plan of the fleet: {error.strerror}", where=str(path)) from error


def kept_plan(home: Home, procedure: str, approved: str) -> KeptPlan:
    """What was shown under the digest that is `approved`, whole or its first digits; :class:`Refused` if nothing was."""
    digits = approved.lower()
    found = list((home.path / "fleets").glob(f"{digits}*.json")) if len(digits) >= SHORT and digits.isalnum() else []
    for path in found:
        try:
            kept = _KEPT.validate_json(path.read_bytes())
        except (OSError, ValidationError):
            continue  # half written or edited: then nothing stands under that digest
        if digest_of(kept.digests.values()).startswith(digits) and kept.procedure == procedure:
            return kept
    raise Refused(
        f"no plan of a fleet for {procedure} with that digest was made here",
        where=str(home.path / "fleets"),
        seen=approved,
        then=f"defib fleet {procedure} --sites …, read it, then add --approve DIGEST",
    )


def digest_of(digests: Iterable[str]) -> str:
    """The digest over those of all plans."""
    return hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()


def plan_fleet(desk: Desk, orders: Sequence[Order], play: Callable[[Run], None]) -> FleetPlan:
    """The plan of each site, read only; a site that is refused, or fails, is a part without one and stops no other."""

    def plan(order: Order) -> Planned:
        try:
            play(plan_run(desk, replace(order, mode=Mode.PLAN)))
        except PlanReady as ready:
            return Planned(order.site, ready.plan)
        except Exception as error:
            return Planned(order.site, None, _known(error))
        raise AssertionError("a flow in plan mode ends with its plan")

    with ThreadPoolExecutor(AT_VENDORS, "defib-fleet") as pool:
        return FleetPlan(tuple(pool.map(plan, orders)))


def switch_fleet(
    desk: Desk,
    orders: Sequence[Order],
    carry_out: CarryOut,
    workers: int = WORKERS,
    tell: Callable[[Switched], object] = lambda _: None,
) -> Fleet:
    """One run a site, `workers` at a time; a site that is refused, or fails, is a part of the result and stops no other.

    `tell` is called with each part when it is known, from several threads. After an interruption nothing more begins.
    """
    free, at_vendors = threading.Semaphore(workers), threading.Semaphore(AT_VENDORS)

    def switch(order: Order, place: _Place) -> Switched:
        try:
            part = _switched(desk, order, carry_out, place)
        finally:
            place.leave()
            free.release()
        tell(part)
        return part

    with ThreadPoolExecutor(workers, "defib-fleet") as pool:
        begun: list[Future[Switched]] = []
        for order in orders:
            free.acquire()
            begun.append(pool.submit(switch, order, _Place(at_vendors)))
        return Fleet(tuple(each.result() for each in begun))


class _Place:
    """A run's place at the vendors: waited for before the run begins, in the order of the runs."""

    def __init__(self, places: threading.Semaphore) -> None:
        self._places = places
        self._lock = threading.Lock()
        self._held = False
        self.take()

    def take(self) -> None:
        """Wait for a place; nothing where it is held."""
        with self._lock:
            if not self._held:
                self._places.acquire()
                self._held = True

    def leave(self) -> None:
        """Let another run in; nothing where that is done."""
        with self._lock:
            if self._held:
                self._places.release()
                self._held = False

    def until(self, last: str, listen: Listener) -> Listener:
        """Listens for the end of the step `last` to leave, and for one that fails to come back: what follows is undoing."""

        def heard(record: Record) -> None:
            listen(record)
            entry = record.entry
            if isinstance(entry, StepEnded) and entry.outcome in {"failed", "refused"}:
                self.take()
            elif isinstance(entry, StepEnded) and (entry.step, entry.outcome) == (last, "done"):
                self.leave()

        return heard


def _switched(desk: Desk, order: Order, carry_out: CarryOut, place: _Place) -> Switched:
    try:
        desk.clock.sleep(timedelta(0))  # after a signal nothing begins
        last = _last_at_vendors(load_runbook(order.procedure, desk.runbooks))
        if not last:
            place.leave()
        here = replace(desk, listen=place.until(last, desk.listen))
        return Switched(order.site, carry_out(here, new_run(here, order)))
    except Exception as error:
        return Switched(order.site, None, _known(error))


def _last_at_vendors(runbook: Runbook) -> str:
    """The last step that needs a control plane; "" where none does."""
    return next((step.name for step in reversed(runbook.steps) if step.plane is Plane.CONTROL), "")


def _known(error: Exception) -> DefibError:
    return error if isinstance(error, DefibError) else StepFailed(f"{type(error).__name__}: {error}")
