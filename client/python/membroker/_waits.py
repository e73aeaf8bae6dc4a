# SPDX-License-Identifier: Apache-2.0
"""The waits of coroutines. Each has a thread of its own: the executor of asyncio has few, which others need."""

from __future__ import annotations

import asyncio
import threading
from typing import Callable, Generic, Optional, TypeVar

from . import _progress

_Got = TypeVar("_Got")


class Cancelled(Exception):
    """Ends a native wait whose task was cancelled."""


class _Watch:
    """A watch that ends the wait if its task was cancelled."""

    def __init__(self, watch: _progress.Watch, cancelled: threading.Event) -> None:
        self._watch, self._cancelled, self.end = watch, cancelled, watch.end

    def __call__(self, seconds: float) -> None:
        if self._cancelled.is_set():
            raise Cancelled
        self._watch(seconds)


def cancellable(watches: _progress.Watches, cancelled: threading.Event) -> Callable[[int, int], _Watch]:
    """Watches that end the wait if `cancelled` is set."""
    return lambda session, asked: _Watch(watches(session, asked), cancelled)


class _Wait(Generic[_Got]):
    """A wait of a coroutine, and what it is to get. What came too late is given back."""

    def __init__(self, get: Callable[[], _Got], give_back: Callable[[_Got], None]) -> None:
        self._get, self._give_back = get, give_back
        self._loop = asyncio.get_running_loop()
        self.future: "asyncio.Future[_Got]" = self._loop.create_future()

    def run(self) -> None:
        """In the thread that waits."""
        got: Optional[_Got] = None
        failed: Optional[BaseException] = None
        try:
            got = self._get()
        except BaseException as error:
            failed = error
        try:
            self._loop.call_soon_threadsafe(self._deliver, got, failed)
        except RuntimeError:  # the loop was closed
            if got is not None:
                self._give_back(got)
        finally:
            failed = None  # its traceback refers to this frame

    def _deliver(self, got: Optional[_Got], error: Optional[BaseException]) -> None:
        if self.future.done():  # it came in the same moment as the cancellation
            if got is not None:
                self._give_back(got)
        elif error:
            self.future.set_exception(error)
        elif got is not None:
            self.future.set_result(got)

    def drop(self) -> None:
        """Gives back what was delivered and never taken."""
        if self.future.done() and not self.future.cancelled() and not self.future.exception():
            self._give_back(self.future.result())


async def of_coroutine(get: Callable[[], _Got], give_back: Callable[[_Got], None], cancelled: threading.Event) -> _Got:
    """What get() returns or raises. It looks at `cancelled`, and is never waited for after that."""
    wait = _Wait(get, give_back)
    threading.Thread(target=wait.run, name="membroker-wait", daemon=True).start()
    try:
        return await wait.future
    except asyncio.CancelledError:
        cancelled.set()
        wait.drop()
        raise
