# SPDX-License-Identifier: Apache-2.0
"""Watching the names of blocks."""

from __future__ import annotations

import collections
import dataclasses
import threading
import time
from typing import Any, AsyncIterator, Deque, Iterator, Optional

from . import _blocks, _native, _progress, _waits
from ._sizes import to_ms
from ._types import EndReason, to_end_reason

_PUBLISHED = 1
_PART_S = 3600.0  # without a timeout it waits in parts


@dataclasses.dataclass(frozen=True)
class BlockChange:
    """
    A block was published (`ended` is False), or it has lost its name. `reason` says why; EndReason.NONE: it has not ended,
    or the reason is not known. `number` is that of its views, and `bytes` are its whole pages.
    """

    name: str
    ended: bool
    number: int
    bytes: int
    type: str
    reason: EndReason


class Watch(Iterator[BlockChange], AsyncIterator[BlockChange]):
    """
    What becomes of the blocks whose names begin with a prefix: first those that there are, by name, then what happens.
    Broker.watch() makes it.

    As an iterator, plain or asynchronous, it waits for each change, and ends if none comes for `timeout` seconds; it can
    then be iterated again. A block that was told ends exactly once. A slow program misses no end; but it is not told of a
    block that comes and goes while much happens. Any thread may use it, one after the other. It is not pickled.
    """

    def __init__(self, client: Any, prefix: str, user: int, timeout: Optional[float]) -> None:
        self._client, self._timeout, self._lock = client, timeout, threading.Lock()
        self._native = _native.watch(client, prefix, user)
        self._came: Deque[BlockChange] = collections.deque()  # and was not taken: a wait that ends otherwise leaves it

    def __reduce__(self) -> Any:
        raise TypeError("a watch belongs to its process, and is not pickled: call Broker.watch() in the other one")

    def _fill(self, end: Optional[float], progress: Any) -> bool:
        """Waits until a change has come. False: the time is over."""
        while True:
            left = _PART_S if end is None else max(0.0, min(end - time.monotonic(), _PART_S))
            with self._lock:
                if self._came:
                    return True
                change = _native.watch_next(self._client, self._native, to_ms(left), progress)
                if change is not None:
                    kind, name, number, nbytes, type_, reason = change
                    self._came.append(BlockChange(name, kind != _PUBLISHED, number, nbytes, type_, to_end_reason(reason)))
                    return True
            if end is not None and time.monotonic() >= end:
                return False

    def _take(self) -> Optional[BlockChange]:
        """None: another thread took it."""
        try:
            return self._came.popleft()
        except IndexError:
            return None

    def wait(self, timeout: Optional[float] = None) -> Optional[BlockChange]:
        """
        The next change. None: nothing happened for `timeout` seconds; without it, it waits until something does. Ctrl-C
        ends the wait, and so does Broker.close(); no change is lost by that.
        """
        end = None if timeout is None else time.monotonic() + timeout
        change = None
        while change is None and self._fill(end, None):
            change = self._take()
        return change

    async def wait_async(self, timeout: Optional[float] = None) -> Optional[BlockChange]:
        """The same for a coroutine. If its task is cancelled, the wait ends, and no change is lost."""
        end = None if timeout is None else time.monotonic() + timeout
        cancelled = threading.Event()
        watches = _waits.cancellable(_progress.Watches(None, False), cancelled)
        change = None
        while change is None and await _waits.of_coroutine(lambda: self._fill(end, watches), lambda _: None, cancelled):
            change = self._take()
        return change

    def __next__(self) -> BlockChange:
        change = self.wait(self._timeout)
        if change is None:
            raise StopIteration
        return change

    async def __anext__(self) -> BlockChange:
        change = await self.wait_async(self._timeout)
        if change is None:
            raise StopAsyncIteration
        return change


def begin(client: Any, prefix: str, user: Any, timeout: Optional[float]) -> Watch:
    """ValueError: the prefix is not that of a name."""
    if not isinstance(prefix, str):
        raise TypeError(f"a prefix is a text, not {prefix!r}")
    most = _blocks.NAME_BYTES_MAX
    if len(prefix.encode("utf-8", "surrogateescape")) > most or not prefix.isprintable():
        raise ValueError(f"{prefix!r} can't be the beginning of a name: it may have {most} bytes of UTF-8, all of them printable")
    return Watch(client, prefix, _blocks.user_number(user), timeout)
