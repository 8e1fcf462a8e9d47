"""One event loop in a thread of its own, so that code without one can run many connections at once.

``asyncio.run`` for each call would do as well where no loop runs yet (75 µs against 31 µs a call, next to some milliseconds
for a look), but cannot be called from a thread whose own loop is running, as in an asynchronous Prefect flow.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Coroutine
from concurrent.futures import CancelledError
from typing import Any, TypeVar

T = TypeVar("T")


class LoopThread:
    """Runs coroutines for callers of any thread until :meth:`close`; the thread starts with the first of them."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self._stop: weakref.finalize[[asyncio.AbstractEventLoop, threading.Thread], LoopThread] | None = None

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`; an interruption of the waiting thread cancels it. RuntimeError once closed."""
        # Handed over under the lock, so that close() comes before or after, and never leaves it waiting for nobody.
        with self._lock:
            if self._closed:
                work.close()
                raise RuntimeError(f"{self._name} is closed")
            future = asyncio.run_coroutine_threadsafe(work, self._running())
        try:
            return future.result()
        except CancelledError as error:
            raise RuntimeError(f"{self._name} was closed meanwhile") from error
        finally:
            future.cancel()

    def close(self) -> None:
        """Cancel what runs, end the loop and its thread. Idempotent."""
        with self._lock:
            self._closed = True
            if self._stop is not None:
                self._stop()

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            thread = threading.Thread(target=_serve, args=(self._loop,), name=self._name, daemon=True)
            thread.start()
            # Also runs when nobody closes: at the end of the object or of the interpreter.
            self._stop = weakref.finalize(self, _end, self._loop, thread)
        return self._loop


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        rest = asyncio.all_tasks(loop)
        for task in rest:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*rest, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()


def _end(loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
    loop.call_soon_threadsafe(loop.stop)
    if threading.current_thread() is not thread:
        thread.join()
