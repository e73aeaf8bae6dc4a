# SPDX-License-Identifier: Apache-2.0
"""
Memory that a broker grants: NumPy arrays, PyTorch tensors and plain bytes in leases of membrokerd.

    import membroker
    membroker.install_numpy()

From then on all arrays of the process are in leased memory. For a block only:

    with membroker.connect() as broker, broker.numpy():
        ...
"""

from __future__ import annotations

import atexit as _atexit
import errno as _errno
import os as _os
import threading as _threading
from typing import Any as _Any
from typing import Dict as _Dict
from typing import Optional as _Optional
from typing import Union as _Union

from . import _forks, _native
from ._arrays import uninstall as uninstall_numpy
from ._blocks import Block, View
from ._broker import Broker
from ._errors import (
    BlockEnded,
    BrokerConnectionError,
    BrokerPermissionError,
    BrokerTimeout,
    Error,
    InvalidArgument,
    LeaseLost,
    LimitError,
    NameTaken,
    NoSuchBlock,
    StillWritable,
    SystemFailure,
    TooMany,
    WaitCancelled,
)
from ._lease import Buffer, Lease
from ._progress import ProgressOption as _ProgressOption
from ._sizes import Size as _Size
from ._types import (
    Access,
    BlockInfo,
    Counters,
    EndReason,
    Holder,
    LeaseInfo,
    Lifetime,
    Limits,
    Location,
    Pressure,
    Refusal,
    SessionInfo,
    Status,
    WhyEntry,
)
from ._watch import BlockChange, Watch
from ._workspace import Workspace, WorkspaceFigures, WorkspaceOptions

__version__ = "0.1.0"
library_version: str = _native.library_version
RAM, MMAP, AUTO = Location.RAM, Location.MMAP, Location.AUTO

__all__ = [
    "AUTO", "MMAP", "RAM", "Access", "Block", "BlockChange", "BlockEnded", "BlockInfo", "Broker",
    "BrokerConnectionError",
    "BrokerPermissionError", "BrokerTimeout", "Buffer", "Counters", "EndReason", "Error", "Holder", "InvalidArgument",
    "Lease", "LeaseInfo", "LeaseLost", "Lifetime", "LimitError", "Limits", "Location", "NameTaken", "NoSuchBlock",
    "Pressure", "Refusal", "SessionInfo", "Status", "StillWritable", "SystemFailure", "TooMany", "View", "WaitCancelled",
    "Watch", "WhyEntry", "Workspace", "WorkspaceFigures", "WorkspaceOptions", "connect", "install_numpy", "library_version",
    "shared", "uninstall_numpy",
]

_shared: _Optional[Broker] = None
_lock = _threading.Lock()


def connect(
    socket: _Optional[_Union[str, "_os.PathLike[str]"]] = None,
    *,
    name: _Optional[str] = None,
    heap: _Optional[_Size] = None,
    max_bytes: _Optional[_Size] = None,
    max_physical: _Optional[_Size] = None,
    timeout: _Optional[float] = None,
    wait: _Optional[float] = None,
    progress: _ProgressOption = True,
    shared: _Optional[bool] = None,
) -> Broker:
    """
    Connects to the broker. Without arguments it is a use of the session that the process shares, with other libraries
    too; otherwise a session of its own. `shared` decides it for sure.

    `name` is shown in listings; `heap`, `max_bytes` and `max_physical` are this client's own limits, as 1000000 or "2G".
    `timeout` and `wait` are in seconds: how long a call waits for an answer, and an array, a buffer or a workspace for
    memory. `progress` is what long waits show: True is a line if somebody looks, False nothing, a function gets the line.
    """
    options: _Dict[str, _Any] = dict(
        name=name, heap=heap, max_bytes=max_bytes, max_physical=max_physical, timeout=timeout, wait=wait
    )
    is_plain = socket is None and all(value is None for value in options.values())
    if shared is False or not (shared or is_plain):
        return Broker(socket, progress=progress, **options)
    try:
        return Broker(socket, progress=progress, shared=True, **options)
    except Error as error:
        if shared or error.errno != _errno.EEXIST:
            raise
        return Broker(progress=progress)  # another library shares a session that loses memory in another way


def shared() -> Broker:
    """The broker of this process, connected at the first call with the defaults, and again if it was closed."""
    global _shared
    with _lock:
        if _shared is None or _shared.closed or _shared._client.inherited:
            _shared = connect()
        return _shared


def install_numpy(broker: _Optional[Broker] = None, location: Location = Location.RAM) -> Broker:
    """
    All arrays that NumPy makes from now on, in all threads of the process, are in leased memory. Returns the broker,
    which is the process's own one unless one is given. A forked child has NumPy's own memory until it calls this.
    """
    chosen = shared() if broker is None else broker
    if not isinstance(chosen, Broker):
        raise TypeError(f"a broker is expected, as connect() returns it, not {chosen!r}")
    chosen.install_numpy(location)
    return chosen


_atexit.register(_native.stop)
