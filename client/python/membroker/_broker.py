# SPDX-License-Identifier: Apache-2.0
"""The broker, as a program sees it."""

from __future__ import annotations

import os
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Tuple, Type, Union

from . import _arrays, _blocks, _errors, _monitor, _native, _objects, _progress, _types, _waits, _watch, _workspace
from ._blocks import Block, View
from ._lease import Buffer, Lease
from ._progress import ProgressOption
from ._sizes import MOST_BYTES, Size, to_bytes, to_ms
from ._types import Location, Pressure, to_location

if TYPE_CHECKING:
    import numpy

_NO_LIMIT_GIVEN = 0xFFFFFFFFFFFFFFFE
_HUGE_PAGES: Dict[Union[bool, str, None], int] = {False: 0, "try": 1, True: 2, None: 3}


def _limit(size: Optional[Size]) -> int:
    return _NO_LIMIT_GIVEN if size is None else to_bytes(size)


def _huge(choice: Union[bool, str, None]) -> int:
    if choice not in _HUGE_PAGES:
        raise ValueError(f'huge_pages is True, False, "try" or None, not {choice!r}')
    return _HUGE_PAGES[choice]


def _node(number: int) -> int:
    if number < -1:
        raise ValueError(f"numa_node is the number of a node, or -1 for any, not {number}")
    return number


def _arguments(
    size: Size,
    *,
    wait: Optional[float],
    location: Location,
    ttl: Optional[float],
    name: Optional[str],
    huge_pages: Union[bool, str, None],
    numa_node: int,
    prefault: bool,
    interleave: bool,
    file: Optional[str],
) -> Tuple[Any, ...]:
    """What the native lease takes, but for what is shown."""
    return (
        to_bytes(size), to_location(location), to_ms(ttl), name, _huge(huge_pages), _node(numa_node), prefault, file,
        to_ms(wait), interleave,
    )


