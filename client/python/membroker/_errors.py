# SPDX-License-Identifier: Apache-2.0
"""The exceptions, each with the library's sentence."""

from __future__ import annotations

import errno as numbers
from typing import Any, Dict, List, Optional, Tuple, Type

from . import _native
from ._types import EndReason, Holder, to_end_reason, unit_of


class Error(Exception):
    """The base of all exceptions of this package. `errno` is the library's number, or 0."""

    errno: int = 0


class LimitError(MemoryError, Error):
    """
    The memory does not fit a limit. The message says which, and what to do.

    `limit` is the setting's name, `whose` whose limit it is, `asked`, `used` and `free` are bytes of it, `holders` the
    largest holders. They are None, or empty, if the library does not know them, as when the
    kernel has no huge pages. `may_fit_later` is False if the limit itself is smaller than the request.
    """

    limit: Optional[str] = None
    whose: Optional[str] = None
    allowed: Optional[int] = None
    asked: Optional[int] = None
    used: Optional[int] = None
    free: Optional[int] = None
    may_fit_later: bool = True
    holders: List[Holder] = []


class LeaseLost(Error, RuntimeError):
    """
    A lease has ended while this process used it. What its arrays contain is gone; they read as zeros.

    It is raised at the next use of a Lease or Buffer, and for arrays in the main thread at its next safe point, and in
    the thread that touched the memory.
    """

    errno = numbers.ESTALE
    sentence = ""  # of a class that is made for one loss: another thread's exception is raised without arguments

    def __str__(self) -> str:
        return super().__str__() or self.sentence

    def __reduce__(self) -> Any:
        return LeaseLost, (str(self),)


class BrokerConnectionError(Error, ConnectionError):
    """There is no broker, or the connection to it broke."""


class BrokerTimeout(BrokerConnectionError, TimeoutError):
    """The broker did not answer in time."""


class BrokerPermissionError(Error, PermissionError):
    """This user, or a forked child, may not do that."""


class WaitCancelled(Error):
    """The wait in the broker's queue was cancelled."""


class NoSuchBlock(Error, LookupError):
    """No block (or, of get() and remove(), no object) has the name, or this user may not have it."""


class BlockEnded(NoSuchBlock):
    """The block that had the name has ended. `reason` says why, such as EndReason.EVICTED."""

    reason: EndReason = EndReason.NONE


class NameTaken(Error, ValueError):
    """This user has another block of that name."""


class StillWritable(Error, BufferError):
    """
    Something else can still write to the memory that was to be published: a forked child, a buffer that is registered with
    io_uring, or a system call that fills it. End that, and publish again.
    """


class InvalidArgument(Error, ValueError):
    """An argument is not valid."""


class SystemFailure(Error, OSError):
    """Anything else that the library reports."""


class TooMany(SystemFailure):
    """
    A limit of `[sharing]` is reached, such as `max_blocks`. `errno` is EMFILE.

    `limit` is the setting's name, `whose` whose limit it is. `unit` says what `allowed`, `used` and `free` count: "blocks",
    "views", "objects" or "watches", or "bytes" of `max_board_bytes`.
    """

    limit: str = ""
    whose: str = ""
    unit: str = ""
    allowed: Optional[int] = None
    used: int = 0
    free: int = 0


_KINDS: Dict[int, Type[Error]] = {
    numbers.EINVAL: InvalidArgument,
    numbers.ENOMEM: LimitError,
    numbers.ENOSPC: LimitError,
    numbers.ESTALE: LeaseLost,
    numbers.ENOTCONN: BrokerConnectionError,
    numbers.EPROTO: BrokerConnectionError,
    numbers.ESHUTDOWN: BrokerConnectionError,
    numbers.ETIMEDOUT: BrokerTimeout,
    numbers.EACCES: BrokerPermissionError,
    numbers.EPERM: BrokerPermissionError,
    numbers.ECANCELED: WaitCancelled,
}


_OF_BLOCKS: Dict[int, Type[Error]] = {
    numbers.ENOENT: NoSuchBlock,
    numbers.ESTALE: BlockEnded,
    numbers.EEXIST: NameTaken,
    numbers.EBUSY: StillWritable,
}


def make(number: int, sentence: str, figures: Optional[_native.Figures], ended: Optional[int] = None) -> Error:
    """The exception for a failure of the library. `ended`: why a published block has ended; None: it is about none."""
    kinds = _KINDS if ended is None else {**_KINDS, **_OF_BLOCKS}
    kind = kinds.get(number, TooMany if number == numbers.EMFILE and figures else SystemFailure)
    error: Error = kind(sentence)
    error.errno = number
    if isinstance(error, BlockEnded) and ended:
        error.reason = to_end_reason(ended)
    if isinstance(error, LimitError) and figures:
        error.limit, error.whose, error.allowed, error.asked, error.used, error.free, later, holders = figures
        error.may_fit_later = later
        error.holders = [Holder(*holder) for holder in holders]
    if isinstance(error, TooMany) and figures:
        error.limit, error.whose, error.allowed, _, error.used, error.free = figures[:6]
        error.unit = unit_of(error.limit)
    return error


def of_allocation(bytes_: Optional[int] = None) -> Optional[Error]:
    """
    The exception for what an allocation of this thread failed with just now. None: nothing did, or it was an allocation
    of another size than `bytes_`.
    """
    failure = _native.take_failure()
    if failure is None:
        return None
    number, sentence, figures, asked = failure
    return make(number, sentence, figures) if bytes_ is None or bytes_ == asked else None


_native.set_error_factory(make)
