# SPDX-License-Identifier: Apache-2.0
"""The exceptions, each with the library's sentence."""

from __future__ import annotations

import errno as numbers
from typing import Any, Dict, List, Optional, Type

from . import _monitor, _native
from ._types import Holder, WhyEntry


class Error(Exception):
    """The base of all exceptions of this package. `errno` is the library's number, or 0."""

    errno: int = 0


class LimitError(MemoryError, Error):
    """
    The memory does not fit a limit. The message says which, and what to do.

    `limit` is the setting's name, `whose` whose limit it is, `asked`, `used` and `free` are bytes of it, `holders` the
    largest holders. They are None, or empty, if the broker could not be asked for them.
    """

    limit: Optional[str] = None
    whose: Optional[str] = None
    allowed: Optional[int] = None
    asked: Optional[int] = None
    used: Optional[int] = None
    free: Optional[int] = None
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


class InvalidArgument(Error, ValueError):
    """An argument is not valid."""


class SystemFailure(Error, OSError):
    """Anything else that the library reports."""


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


def newest_refusal(entries: List[WhyEntry]) -> Optional[WhyEntry]:
    """The refusal that was last, of those that do not wait."""
    refused = [entry for entry in entries if not entry.waits]
    return min(refused, key=lambda entry: entry.since_ms) if refused else None


def _add_figures(error: LimitError, session: int, socket: Optional[str]) -> None:
    try:
        with _monitor.Monitor(socket, timeout=2.0) as monitor:
            entry = newest_refusal(monitor.why(session))
    except (OSError, ValueError, KeyError):
        return
    if entry and entry.refusal.limit and entry.refusal.limit in str(error):  # otherwise the library itself refused
        refusal = entry.refusal
        error.limit, error.whose, error.allowed = refusal.limit, refusal.whose, refusal.limit_bytes
        error.asked, error.used, error.free = refusal.asked_bytes, refusal.used_bytes, refusal.free_bytes
        error.holders = refusal.holders


sockets: Dict[int, Optional[str]] = {}
"""The socket of each session of this process."""


def make(number: int, sentence: str, session: int) -> Error:
    """The exception for a failure of the library."""
    kind = _KINDS.get(number, SystemFailure)
    error: Error = kind(sentence)
    error.errno = number
    if isinstance(error, LimitError) and session:
        _add_figures(error, session, sockets.get(session))
    return error


def of_allocation() -> Optional[Error]:
    """The exception for what an allocation of this thread failed with just now; None: nothing did."""
    failure: Any = _native.take_failure()
    return make(*failure) if failure else None


_native.set_error_factory(make)
