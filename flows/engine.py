"""A procedure's flow and tasks inside Prefect, plain calls outside of it, and the choice between the two.

Prefect keeps the history and draws the board; the journal decides what happened. So a procedure never waits for Prefect:
it is asked once whether it is there, has a moment to start the flow, and another to write down its end. When it dies in
between, the body goes on in the thread it is in.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Concatenate, Generic, ParamSpec, TypeVar, get_type_hints

from defib import entries
from defib.conduct import Outcome, conduct
from defib.run import Lasts, Run, Step

P = ParamSpec("P")
T = TypeVar("T")

READY_WITHIN = timedelta(seconds=2)
"""How long Prefect's API may take to say that it is ready."""

START_WITHIN = timedelta(seconds=2)
"""How long Prefect may take to call the body of a flow, once it is imported."""

FAREWELL = timedelta(seconds=1.5)
"""How long Prefect may take to write down the end of a run that is over."""

WRITE_WITHIN = timedelta(seconds=10)
"""How long it may take after that, having answered, for what is shown of the run."""


_gave_up = threading.Event()
"""Set once Prefect has failed inside a flow of this process."""


@dataclass(frozen=True)
class Procedure:
    """One recovery procedure as code: its steps by name, its play, and what would make undoing it harmful."""

    name: str
    steps: tuple[str, ...]
    play: Callable[[Run], None]
    may_undo: Callable[[Run], str] = lambda _: ""


def step(
    name: str, lasts: Lasts = Lasts.ALWAYS
) -> Callable[[Callable[Concatenate[Step, P], T]], Callable[Concatenate[Run, P], T]]:
    """Make a function of a :class:`Step` a step of a run: timed, journalled, bounded, and a task run where Prefect is."""

    def decorate(function: Callable[Concatenate[Step, P], T]) -> Callable[Concatenate[Run, P], T]:
        returns = get_type_hints(function)["return"]

        def call(run: Run, /, *args: P.args, **kwargs: P.kwargs) -> T:
            def work() -> T:
                result: T = run.do(name, lambda at: function(at, *args, **kwargs), returns, lasts)
                return result

            return _as_task(run, name, work) if _inside_a_flow() else work()

        return call

    return decorate


def prepare(wanted: bool) -> None:
    """Import Prefect in the background where it will be asked for: its two seconds shall not be the users'."""
    if wanted and api_address():
        threading.Thread(
            target=lambda: importlib.import_module("flows.bookkeeping"), name="prefect-import", daemon=True
        ).start()


def choose(wanted: bool) -> entries.EngineChosen:
    """Whether Prefect can be used, asked without importing it, within :data:`READY_WITHIN`."""
    if not wanted:
        return entries.EngineChosen(prefect=False, why="--no-prefect")
    address = api_address()
    if not address:
        return entries.EngineChosen(prefect=False, why="no Prefect API is configured (PREFECT_API_URL)")
    trouble = _not_ready(address)
    if trouble:
        return entries.EngineChosen(prefect=False, why=f"the Prefect API at {address} {trouble}")
    return entries.EngineChosen(prefect=True, why=f"the Prefect API at {address} is ready")


def api_address() -> str:
    """The address of Prefect's API from the environment or the active profile; "" where there is none."""
    return api_setting("PREFECT_API_URL")


def api_setting(name: str) -> str:
    """A setting of Prefect's client from the environment or the active profile, without importing Prefect; "" if unset."""
    if value := os.environ.get(name):
        return value
    home = Path(os.environ.get("PREFECT_HOME") or Path.home() / ".prefect")
    path = Path(os.environ.get("PREFECT_PROFILES_PATH") or home / "profiles.toml")
    if not path.is_file():
        return ""
    try:
        profiles = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError):
        return ""  # a broken profile must not stop a recovery; the run says that Prefect was not used
    active = os.environ.get("PREFECT_PROFILE") or profiles.get("active", "")
    return str(profiles.get("profiles", {}).get(active, {}).get(name, ""))


