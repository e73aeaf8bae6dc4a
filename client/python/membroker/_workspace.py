# SPDX-License-Identifier: Apache-2.0
"""Workspaces: memory for the arrays of a cycle, whose size is learned."""

from __future__ import annotations

import dataclasses
import math
import threading
from types import TracebackType
from typing import Any, Optional, Type

from . import _arrays, _native
from ._sizes import Size, to_bytes
from ._types import Location, to_location

_ALIGNMENT = 64


@dataclasses.dataclass(frozen=True)
class WorkspaceFigures:
    """What a workspace has done. Sizes are in bytes."""

    region_bytes: int
    used_bytes: int
    arrays: int
    cycle_bytes: int
    spilled_bytes: int
    spilled_count: int
    kept_regions: int


@dataclasses.dataclass(frozen=True)
class WorkspaceOptions:
    """
    How a workspace gets its size.

    `initial` is the size of the region; 0: it is learned. `learning` is "first" (from the first cycle that allocates),
    "over_time" (from the largest of `cycles` cycles) or "none". `overallocate` is the fraction that is added, `maximum`
    bounds the result (0: only the broker's limits). `spill` says what happens to an array that does not fit: "external"
    (it gets memory of its own), "grow" (the same, and the region grows to the largest cycle) or "fail".
    """

    initial: int = 0
    learning: str = "first"
    cycles: int = 0
    overallocate: float = 0.3
    maximum: int = 0
    spill: str = "external"
    location: Location = Location.RAM
    ttl_ms: int = 0

    def __post_init__(self) -> None:
        if self.learning not in ("first", "over_time", "none"):
            raise ValueError('learning is "first", "over_time" or "none"')
        if self.spill not in ("external", "grow", "fail"):
            raise ValueError('spill is "external", "grow" or "fail"')
        if not 0 <= self.overallocate < math.inf:
            raise ValueError("overallocate is a fraction that is added: 0 or more, and finite")
        if not isinstance(self.cycles, int) or self.cycles < 0:
            raise ValueError("cycles is a number of cycles")
        if self.learning == "over_time" and self.cycles < 1:
            raise ValueError('learning "over_time" needs cycles=, the number of cycles to look at')


class Workspace(_arrays.Creation):
    """
    Memory for the arrays of a cycle. Entering it begins a cycle; leaving it ends the cycle.

    An allocation moves a pointer. An array that outlives its cycle stays valid: it keeps the region that it is in, and
    the next cycle gets another region. So nothing is overwritten while an array, or a view of it, still refers to it.
    Only the thread that made the workspace may enter it; its arrays may go anywhere.
    """

    def __init__(self, client: Any, name: str, options: WorkspaceOptions) -> None:
        self.name = name
        self.options = options
        self._native = _native.Workspace(
            client, name, int(options.location), options.ttl_ms, options.spill != "fail" or options.initial == 0
        )
        self._capsule: Any = None
        self._size = self._with_bounds(options.initial)
        self._largest = 0
        self._learned_cycles = 0
        self._depth = 0
        self._thread = threading.get_ident()
        self.cycles = 0

    # ---- cycles ----

    def __enter__(self) -> "Workspace":
        if threading.get_ident() != self._thread:
            raise RuntimeError(f"workspace {self.name!r} belongs to another thread")
        if self._depth == 0:
            self._native.begin(self._size)
            self.cycles += 1
        self._depth += 1
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], value: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self._depth -= 1
        if self._depth:
            return
        self._learn()
        if kind is None:
            self.check()

    def check(self) -> None:
        """Raises LeaseLost if memory of this workspace is lost. The end of a cycle does it by itself."""
        self._native.check()

    def close(self) -> None:
        """Gives its memory back; what arrays still use, when they are gone."""
        if self._depth:
            raise RuntimeError(f"workspace {self.name!r} has an open cycle")
        self._native.close()

    def end(self) -> None:
        """As close(), if no cycle is open."""
        if not self._depth:
            self._native.close()

    # ---- its size ----

    def _with_bounds(self, bytes_: int) -> int:
        return min(bytes_, self.options.maximum) if self.options.maximum else bytes_

    def _learned(self) -> int:
        bytes_ = int(self._largest * (1 + self.options.overallocate))
        return self._with_bounds((bytes_ + _ALIGNMENT - 1) // _ALIGNMENT * _ALIGNMENT)

    def _learn(self) -> None:
        cycle = self._native.figures["cycle_bytes"]
        self._largest = max(self._largest, cycle)
        self._learned_cycles += 1 if cycle else 0
        if self._size == 0 and self.options.learning != "none":
            needed = self.options.cycles if self.options.learning == "over_time" else 1
            if self._learned_cycles >= needed:
                self._size = self._learned()
        elif self._size and self.options.spill == "grow" and self._largest > self._size:
            self._size = self._learned()

    @property
    def size(self) -> int:
        """The bytes of the region of the next cycle; 0: not learned yet."""
        return self._size

    @property
    def figures(self) -> WorkspaceFigures:
        """What it has done."""
        return WorkspaceFigures(**self._native.figures)

    # ---- arrays ----

    def _handler(self) -> _arrays.Handler:
        if self._depth == 0:
            raise RuntimeError(f"workspace {self.name!r} is not entered: its arrays live in a cycle (with workspace: ...)")
        if self._capsule is None:
            self._capsule = self._native.numpy_handler()
        return _arrays.Handler(self._capsule)

    def numpy(self) -> _arrays.Handler:
        """All arrays that NumPy makes in a block of this context are in the workspace."""
        return self._handler()


def options(
    initial: Size, learning: str, cycles: int, overallocate: float, maximum: Size, spill: str, location: Location,
    ttl_ms: int,
) -> WorkspaceOptions:
    """Options with sizes as people write them."""
    return WorkspaceOptions(
        to_bytes(initial), learning, cycles, overallocate, to_bytes(maximum), spill, Location(to_location(location)), ttl_ms
    )
