# SPDX-License-Identifier: Apache-2.0
"""What the broker reports, as dataclasses. Sizes are in bytes, durations in milliseconds."""

from __future__ import annotations

import dataclasses
import enum
from typing import Any, Callable, Dict, List, Optional, Sequence

from . import _wire


class Location(enum.IntEnum):
    """Where memory is: in RAM, in a mapped file, or in RAM if it fits now and otherwise in a file."""

    RAM = 1
    MMAP = 2
    AUTO = 3


def to_location(location: Location) -> int:
    """Its number. ValueError: it is none."""
    try:
        return int(Location(location))
    except ValueError:
        raise ValueError(f"location is membroker.RAM, MMAP or AUTO, not {location!r}") from None


class EndReason(enum.IntEnum):
    """Why a lease or a block has ended."""

    NONE = 0
    RELEASED = 1
    EXPIRED = 2
    REVOKED = 3
    DIED = 4
    DISCONNECTED = 5
    SHUTDOWN = 6
    TAMPERED = 7
    UNPUBLISHED = 8
    REPLACED = 9
    EVICTED = 10
    BROKER_GONE = 100


def to_end_reason(number: int) -> EndReason:
    """NONE: this version of the package does not know it."""
    return EndReason(number) if number in EndReason._value2member_map_ else EndReason.NONE


class Lifetime(enum.IntEnum):
    """When a block's name ends: with its publisher, when it is unpublished, or if memory is short."""

    SESSION = 0
    KEEP = 1
    CACHE = 2


class Access(enum.IntEnum):
    """Who may attach a block: its owner, a group, too, or all users."""

    USER = 0
    GROUP = 1
    ALL = 2


class Pressure(enum.IntEnum):
    """The memory pressure of the machine."""

    NONE = 0
    SOME = 1
    FULL = 2


def _at(number: int, default: Callable[[], Any] = lambda: None, of: Optional[type] = None) -> Any:
    """
    A field with its number in the protocol. `default` makes its value if the broker did not send it. `of` is the type of
    a value (of an element, if the field is a list); without it, that is `default` if it is a type, otherwise int.
    """
    kind = of or (default if isinstance(default, type) else int)
    return dataclasses.field(
        default_factory=default, metadata={"number": number, "kind": kind, "is_many": default is list}
    )


@dataclasses.dataclass(frozen=True)
class Limits:
    """Byte limits; None: there is no such limit."""

    max_bytes: Optional[int] = _at(1)
    max_physical_bytes: Optional[int] = _at(2)
    max_mapped_bytes: Optional[int] = _at(3)


@dataclasses.dataclass(frozen=True)
class Counters:
    """Counted since the start of the daemon."""

    granted: int = _at(1, int)
    released: int = _at(2, int)
    expired: int = _at(3, int)
    revoked: int = _at(4, int)
    died: int = _at(5, int)
    refused: int = _at(6, int)
    extended: int = _at(7, int)


@dataclasses.dataclass(frozen=True)
class Status:
    """The state of the broker."""

    version: str = _at(1, str)
    pid: int = _at(2, int)
    uptime_ms: int = _at(3, int)
    limits: Limits = _at(4, Limits)
    used_bytes: int = _at(5, int)
    used_physical_bytes: int = _at(6, int)
    used_mapped_bytes: int = _at(7, int)
    freeing_bytes: int = _at(8, int)
    sessions: int = _at(9, int)
    leases: int = _at(10, int)
    segments: int = _at(11, int)
    counters: Counters = _at(12, Counters)
    host_total_bytes: int = _at(13, int)
    host_available_bytes: int = _at(14, int)
    spill_directory: str = _at(15, str)
    pooled_bytes: int = _at(17, int)
    waiting: int = _at(20, int)
    reserved_bytes: int = _at(21, int)
    pressure: Pressure = _at(22, lambda: Pressure.NONE, of=Pressure)


@dataclasses.dataclass(frozen=True)
class Client:
    """A session, and the process that it belongs to."""

    session: int = _at(1, int)
    name: str = _at(2, str)
    pid: int = _at(3, int)
    uid: int = _at(4, int)


@dataclasses.dataclass(frozen=True)
class SessionInfo(Client):
    """One client's session."""

    gid: int = _at(5, int)
    connected: bool = _at(6, bool)
    leases: int = _at(7, int)
    physical_bytes: int = _at(8, int)
    mapped_bytes: int = _at(9, int)
    limits: Limits = _at(10, Limits)
    client_class: str = _at(11, str)


