# SPDX-License-Identifier: Apache-2.0
"""What people see while a request waits in the broker's queue."""

from __future__ import annotations

import sys
from typing import Callable, Optional, TextIO

from . import _monitor
from ._sizes import to_text
from ._types import WhyEntry

Progress = Callable[[str], None]
"""Called with the line that describes the wait; an empty one when it ended."""

_FIRST, _EVERY = 0.5, 1.0


def _ordinal(number: int) -> str:
    suffix = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"


def describe(entry: Optional[WhyEntry], asked: int) -> str:
    """One line: "waiting for 4 GiB: 2nd in the queue, trainer-7 holds 12 GiB"."""
    line = f"waiting for {to_text(asked)}"
    if entry is None:
        return line
    parts = [f"{_ordinal(entry.place)} in the queue"] if entry.place else []
    if entry.refusal.holders:
        largest = entry.refusal.holders[0]
        parts.append(f"{largest.name or 'another process'} holds {to_text(largest.bytes)}")
    return f"{line}: {', '.join(parts)}" if parts else line


def _is_notebook() -> bool:
    return "ipykernel" in sys.modules


class Line:
    """Rewrites one line of a terminal or of a notebook's output."""

    def __init__(self, stream: Optional[TextIO] = None) -> None:
        self._stream = stream or sys.stderr
        self._width = 0

    def __call__(self, line: str) -> None:
        self._stream.write("\r" + line.ljust(self._width) + ("" if line else "\r"))
        self._stream.flush()
        self._width = len(line)


def default() -> Optional[Progress]:
    """A line, if somebody looks."""
    try:
        shown = sys.stderr.isatty() or _is_notebook()
    except (AttributeError, ValueError):
        return None
    return Line() if shown else None


class Watch:
    """What the native wait calls with the seconds so far; asks the broker about once a second."""

    def __init__(self, session: int, socket: Optional[str], asked: int, progress: Progress) -> None:
        self._session, self._socket, self._asked, self._progress = session, socket, asked, progress
        self._next = _FIRST
        self.was_shown = False

    def __call__(self, seconds: float) -> None:
        if seconds < self._next:
            return
        self._next = seconds + _EVERY
        self.was_shown = True
        self._progress(describe(self._entry(), self._asked))

    def _entry(self) -> Optional[WhyEntry]:
        try:
            with _monitor.Monitor(self._socket, timeout=0.5) as monitor:
                return next((entry for entry in monitor.why(self._session) if entry.waits), None)
        except (OSError, ValueError, KeyError):
            return None

    def end(self) -> None:
        """Clears the line."""
        if self.was_shown:
            self._progress("")
