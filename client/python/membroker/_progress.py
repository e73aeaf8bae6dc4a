# SPDX-License-Identifier: Apache-2.0
"""What people see while a request waits in the broker's queue."""

from __future__ import annotations

import os
import sys
from typing import Callable, List, Optional, TextIO, Union

from . import _monitor
from ._sizes import to_text
from ._types import WhyEntry

Progress = Callable[[str], None]
"""Called with the line that describes the wait; an empty one when it ended."""

ProgressOption = Union[Progress, bool, None]

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


def entry_of(entries: List[WhyEntry], asked: int) -> Optional[WhyEntry]:
    """That of the request for so many bytes, which may have been rounded up; its session may wait for others, too."""
    waiting = [entry for entry in entries if entry.waits]
    waiting.sort(key=lambda entry: (entry.refusal.asked_bytes < asked, entry.refusal.asked_bytes))
    return waiting[0] if waiting else None


def _is_notebook() -> bool:
    return "ipykernel" in sys.modules


def _columns(stream: TextIO) -> Optional[int]:
    """Of a terminal; None: it is none."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except (AttributeError, OSError, ValueError):
        return None


class Line:
    """Rewrites one line of a terminal or of a notebook's output."""

    def __init__(self, stream: Optional[TextIO] = None) -> None:
        self._stream = stream or sys.stderr
        self._width = 0

    def __call__(self, line: str) -> None:
        columns = _columns(self._stream)
        if columns and len(line) >= columns:  # a line that wraps can't be rewritten
            line = line[: columns - 4] + "..."
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
    """A wait that is shown: called with the seconds so far; asks the broker about once a second."""

    def __init__(self, session: int, socket: Optional[str], asked: int, progress: Optional[Progress]) -> None:
        self._session, self._socket, self._asked, self._progress = session, socket, asked, progress
        self._next = _FIRST
        self._was_shown = False

    def __call__(self, seconds: float) -> None:
        """About 20 times a second."""
        if self._progress is None or seconds < self._next:
            return
        self._next = seconds + _EVERY
        self._was_shown = True
        self._progress(describe(self._entry(), self._asked))

    def _entry(self) -> Optional[WhyEntry]:
        try:
            with _monitor.Monitor(self._socket, timeout=0.5) as monitor:
                return entry_of(monitor.why(self._session), self._asked)
        except (OSError, ValueError, KeyError):
            return None

    def end(self) -> None:
        """Clears the line."""
        if self._was_shown and self._progress is not None:
            self._was_shown = False
            self._progress("")


class Watches:
    """Makes the watches of one broker's waits. Only the socket is kept, so the broker can end meanwhile."""

    def __init__(self, socket: Optional[str], progress: ProgressOption) -> None:
        if progress is not None and not isinstance(progress, bool) and not callable(progress):
            raise TypeError(f"progress is a function of one line, True, False or None, not {progress!r}")
        self._socket, self._progress = socket, progress

    def __call__(self, session: int, asked: int) -> Watch:
        return Watch(session, self._socket, asked, self.shown())

    def shown(self) -> Optional[Progress]:
        """What shows a wait that begins now; None: nothing."""
        return default() if self._progress is True else self._progress or None