def perform(procedure: Procedure, run: Run, chosen: entries.EngineChosen, *, here: bool = False) -> Outcome:
    """Carry out a run from its first open step to its end, as a Prefect flow where that was chosen, or `here`, in one."""
    run.runbook.must_match(procedure.steps)
    run.journal.append(chosen)
    body = Once(lambda: conduct(run, procedure.play, procedure.may_undo))
    if chosen.prefect and not here:
        _through_prefect(procedure, run, body)
    return body.outcome()


class Once(Generic[T]):
    """Work that is done by whoever comes first, and exactly once."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._claim = threading.Lock()
        self._done = threading.Event()
        self._result: list[T] = []
        self._failure: list[BaseException] = []
        self.settled = threading.Event()
        """Set when the work has begun, or when whoever was asked to begin it gave up."""

    def outcome(self) -> T:
        """The result of the work: begins it if nobody has, waits for it otherwise."""
        if self._claim.acquire(blocking=False):
            self.settled.set()
            try:
                self._result.append(self._work())
            except BaseException as error:
                self._failure.append(error)
            self._done.set()
        self._done.wait()
        if self._failure:
            raise self._failure[0]
        return self._result[0]

    def is_own(self, error: BaseException) -> bool:
        """Whether `error` is what the work itself raised."""
        return error in self._failure


def _through_prefect(procedure: Procedure, run: Run, body: Once[Outcome]) -> None:
    """Let Prefect begin the body and follow it to its end; come back when the body is over, or cannot begin there."""
    from flows import bookkeeping  # noqa: PLC0415 - Prefect is imported only where it is used

    books = bookkeeping.Books(procedure.name, run, body)
    flow = threading.Thread(target=books.keep, name="prefect", daemon=True)
    flow.start()
    if not body.settled.wait(START_WITHIN.total_seconds()):
        run.journal.append(entries.Noted("", "Prefect did not start the flow in time; going on without it", warning=True))
    body.outcome()
    books.close(FAREWELL, WRITE_WITHIN)


def _inside_a_flow() -> bool:
    if "prefect.context" not in sys.modules or _gave_up.is_set():
        return False
    from prefect.context import FlowRunContext  # noqa: PLC0415

    return FlowRunContext.get() is not None


def _as_task(run: Run, name: str, work: Callable[[], T]) -> T:
    """Do `work` as a task run; what it gives or raises counts, whatever Prefect says of it.

    After the first trouble with Prefect the steps of this process are plain calls: none shall wait for it twice.
    """
    from prefect import task  # noqa: PLC0415
    from prefect.cache_policies import NO_CACHE  # noqa: PLC0415

    held = Once(work)
    try:
        task(name=name, task_run_name=name, cache_policy=NO_CACHE, persist_result=False)(held.outcome)()
    except Exception as error:
        if not held.is_own(error):
            _gave_up.set()
            text = f"Prefect failed at {name} and is left alone from here on: {type(error).__name__}: {error}"
            run.journal.append(entries.Noted("", text[:300], warning=True))
    return held.outcome()


def _not_ready(address: str) -> str:
    """Why the API cannot be used, in a few words; "" when it is ready. Never takes longer than :data:`READY_WITHIN`."""
    import asyncio  # noqa: PLC0415

    import httpx  # noqa: PLC0415

    async def ask() -> str:
        async with asyncio.timeout(READY_WITHIN.total_seconds()), httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(f"{address.rstrip('/')}/ready", timeout=None)
            return "" if answer.is_success else f"answers {answer.status_code} when asked whether it is ready"

    try:
        return asyncio.run(ask())
    except TimeoutError:
        return f"did not answer within {READY_WITHIN.total_seconds():g} s"
    except (httpx.HTTPError, OSError, ValueError) as error:
        return f"does not answer ({type(error).__name__})"