@dataclasses.dataclass(frozen=True)
class LeaseInfo:
    """One lease of any client. `block` is the number of the block that it is a view of, or that was published from it."""

    lease: int = _at(1, int)
    session: int = _at(2, int)
    name: str = _at(3, str)
    pid: int = _at(4, int)
    uid: int = _at(5, int)
    bytes: int = _at(6, int)
    used_bytes: int = _at(7, int)
    location: Location = _at(8, lambda: Location.RAM, of=Location)
    extents: int = _at(9, int)
    ttl_ms: int = _at(10, int)
    remaining_ms: int = _at(11, int)
    huge_pages: bool = _at(12, bool)
    client: str = _at(15, str)
    block: Optional[int] = _at(19)


@dataclasses.dataclass(frozen=True)
class BlockInfo:
    """A published block. `gid` is the group of Access.GROUP. `ended` is why it has no name any more, though a view keeps it."""

    block: int = _at(1, int)
    uid: int = _at(2, int)
    name: str = _at(3, str)
    type: str = _at(4, str)
    bytes: int = _at(5, int)
    views: int = _at(6, int)
    lifetime: Lifetime = _at(7, lambda: Lifetime.SESSION, of=Lifetime)
    access: Access = _at(8, lambda: Access.USER, of=Access)
    gid: int = _at(9, int)
    age_ms: int = _at(10, int)
    keep_ms: Optional[int] = _at(11)
    publisher: Optional[int] = _at(12)
    ended: EndReason = _at(13, lambda: EndReason.NONE, of=EndReason)
    location: Location = _at(14, lambda: Location.RAM, of=Location)


@dataclasses.dataclass(frozen=True)
class Holder(Client):
    """Who holds memory, or waits for it."""

    bytes: int = _at(5, int)


_UNITS = {
    "max_leases": "leases",
    "max_blocks": "blocks",
    "max_views": "views",
    "max_objects": "objects",
    "max_watches": "watches",
    "max_watches_per_user": "watches",
}


def unit_of(limit: str) -> str:
    """What the figures of a limit count."""
    return _UNITS.get(limit, "bytes")


@dataclasses.dataclass(frozen=True)
class Refusal:
    """The numbers of the limit that stands in the way of a request. `unit` says what they count."""

    limit: str = _at(1, str)
    whose: str = _at(2, str)
    limit_bytes: Optional[int] = _at(3)
    asked_bytes: int = _at(4, int)
    used_bytes: int = _at(5, int)
    free_bytes: int = _at(6, int)
    holders: List[Holder] = _at(7, list, of=Holder)
    reserved_bytes: int = _at(8, int)
    claimed_bytes: int = _at(9, int)
    pool_bytes: int = _at(10, int)
    ahead: List[Holder] = _at(11, list, of=Holder)

    @property
    def unit(self) -> str:
        """Of the numbers: "bytes", or what a limit on a number counts: "leases", "blocks", "views", "objects", "watches"."""
        return unit_of(self.limit)


@dataclasses.dataclass(frozen=True)
class WhyEntry(Client):
    """
    Why a request waits, or was refused in the last ten minutes. `location` is None if it was about no memory in a place, but
    about one block, view, object or watch more.
    """

    waits: bool = _at(5, bool)
    place: int = _at(6, int)
    since_ms: int = _at(7, int)
    location: Optional[Location] = _at(8, of=Location)
    refusal: Refusal = _at(9, Refusal)
    earliest_ms: Optional[int] = _at(10)


def from_wire(kind: type, values: Dict[int, List[Any]]) -> Any:
    """Makes a dataclass of this module from the fields of a message, as _wire.parse() returns them."""
    found: Dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        raw = values.get(field.metadata["number"])
        if raw:
            converted = [_convert(field.metadata["kind"], value) for value in raw]
            found[field.name] = converted if field.metadata["is_many"] else converted[-1]
    return kind(**found)


def _convert(kind: Any, value: Any) -> Any:
    if kind is str:
        return value.decode("utf-8", "replace")
    if issubclass(kind, enum.IntEnum):
        if value in kind._value2member_map_:
            return kind(value)
        return value or None  # a newer broker may know more of them; 0 is unspecified
    return from_wire(kind, _wire.parse(value)) if dataclasses.is_dataclass(kind) else kind(value)


def to_block_info(values: Sequence[Any]) -> BlockInfo:
    """From what its fields have, in their order. A text is bytes; None: there is none."""
    kinds = (field.metadata["kind"] for field in dataclasses.fields(BlockInfo))
    converted: List[Any] = [None if value is None else _convert(kind, value) for kind, value in zip(kinds, values)]
    return BlockInfo(*converted)
