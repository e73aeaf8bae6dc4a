# SPDX-License-Identifier: Apache-2.0
"""The waits of coroutines. Each has a thread of its own: the executor of asyncio has few, which others need."""

from __future__ import annotations

import asyncio
import threading
from typing import Callable, Optional

from . import _progress
from ._lease import Lease


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


def _deliver(future: "asyncio.Future[Lease]", lease: Optional[Lease], error: Optional[BaseException]) -> None:
    if future.done():  # the grant came in the same moment as the cancellation
        if lease:
            lease.release()
    elif error:
        future.set_exception(error)
    elif lease:
        future.set_result(lease)


def _run(acquire: Callable[[], Lease], future: "asyncio.Future[Lease]", loop: asyncio.AbstractEventLoop) -> None:
    lease: Optional[Lease] = None
    failed: Optional[BaseException] = None
    try:
        lease = acquire()
    except BaseException as error:
        failed = error
    try:
        loop.call_soon_threadsafe(_deliver, future, lease, failed)
    except RuntimeError:  # the loop was closed
        if lease:
            lease.release()
    finally:
        failed = None  # its traceback refers to this frame


async def of_coroutine(acquire: Callable[[], Lease], cancelled: threading.Event) -> Lease:
    """What acquire() returns or raises. It looks at `cancelled`, and is never waited for after that."""
    loop = asyncio.get_running_loop()
    future: "asyncio.Future[Lease]" = loop.create_future()
    threading.Thread(target=_run, args=(acquire, future, loop), name="membroker-wait", daemon=True).start()
    try:
        return await future
    except asyncio.CancelledError:
        cancelled.set()
        if future.done() and not future.cancelled() and not future.exception():
            future.result().release()
        raise