class Broker(_arrays.Creation):
    """
    A session with the broker. It is a context manager: the end of the block closes it.

    Arrays, leases and buffers keep the session for as long as they live, also beyond close(). Any thread may use it. It
    is not pickled. connect() makes it.
    """

    def __init__(
        self,
        socket: Optional[Union[str, "os.PathLike[str]"]] = None,
        *,
        name: Optional[str] = None,
        heap: Optional[Size] = None,
        max_bytes: Optional[Size] = None,
        max_physical: Optional[Size] = None,
        timeout: Optional[float] = None,
        wait: Optional[float] = None,
        progress: ProgressOption = True,
        shared: bool = False,
    ) -> None:
        self._socket = None if socket is None else os.fsdecode(socket)
        self._watches = _progress.Watches(self._socket, progress)
        self._client = _native.Client(
            self._socket, name, _limit(heap), _limit(max_bytes), _limit(max_physical), to_ms(timeout), to_ms(wait),
            shared, self._watches,
        )
        self._capsules: Dict[int, Any] = {}
        self._own = threading.local()
        self._published = _blocks.Names()

    # ---- life ----

    def __reduce__(self) -> Any:
        raise TypeError("a broker belongs to its process, and is not pickled: call membroker.connect() in the other one")

    def close(self) -> None:
        """
        Ends this use of the session, this thread's workspaces, and the names of blocks that live as long as it. What lives
        keeps its memory. May be called again.
        """
        for workspace in self._own.__dict__.values():
            workspace.end()
        self._own.__dict__.clear()
        self._capsules.clear()
        self._published.is_closed = True
        while self._published:
            self._published.popitem()[1].release()
        self._client.close()

    @property
    def closed(self) -> bool:
        """Whether close() was called."""
        return bool(self._client.closed)

    def __enter__(self) -> "Broker":
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], value: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    @property
    def session(self) -> int:
        """The number of the session, as membrokerctl shows it."""
        return int(self._client.session)

    @property
    def pressure(self) -> Pressure:
        """The memory pressure of the machine. One load from shared memory."""
        return Pressure(self._client.pressure)

    @property
    def uses(self) -> int:
        """How many leases, buffers, arrays, handlers and running calls of this session there are."""
        return int(self._client.uses)

    def ping(self) -> None:
        """One round trip to the broker."""
        self._client.ping()

    def trim(self) -> None:
        """Gives free memory back to the broker now, not after a second."""
        self._client.trim()

    def wait_connected(self, timeout: float = 30.0) -> None:
        """Waits until there is a connection, in the old session or in a new one. BrokerTimeout: there is none."""
        self._client.wait_connected(to_ms(timeout))

    # ---- memory ----

    def acquire(
        self,
        size: Size,
        *,
        location: Location = Location.RAM,
        ttl: Optional[float] = None,
        name: Optional[str] = None,
        huge_pages: Union[bool, str, None] = None,
        numa_node: int = -1,
        prefault: bool = False,
        interleave: bool = False,
        file: Optional[str] = None,
        wait: Optional[float] = None,
        progress: ProgressOption = None,
    ) -> Lease:
        """
        Acquires a lease of `size` bytes, which are zero, and maps it.

        `wait` is how many seconds it may wait in the broker's queue; Ctrl-C ends the wait. `progress` is called with a
        line about the wait, False shows nothing, None is as connect() says. `name` is shown in listings. `ttl` is how
        many seconds the lease outlives its last renewal, which the library does by itself; None: the broker's default.

        For RAM, `huge_pages` is True, False, "try" (small pages if there are none) or None (the broker's default),
        `numa_node` binds the pages to a node, `interleave` spreads them over all nodes, and `prefault` makes the broker
        allocate all pages before the grant. For MMAP, `file` names a mapped file that stays.

        LimitError: the memory does not fit a limit. LeaseLost is raised at the use of a lease that was lost meanwhile.
        """
        watches = self._watches if progress is None else _progress.Watches(self._socket, progress)
        arguments = _arguments(
            size, wait=wait, location=location, ttl=ttl, name=name, huge_pages=huge_pages, numa_node=numa_node,
            prefault=prefault, interleave=interleave, file=file,
        )
        return Lease._acquire(self._client, (*arguments, watches), name)

    async def acquire_async(
        self,
        size: Size,
        *,
        location: Location = Location.RAM,
        ttl: Optional[float] = None,
        name: Optional[str] = None,
        huge_pages: Union[bool, str, None] = None,
        numa_node: int = -1,
        prefault: bool = False,
        interleave: bool = False,
        file: Optional[str] = None,
        wait: float = float("inf"),
        progress: ProgressOption = None,
    ) -> Lease:
        """
        As acquire(), for a coroutine: the event loop runs while the request waits, in a thread of its own. Cancelling the
        task cancels the wait, and so does close(), which raises ValueError in it. The options are those of acquire().
        """
        watches = self._watches if progress is None else _progress.Watches(self._socket, progress)
        arguments = _arguments(
            size, wait=wait, location=location, ttl=ttl, name=name, huge_pages=huge_pages, numa_node=numa_node,
            prefault=prefault, interleave=interleave, file=file,
        )
        cancelled = threading.Event()

        def acquire() -> Lease:
            return Lease._acquire(self._client, (*arguments, _waits.cancellable(watches, cancelled)), name)

        return await _waits.of_coroutine(acquire, Lease.release, cancelled)

    def buffer(
        self,
        size: Size,
        *,
        name: Optional[str] = None,
        location: Location = Location.RAM,
        zero: bool = False,
        alignment: int = 0,
    ) -> Buffer:
        """Allocates a tracked buffer. `alignment` is a power of two of at most 2 MiB; 0: 16 or 64."""
        buffer = Buffer(self._client, to_bytes(size), name, to_location(location), zero, alignment)
        buffer.name = name
        return buffer

    # ---- published blocks ----

    def publish(
        self,
        name: str,
        data: Any,
        *,
        type: Optional[str] = None,
        lifetime: str = "session",
        keep: Optional[float] = None,
        access: str = "user",
        group: Union[int, str, None] = None,
        replace: bool = False,
        wait: Optional[float] = None,
        progress: ProgressOption = None,
        huge_pages: Union[bool, str, None] = None,
        location: Location = Location.RAM,
    ) -> Block:
        """
        Copies the data into a block and publishes it under the name: others attach it without a copy, and nobody can change
        it. create_block() saves the copy.

        `data` is an array, a PyTorch tensor on the CPU, or anything with the buffer protocol or DLPack. Plain bytes are of the
        type "bytes", or of the `type` that is given, such as "arrow-stream".

        `lifetime` says when the name ends: "session" with unpublish() or close(), or when nothing refers to this broker;
        "keep" with unpublish(), or `keep` seconds later; "cache" also if memory is short and no process has a view. `access`
        is "user", "group" (`group` is its name or number; None: the process's own) or "all". With `replace` the block takes
        the name from the user's block that has it, in the same instant. `wait` and `progress` are those of acquire().
        `location` MMAP puts the block into a file of the broker; then `access` is "user".

        NameTaken: the user has a block of that name. LimitError: the memory does not fit a limit. TooMany: the user has
        `[sharing] max_blocks` blocks. TypeError: an array of objects, of fields or with a mask, or a table.
        """
        _blocks.checked_name(name)
        source, content = _blocks.of_data(data, type)
        block = self._block(content, lifetime, keep, access, group, replace, wait, progress, huge_pages, location)
        try:
            _blocks.copy(source, block)
            block.publish(name)
        except BaseException:
            block.release()
            raise
        return block

    def create_block(
        self,
        shape: Any,
        dtype: Any = float,
        order: str = "C",
        *,
        lifetime: str = "session",
        keep: Optional[float] = None,
        access: str = "user",
        group: Union[int, str, None] = None,
        replace: bool = False,
        wait: Optional[float] = None,
        progress: ProgressOption = None,
        huge_pages: Union[bool, str, None] = None,
        location: Location = Location.RAM,
    ) -> Block:
        """An array of zeros to fill, and then to publish without a copy: Block.array and Block.publish(). See publish()."""
        content = _blocks.of_array(dtype, _blocks.to_shape(shape), order)
        return self._block(content, lifetime, keep, access, group, replace, wait, progress, huge_pages, location)

    def create_bytes(
        self,
        size: Size,
        type: str = "bytes",
        *,
        lifetime: str = "session",
        keep: Optional[float] = None,
        access: str = "user",
        group: Union[int, str, None] = None,
        replace: bool = False,
        wait: Optional[float] = None,
        progress: ProgressOption = None,
        huge_pages: Union[bool, str, None] = None,
        location: Location = Location.RAM,
    ) -> Block:
        """As create_block(), for bytes of any `type`, such as "arrow-stream". The block has the buffer protocol."""
        content = _blocks.of_bytes(type, to_bytes(size))
        return self._block(content, lifetime, keep, access, group, replace, wait, progress, huge_pages, location)

    def _block(
        self,
        content: _blocks.Content,
        lifetime: str,
        keep: Optional[float],
        access: str,
        group: Union[int, str, None],
        replace: bool,
        wait: Optional[float],
        progress: ProgressOption,
        huge_pages: Union[bool, str, None],
        location: Location,
    ) -> Block:
        terms = _blocks.options(lifetime, keep, access, group, replace)
        watches = self._watches if progress is None else _progress.Watches(self._socket, progress)
        memory = (to_ms(wait), _huge(huge_pages), to_location(location), watches)
        return Block._create(self._client, content, terms, memory, self._published)

    def view(self, name: str, *, wait: Optional[float] = None, user: Union[int, str, None] = None) -> View:
        """
        Attaches this user's block of that name, or the `user`'s. `wait` is how many seconds to wait for it; Ctrl-C ends the
        wait, and so does close().

        NoSuchBlock: no block has the name. BlockEnded: one had, and the exception says why it ended. TooMany: the user has
        `[sharing] max_views` views. ValueError: its metadata describes no array.
        """
        return View._attach(self._client, _blocks.checked_name(name), _blocks.user_number(user), to_ms(wait))

    def attach(
        self, name: str, *, wait: Optional[float] = None, user: Union[int, str, None] = None
    ) -> "numpy.ndarray[Any, Any]":
        """The block of that name as a NumPy array that can only be read, without a copy. See view()."""
        return self.view(name, wait=wait, user=user).array

    async def view_async(
        self, name: str, *, wait: float = float("inf"), user: Union[int, str, None] = None
    ) -> View:
        """
        As view(), for a coroutine: the event loop runs while the block does not exist, and a thread of its own waits for it.
        Cancelling the task cancels the wait, and so does close(), which raises ValueError in it.
        """
        whose = _blocks.checked_name(name), _blocks.user_number(user), to_ms(wait)
        cancelled = threading.Event()
        watches = _waits.cancellable(_progress.Watches(self._socket, None), cancelled)
        return await _waits.of_coroutine(lambda: View._attach(self._client, *whose, watches), View.close, cancelled)

    async def attach_async(
        self, name: str, *, wait: float = float("inf"), user: Union[int, str, None] = None
    ) -> "numpy.ndarray[Any, Any]":
        """As attach(), for a coroutine. See view_async()."""
        return (await self.view_async(name, wait=wait, user=user)).array

    def unpublish(self, name: str) -> None:
        """Takes the name from this user's block. The views of it stay. NoSuchBlock: no block has the name."""
        self._client.unpublish(_blocks.checked_name(name))
        block = self._published.pop(name, None)
        if block is not None:
            block.release()

    def blocks(self) -> List[_types.BlockInfo]:
        """The published blocks of this user, and those that it may attach."""
        return [_types.to_block_info(fields) for fields in _native.list_blocks(self._client)]

    def watch(
        self, prefix: str = "", *, user: Union[int, str, None] = None, timeout: Optional[float] = None
    ) -> _watch.Watch:
        """
        Watches the names of this user's blocks, or of the `user`'s that this one may attach, that begin with `prefix`.

            for change in broker.watch("frames/", timeout=60):
                print(change.name, "has ended" if change.ended else "is there")

        The iterator ends if nothing happens for `timeout` seconds; without it, it never does. See Watch.
        """
        return _watch.begin(self._client, prefix, user, timeout)

    # ---- small objects ----

    def put(
        self,
        name: str,
        data: Any,
        *,
        lifetime: str = "session",
        access: str = "user",
        group: Union[int, str, None] = None,
    ) -> None:
        """
        Keeps a copy of the bytes (at most 32 KiB) as this user's object of that name, in the place of the one that has it: a
        reader gets the old bytes or the new ones. `data` is anything with the buffer protocol, but no array of objects and no
        masked array (TypeError).

        With `lifetime` "session" the object ends with the broker's last use in this process, with "keep" when it is
        removed; in both cases with the daemon. `access` and `group` are those of publish().

        LimitError: a limit on memory. TooMany: the user has as many objects, or as large boards, as `[sharing]` allows.
        """
        terms = _objects.options(lifetime, access, group)
        _native.put(self._client, _blocks.checked_name(name), _objects.content(data), *terms)

    def get(self, name: str, *, user: Union[int, str, None] = None) -> bytes:
        """
        A copy of the bytes of this user's object of that name, or the `user`'s. Objects of the own user are read without
        asking the daemon, except for the first one.

        NoSuchBlock: no object has the name, or this user may not get it.
        """
        return _native.get(self._client, _blocks.checked_name(name), _blocks.user_number(user))

    def remove(self, name: str) -> None:
        """Ends this user's object of that name. NoSuchBlock: no object has the name."""
        _native.remove(self._client, _blocks.checked_name(name))

    # ---- NumPy ----

    def numpy(self, location: Location = Location.RAM) -> _arrays.Handler:
        """A context manager: the arrays that NumPy makes in its block, in this context, are in leased memory."""
        return _arrays.Handler(self._capsule(location))

    def install_numpy(self, location: Location = Location.RAM) -> None:
        """All arrays of the process from now on, in all threads, are in leased memory."""
        _arrays.install(self._client, location)

    def _capsule(self, location: Location) -> Any:
        number = to_location(location)
        capsule = self._capsules.get(number)
        if capsule is None:
            capsule = self._capsules[number] = self._client.numpy_handler(number)
        return capsule

    def _handler(self) -> _arrays.Handler:
        return _arrays.Handler(self._capsule(Location.RAM))

    def workspace(
        self,
        name: str,
        *,
        initial: Size = 0,
        learning: str = "first",
        cycles: int = 0,
        overallocate: float = 0.3,
        maximum: Size = 0,
        spill: str = "external",
        location: Location = Location.RAM,
        ttl: Optional[float] = None,
    ) -> _workspace.Workspace:
        """This thread's workspace of that name, which is made if there is none. The options are WorkspaceOptions'."""
        options = _workspace.options(
            initial, learning, cycles, overallocate, maximum, spill, location, to_ms(ttl)
        )
        known: Dict[str, _workspace.Workspace] = self._own.__dict__
        workspace = known.get(name)
        if workspace is None:
            workspace = known[name] = _workspace.Workspace(self._client, name, options)
        elif workspace.options != options:
            raise ValueError(f"workspace {name!r} exists in this thread with other options")
        return workspace

    # ---- what the broker says ----

    def _ask(self, question: Callable[[_monitor.Monitor], Any]) -> Any:
        try:
            with _monitor.Monitor(self._socket) as monitor:
                return question(monitor)
        except (ConnectionError, FileNotFoundError) as error:
            raise _errors.BrokerConnectionError(f"the broker does not answer: {error}") from error
        except TimeoutError as error:
            raise _errors.BrokerTimeout(f"the broker does not answer: {error}") from error
        except OSError as error:
            raise _errors.SystemFailure(str(error)) from error

    def status(self) -> _types.Status:
        """The state of the broker."""
        status: _types.Status = self._ask(lambda monitor: monitor.status())
        return status

    def sessions(self) -> List[_types.SessionInfo]:
        """All sessions."""
        sessions: List[_types.SessionInfo] = self._ask(lambda monitor: monitor.sessions())
        return sessions

    def leases(self) -> List[_types.LeaseInfo]:
        """All leases that this user may see."""
        leases: List[_types.LeaseInfo] = self._ask(lambda monitor: monitor.leases())
        return leases

    def why(self) -> List[_types.WhyEntry]:
        """Why requests of this session wait, or were refused lately."""
        entries: List[_types.WhyEntry] = self._ask(lambda monitor: monitor.why(self._client.session))
        return entries

    def revoke(self, lease: Union[Lease, int]) -> None:
        """Takes a lease back, as an administrator does."""
        number: Any = getattr(lease, "id", lease)
        if not isinstance(number, int) or not 0 < number <= MOST_BYTES:
            raise ValueError(f"{number!r} is no lease: its number is Lease.id, or LeaseInfo.lease")
        self._ask(lambda monitor: monitor.revoke(number))

    def __repr__(self) -> str:
        return "<membroker.Broker, closed>" if self.closed else f"<membroker.Broker, session {self.session}>"
