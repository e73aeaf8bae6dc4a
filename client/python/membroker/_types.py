# SPDX-License-Identifier: Apache-2.0
"""What the broker reports, as dataclasses. Sizes are in bytes, durations in milliseconds."""

from __future__ import annotations

import dataclasses
import enum
from typing import Any, Dict, List, Optional


class Location(enum.IntEnum):
    """Where memory is: in RAM, in a mapped file, or in RAM if it fits now and otherwise in a file."""

    RAM = 1
    MMAP = 2
    AUTO = 3


class Pressure(enum.IntEnum):
    """The memory pressure of the machine."""

    NONE = 0
    SOME = 1
    FULL = 2


def _number(number: int) -> int:
    return dataclasses.field(default=0, metadata={"number": number, "kind": int})


def _optional(number: int) -> Optional[int]:
    return dataclasses.field(default=None, metadata={"number": number, "kind": int})


def _signed(number: int) -> int:
    return dataclasses.field(default=0, metadata={"number": number, "kind": "signed"})


def _flag(number: int) -> bool:
    return dataclasses.field(default=False, metadata={"number": number, "kind": bool})


def _text(number: int) -> str:
    return dataclasses.field(default="", metadata={"number": number, "kind": str})


def _one(number: int, kind: type) -> Any:
    return dataclasses.field(default_factory=kind, metadata={"number": number, "kind": kind})


def _many(number: int, kind: type) -> Any:
    return dataclasses.field(default_factory=list, metadata={"number": number, "kind": [kind]})


def _enum(number: int, kind: type, default: int) -> Any:
    return dataclasses.field(default=kind(default), metadata={"number": number, "kind": kind})


@dataclasses.dataclass(frozen=True)
class Limits:
    """Byte limits; None: there is no such limit."""

    max_bytes: Optional[int] = _optional(1)
    max_physical_bytes: Optional[int] = _optional(2)
    max_mapped_bytes: Optional[int] = _optional(3)


@dataclasses.dataclass(frozen=True)
class Counters:
    """Counted since the start of the daemon."""

    granted: int = _number(1)
    released: int = _number(2)
    expired: int = _number(3)
    revoked: int = _number(4)
    died: int = _number(5)
    refused: int = _number(6)
    extended: int = _number(7)


@dataclasses.dataclass(frozen=True)
class Status:
    """The state of the broker."""

    version: str = _text(1)
    pid: int = _signed(2)
    uptime_ms: int = _number(3)
    limits: Limits = _one(4, Limits)
    used_bytes: int = _number(5)
    used_physical_bytes: int = _number(6)
    used_mapped_bytes: int = _number(7)
    freeing_bytes: int = _number(8)
    sessions: int = _number(9)
    leases: int = _number(10)
    segments: int = _number(11)
    counters: Counters = _one(12, Counters)
    host_total_bytes: int = _number(13)
    host_available_bytes: int = _number(14)
    spill_directory: str = _text(15)
    pooled_bytes: int = _number(17)
    waiting: int = _number(20)
    reserved_bytes: int = _number(21)
    pressure: Pressure = _enum(22, Pressure, 0)


@dataclasses.dataclass(frozen=True)
class SessionInfo:
    """One client's session."""

    session: int = _number(1)
    name: str = _text(2)
    pid: int = _signed(3)
    uid: int = _number(4)
    gid: int = _number(5)
    connected: bool = _flag(6)
    leases: int = _number(7)
    physical_bytes: int = _number(8)
    mapped_bytes: int = _number(9)
    limits: Limits = _one(10, Limits)
    client_class: str = _text(11)


@dataclasses.dataclass(frozen=True)
class LeaseInfo:
    """One lease of any client."""

    lease: int = _number(1)
    session: int = _number(2)
    name: str = _text(3)
    pid: int = _signed(4)
    uid: int = _number(5)
    bytes: int = _number(6)
    used_bytes: int = _number(7)
    location: Location = _enum(8, Location, 1)
    extents: int = _number(9)
    ttl_ms: int = _number(10)
    remaining_ms: int = _number(11)
    huge_pages: bool = _flag(12)
    client: str = _text(15)


@dataclasses.dataclass(frozen=True)
class Holder:
    """Who holds memory, or waits for it."""

    session: int = _number(1)
    name: str = _text(2)
    pid: int = _signed(3)
    uid: int = _number(4)
    bytes: int = _number(5)


@dataclasses.dataclass(frozen=True)
class Refusal:
    """The numbers of the limit that stands in the way of a request."""

    limit: str = _text(1)
    whose: str = _text(2)
    limit_bytes: Optional[int] = _optional(3)
    asked_bytes: int = _number(4)
    used_bytes: int = _number(5)
    free_bytes: int = _number(6)
    holders: List[Holder] = _many(7, Holder)
    reserved_bytes: int = _number(8)
    claimed_bytes: int = _number(9)
    pool_bytes: int = _number(10)
    ahead: List[Holder] = _many(11, Holder)


@dataclasses.dataclass(frozen=True)
class WhyEntry:
    """Why a request waits, or was refused in the last ten minutes."""

    session: int = _number(1)
    name: str = _text(2)
    pid: int = _signed(3)
    uid: int = _number(4)
    waits: bool = _flag(5)
    place: int = _number(6)
    since_ms: int = _number(7)
    location: Location = _enum(8, Location, 1)
    refusal: Refusal = _one(9, Refusal)
    earliest_ms: Optional[int] = _optional(10)


def from_wire(kind: type, values: Dict[int, List[Any]]) -> Any:
    """Makes a dataclass of this module from the fields of a message, as _wire.parse() returns them."""
    found: Dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        raw = values.get(field.metadata["number"])
        if raw:
            found[field.name] = _convert(field.metadata["kind"], raw)
    return kind(**found)


def _convert(kind: Any, raw: List[Any]) -> Any:
    from . import _wire

    if isinstance(kind, list):
        return [from_wire(kind[0], _wire.parse(value)) for value in raw]
    value = raw[-1]
    if kind is str:
        return value.decode("utf-8", "replace")
    if kind == "signed":
        return value - (1 << 64) if value >> 63 else value
    if kind is int:
        return value
    if kind is bool:
        return bool(value)
    if issubclass(kind, enum.IntEnum):
        return kind(value) if value in kind._value2member_map_ else value
    return from_wire(kind, _wire.parse(value))
