# SPDX-License-Identifier: Apache-2.0
"""Questions about the broker, on a connection of their own that can hold no memory."""

from __future__ import annotations

import os
import socket as sockets
import struct
from types import TracebackType
from typing import Any, Dict, List, Optional, Type

from . import _types, _wire

_FRAME_BYTES_MAX = 4 + 65536
_HELLO, _STATUS, _LIST, _REVOKE, _WHY = 2, 7, 8, 9, 15
_A_ERROR, _A_STATUS, _A_LISTING, _A_WHY = 3, 8, 9, 12
_SESSIONS, _LEASES = 0, 1
_PROTOCOL = 2


def socket_path(given: Optional[str]) -> str:
    """Where the broker listens: as the library looks for it."""
    if given:
        return given
    named = os.environ.get("MEMBROKER_SOCKET")
    if named:
        return named
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    own = os.path.join(runtime, "membroker", "membroker.sock") if runtime else ""
    return own if own and os.path.exists(own) else "/run/membroker/membroker.sock"


class Monitor:
    """A connection for questions. Raises OSError if there is no broker or it refuses an answer."""

    def __init__(self, path: Optional[str] = None, timeout: float = 30.0) -> None:
        self._next = 1
        self._socket = sockets.socket(sockets.AF_UNIX, sockets.SOCK_SEQPACKET | sockets.SOCK_CLOEXEC)
        try:
            self._socket.settimeout(timeout)
            self._socket.connect(socket_path(path))
            hello = _wire.field(1, 1) + _wire.field(2, _PROTOCOL) + _wire.field(3, b"python") + _wire.field(7, 1)
            self._ask(_HELLO, hello)
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> "Monitor":
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], value: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection."""
        self._socket.close()

    def _ask(self, request: int, body: bytes) -> Dict[int, List[Any]]:
        number, self._next = self._next, self._next + 1
        payload = _wire.field(1, number) + _wire.field(request, body)
        self._socket.sendall(struct.pack("<I", len(payload)) + payload)
        while True:
            packet = self._socket.recv(_FRAME_BYTES_MAX)
            if not packet:
                raise ConnectionResetError("the broker closed the connection")
            answer = _wire.parse(packet[4:])
            if answer.get(1, [None])[-1] == number:
                break
        if _A_ERROR in answer:
            error = _wire.parse(answer[_A_ERROR][-1])
            raise OSError(error.get(2, [b"the broker refused the request"])[-1].decode("utf-8", "replace"))
        return answer

    def status(self) -> _types.Status:
        """The state of the broker."""
        answer = self._ask(_STATUS, b"")
        status: _types.Status = _types.from_wire(_types.Status, _wire.parse(answer[_A_STATUS][-1]))
        return status

    def _list(self, what: int, field: int, kind: Type[Any], key: str) -> List[Any]:
        found: List[Any] = []
        while True:
            after = getattr(found[-1], key) if found else 0
            answer = self._ask(_LIST, _wire.field(1, what) + _wire.field(2, after))
            listing = _wire.parse(answer[_A_LISTING][-1])
            page = [_types.from_wire(kind, _wire.parse(entry)) for entry in listing.get(field, [])]
            found += page
            if not page or not listing.get(3, [0])[-1]:
                return found

    def sessions(self) -> List[_types.SessionInfo]:
        """All sessions, ordered by number."""
        return self._list(_SESSIONS, 1, _types.SessionInfo, "session")

    def leases(self) -> List[_types.LeaseInfo]:
        """All leases that this user may see, ordered by number."""
        return self._list(_LEASES, 2, _types.LeaseInfo, "lease")

    def why(self, session: int = 0) -> List[_types.WhyEntry]:
        """Why requests wait or were refused; of one session, or of all (0)."""
        answer = self._ask(_WHY, _wire.field(1, session))
        report = _wire.parse(answer[_A_WHY][-1])
        return [_types.from_wire(_types.WhyEntry, _wire.parse(entry)) for entry in report.get(1, [])]

    def revoke(self, lease: int) -> None:
        """Takes a lease back. Users may revoke their own leases, administrators all."""
        self._ask(_REVOKE, _wire.field(1, lease))
