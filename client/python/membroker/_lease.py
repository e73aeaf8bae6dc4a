# SPDX-License-Identifier: Apache-2.0
"""Leases and buffers: leased memory as Python's objects."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Optional, Tuple, Type, Union

from . import _native
from ._types import Location


class _Bytes:
    """Slices and items, as mmap has them: a slice is a copy. memoryview() makes slices without one."""

    def __getitem__(self, key: Union[int, slice]) -> Any:
        with memoryview(self) as view:  # type: ignore[arg-type]
            if isinstance(key, slice):
                return bytes(view[key])
            return view[key]

    def __setitem__(self, key: Union[int, slice], value: Any) -> None:
        with memoryview(self) as view:  # type: ignore[arg-type]
            view[key] = value

    @property
    def memory(self) -> memoryview:
        """All bytes, writable, without a copy."""
        return memoryview(self)  # type: ignore[arg-type]


class Lease(_Bytes, _native.Lease):
    """
    Leased memory, zero at first. It has the buffer protocol: memoryview(), numpy.frombuffer() and others use it without
    a copy.

    release(), or the end of a `with` block, gives it back. If views of it are alive, the end of the last one does. An
    array that has its address without a view, such as numpy.ndarray(buffer=lease), reads zeros afterwards. The use of a
    lost lease raises LeaseLost. Any thread may use it. Broker.acquire() makes it.
    """

    name: Optional[str]
    id: int
    ttl_ms: int
    huge_pages: bool
    location: Location
    file_bytes: int

    @classmethod
    def _acquire(cls, client: Any, arguments: Tuple[Any, ...], name: Optional[str]) -> "Lease":
        lease = cls(client, *arguments)
        number, location, ttl, huge, file_bytes = lease._properties()
        lease.name, lease.id, lease.ttl_ms, lease.huge_pages = name, number, ttl, bool(huge)
        lease.location, lease.file_bytes = Location(location), file_bytes
        return lease

    def __enter__(self) -> "Lease":
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], value: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.release()

    def __repr__(self) -> str:
        ending = "released when its last view is gone" if self._is_ending else "alive"
        state = "released" if self.released else self.lost_because or ending
        return f"<membroker.Lease {self.id}, {len(self)} bytes in {self.location.name}: {state}>"


class Buffer(_Bytes, _native.Buffer):
    """
    Reference-counted memory; the last reference to it, or to a view of it, frees it.

    It has the buffer protocol, `__array_interface__` (numpy.asarray()) and `__dlpack__` (torch.from_dlpack()), all
    without a copy. Its content is undefined unless it was asked for zeros. Any thread may use it. Broker.buffer() makes
    it.
    """

    name: Optional[str]

    @property
    def location(self) -> Location:
        """Where it is: RAM or MMAP."""
        return Location(self._location)

    def __repr__(self) -> str:
        return f"<membroker.Buffer, {len(self)} bytes in {self.location.name}>"
