# SPDX-License-Identifier: Apache-2.0
"""Published blocks: what their bytes are, and blocks and views as Python's objects."""

from __future__ import annotations

import dataclasses
import grp
import json
import math
import operator
import os
import pwd
import re
import sys
import weakref
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Tuple, Type, Union

from . import _native
from ._arrays import numpy_module
from ._sizes import to_ms

if TYPE_CHECKING:
    import numpy

NAME_BYTES_MAX = 63
ARRAY, BYTES = "array", "bytes"
_TYPE_STRING = re.compile(r"[<>|](?:b1|[iu][1248]|f[248]|c(?:8|16)|[SU][1-9]\d{0,8}|[mM]8(?:\[\d*\w+\])?)")
_BFLOAT16 = "bfloat16"
DLPACK_UNSIGNED, DLPACK_BOOL, _DLPACK_BFLOAT = 1, 6, 4
_DLPACK_CODES = {"i": 0, "u": DLPACK_UNSIGNED, "f": 2, "c": 5, "b": DLPACK_BOOL}
_LIFETIMES = {"session": 0, "keep": 1, "cache": 2}
_ACCESSES = {"user": 0, "group": 1, "all": 2}


def checked_name(name: str) -> str:
    """A name that a block or an object can have. ValueError: it can't."""
    if not isinstance(name, str):
        raise TypeError(f"a name is a text, not {name!r}")
    if not 1 <= len(name.encode("utf-8", "surrogateescape")) <= NAME_BYTES_MAX or not name.isprintable():
        raise ValueError(
            f"{name!r} can't be the name of a block or an object: it must have 1 to {NAME_BYTES_MAX} bytes of UTF-8, all of "
            "them printable"
        )
    if name[0].isspace() or name[-1].isspace():
        raise ValueError(f"{name!r} can't be the name of a block or an object: it begins or ends with a blank")
    return name


# ---- what the bytes are ----


@dataclasses.dataclass(frozen=True)
class Content:
    """The type and the metadata of a block, as client/BLOCKS.md describes them. `dtype` is "": it is no array."""

    type: str
    nbytes: int
    dtype: str = ""
    shape: Tuple[int, ...] = ()
    order: str = "C"

    def metadata(self) -> bytes:
        """As the block carries it."""
        members: Dict[str, Any] = {"bytes": self.nbytes}
        if self.dtype:
            members = {"dtype": self.dtype, "shape": self.shape, "order": self.order, **members}
        return json.dumps(members, separators=(",", ":")).encode()

    def array(self, flat: "numpy.ndarray[Any, Any]") -> "numpy.ndarray[Any, Any]":
        """An array over the bytes, without a copy; bytes if the content is no array. Its base is `flat`."""
        if self.dtype == _BFLOAT16:
            raise TypeError("NumPy has no numbers of type bfloat16; membroker.torch.attach() gives a tensor of them")
        made: "numpy.ndarray[Any, Any]" = flat.view()
        if self.dtype:
            made = made.view(self.dtype).reshape(self.shape, order=self.order)  # type: ignore[call-overload]
        return made

    def dlpack(self) -> Tuple[int, int, Tuple[int, ...], bool]:
        """DLPack's type code and bits, the shape, and whether the first dimension is contiguous. BufferError: it has none."""
        if not self.dtype:
            return DLPACK_UNSIGNED, 8, (self.nbytes,), False
        code, bits = (_DLPACK_BFLOAT, 16) if self.dtype == _BFLOAT16 else (_DLPACK_CODES.get(self.dtype[1]), 0)
        if code is None or self.dtype[0] == (">" if sys.byteorder == "little" else "<"):
            raise BufferError(f"DLPack has no type for elements of type {self.dtype!r}")
        return code, bits or 8 * int(self.dtype[2:]), self.shape, self.order == "F"


def flat_array(memory: Any) -> "numpy.ndarray[Any, Any]":
    """An array of its bytes. It keeps a view of the memory: numpy.ndarray() would keep the address alone."""
    flat: "numpy.ndarray[Any, Any]" = numpy_module().asarray(memoryview(memory))
    return flat


def of_array(dtype: Any, shape: Tuple[int, ...], order: str) -> Content:
    """TypeError: such elements mean nothing in another process, or in another language."""
    numpy = numpy_module()
    dtype = numpy.dtype(dtype)
    if dtype.hasobject or dtype.fields or dtype.subdtype or not _TYPE_STRING.fullmatch(dtype.str):
        raise TypeError(
            f"an array of type {dtype} can't be published: its elements must be numbers (of at most 8 bytes, or two of them), "
            "booleans, times or texts of a fixed length. Publish each field, or other bytes, as a block of its own"
        )
    if order not in ("C", "F"):
        raise ValueError(f'order is "C" or "F", not {order!r}')
    return Content(ARRAY, math.prod(shape) * int(dtype.itemsize), dtype.str, shape, order)


def to_shape(shape: Any) -> Tuple[int, ...]:
    """A tuple of lengths, from one or from a sequence."""
    lengths = (shape,) if hasattr(shape, "__index__") else tuple(shape)
    lengths = tuple(operator.index(length) for length in lengths)
    if any(length < 0 for length in lengths):
        raise ValueError(f"an array has no negative lengths: {shape!r}")
    return lengths


def of_bytes(type_: str, nbytes: int) -> Content:
    """Bytes of any type but "array"."""
    if type_ == ARRAY:
        raise ValueError("create_block() makes arrays; create_bytes() has no shape")
    return Content(type_, nbytes)


def copy(source: Any, block: "Block") -> None:
    """What of_data() returned goes into a block for it."""
    if isinstance(source, memoryview):
        with block.memory as target:
            target[:] = source
    elif block._content.dtype == _BFLOAT16:
        flat_array(block).view(source.dtype)[:] = source.reshape(-1)
    else:
        numpy_module().copyto(block.array, source)


def _item_bytes(dtype: str) -> Optional[int]:
    """None: it is no type string of an array."""
    if dtype == _BFLOAT16:
        return 2
    if not _TYPE_STRING.fullmatch(dtype):
        return None
    if dtype[1] in "mM":
        return 8
    return int(dtype[2:]) * (4 if dtype[1] == "U" else 1)


def _is_length(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63


def _is_shape(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= 64 and all(map(_is_length, value))


def _unique(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    """Readers in other languages take none of two members with the same name."""
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a member is there twice")
    return dict(pairs)


def _members(metadata: bytes) -> Dict[str, Any]:
    try:
        members = json.loads(metadata, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        members = None
    return members if isinstance(members, dict) else {}


def of_block(type_: str, metadata: bytes, most: int) -> Content:
    """What a publisher said. Blocks of other types are bytes. ValueError: an array can't be what it says."""
    members = _members(metadata)
    length: Any = members.get("bytes")
    nbytes = length if _is_length(length) and length <= most else None
    if type_ != ARRAY:
        return Content(type_, most if nbytes is None else nbytes)
    dtype: Any = members.get("dtype")
    shape: Any = members.get("shape")
    order: Any = members.get("order", "C")
    if isinstance(dtype, str) and _is_shape(shape) and order in ("C", "F"):
        item = _item_bytes(dtype)
        if item is not None and nbytes == math.prod(shape) * item:
            return Content(ARRAY, nbytes, dtype, tuple(shape), order)
    raise ValueError(f"the block's metadata describes no array that fits its {most} bytes: {metadata[:200]!r}")


def _tensor_content(tensor: Any) -> Tuple[Any, Content]:
    """PyTorch's tensors: NumPy has no bfloat16, so those are copied as other numbers of two bytes."""
    torch = sys.modules["torch"]
    tensor = tensor.detach()
    if tensor.dtype is torch.bfloat16:
        tensor = tensor.contiguous()
        shape = tuple(tensor.shape)
        return tensor.view(torch.int16).numpy(), Content(ARRAY, math.prod(shape) * 2, _BFLOAT16, shape)
    return _array_content(tensor.numpy())


def _array_content(source: Any) -> Tuple[Any, Content]:
    order = "F" if source.flags.f_contiguous and not source.flags.c_contiguous else "C"
    return source, of_array(source.dtype, source.shape, order)


def _plain_bytes(data: Any) -> Optional[memoryview]:
    """A view of single bytes; None: it has elements of another type, or is no buffer."""
    if hasattr(data, "__array_interface__") or not isinstance(data, (bytes, bytearray, memoryview)) and hasattr(data, "dtype"):
        return None
    try:
        view = memoryview(data)
    except TypeError:
        return None
    is_plain = view.ndim == 1 and view.format in ("B", "b", "c")
    return view.cast("B") if is_plain and view.c_contiguous else None


def refuse_more_than_an_array(data: Any) -> None:
    """NumPy makes an array of much, and leaves out without a word what an array has no place for."""
    if hasattr(data, "__dataframe__"):
        raise TypeError(
            "a table can't be published as one array, which has neither names nor types of columns: publish an Arrow IPC "
            "stream of it, as in the README, or each column"
        )
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(data, numpy.ma.MaskedArray):
        raise TypeError("a masked array can't be shared, since its mask would be lost: share its data and its mask, or filled()")


def of_data(data: Any, type_: Optional[str]) -> Tuple[Any, Content]:
    """What is copied into a block, and what it is. A type that is given makes bytes of it."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(data, torch.Tensor):
        source, content = _tensor_content(data)
    else:
        plain = _plain_bytes(data)
        if plain is not None:
            return plain, Content(type_ or BYTES, plain.nbytes)
        numpy = numpy_module()
        refuse_more_than_an_array(data)
        is_known = isinstance(data, numpy.ndarray) or not hasattr(data, "__dlpack__")
        source, content = _array_content(numpy.asarray(data) if is_known else numpy.from_dlpack(data))
    if type_ in (None, ARRAY):
        return source, content
    raise TypeError(f"a block of type {type_!r} is made of bytes, not of an array; give a memoryview of it")


# ---- options ----


def _group(group: Union[int, str, None], access: str) -> int:
    if group is None:
        return os.getgid() if access == "group" else 0
    if access != "group":
        raise ValueError('a group goes with access="group"')
    if isinstance(group, str):
        try:
            return grp.getgrnam(group).gr_gid
        except KeyError:
            raise ValueError(f"there is no group {group!r}") from None
    return group


def user_number(user: Union[int, str, None]) -> int:
    """The number of a user; -1: the own one."""
    if user is None:
        return -1
    if isinstance(user, str):
        try:
            return pwd.getpwnam(user).pw_uid
        except KeyError:
            raise ValueError(f"there is no user {user!r}") from None
    if not 0 <= user < 1 << 32:
        raise ValueError(f"{user!r} is no number of a user")
    return user


def access_terms(access: str, group: Union[int, str, None]) -> Tuple[int, int]:
    """As the native calls take them: who may have it, and the number of the group."""
    if access not in _ACCESSES:
        raise ValueError(f'access is "user", "group" or "all", not {access!r}')
    return _ACCESSES[access], _group(group, access)


def options(
    lifetime: str, keep: Optional[float], access: str, group: Union[int, str, None], replace: bool
) -> Tuple[int, int, int, int, bool]:
    """As the native block takes them."""
    if lifetime not in _LIFETIMES:
        raise ValueError(f'lifetime is "session", "keep" or "cache", not {lifetime!r}')
    terms = access_terms(access, group)
    if keep is not None and lifetime != "keep":
        raise ValueError('keep is a number of seconds, and goes with lifetime="keep"')
    return (_LIFETIMES[lifetime], to_ms(keep), *terms, replace)


# ---- objects ----


class _Described:
    """What blocks and views know of their content."""

    _content: Content

    @property
    def type(self) -> str:
        """The word for what the bytes are: "array", "bytes", "arrow-stream" or another one; "": its publisher did not say."""
        return self._content.type

    @property
    def memory(self) -> memoryview:
        """The bytes of the content, without a copy."""
        return memoryview(self)  # type: ignore[arg-type]

    @property
    def nbytes(self) -> int:
        """The bytes of the content; the block has whole pages."""
        return self._content.nbytes

    def __reduce__(self) -> Any:
        raise TypeError("blocks and views are not pickled: send the name of the block, and attach it there")


class Names(Dict[str, "Block"]):
    """The published blocks that a broker keeps, since their names would end with them."""

    is_closed = False  # its broker

    def note(self, name: str, block: "Block", is_kept: bool) -> None:
        """A block of this broker has got the name. The one that had it goes."""
        former = self.pop(name, None)
        if is_kept:
            self[name] = block
        if former is not None and former is not block:
            former.release()

    def forget(self, block: "Block") -> None:
        """It is released."""
        if block.name is not None and self.get(block.name) is block:
            del self[block.name]


class Block(_Described, _native.Block):
    """
    Memory to fill and then to publish, or a published block in its publisher.

    `array` is its NumPy array; without NumPy it has the buffer protocol. It can be written to until publish() is called.
    release(), or the end of a `with` block, gives it back; if arrays of it are alive, the end of the last one does. It is
    not pickled. Broker.create_block(), create_bytes() and publish() make it.
    """

    name: Optional[str] = None
    _base: Any = None
    _handed: Optional["weakref.ref[Any]"] = None
    _plain_references = 0
    _names: Optional["weakref.ref[Names]"] = None  # of its broker
    _is_kept = False

    @classmethod
    def _create(
        cls, client: Any, content: Content, terms: Tuple[Any, ...], memory: Tuple[Any, ...], names: Names
    ) -> "Block":
        arguments = (*terms, content.type, content.metadata(), *memory)
        block = cls(client, max(content.nbytes, 1), *arguments)
        block._set_length(content.nbytes)
        block._content, block._names, block._is_kept = content, weakref.ref(names), terms[0] == _LIFETIMES["session"]
        return block

    @property
    def array(self) -> "numpy.ndarray[Any, Any]":
        """The block as an array, without a copy. From publish() on it can only be read."""
        if self._is_read_only:
            return self._content.array(flat_array(self))
        if self._base is None:
            self._base = flat_array(self)
            self._plain_references = sys.getrefcount(self._base)
        array = self._handed() if self._handed else None
        if array is None:
            array = self._content.array(self._base)
            self._handed = weakref.ref(array)
        return array

    def publish(self, name: str) -> None:
        """
        Publishes it under the name. Nobody can write to it from here on, also if this fails: it can be called again, with
        another name if the first is taken.

        `array` becomes read-only. Other arrays made from it, such as slices, must be gone before. BufferError: there are
        some; nothing has changed. StillWritable: something else can write to the memory, such as a forked child.
        NameTaken: the user has another block of that name; see `replace`.
        """
        checked_name(name)
        self.check()
        names = self._names() if self._names else None
        if names is not None and names.is_closed:
            raise ValueError("the broker was closed")
        if not self._is_read_only:
            self._end_writing()
        self._publish(name)
        self.name = name
        if names is not None:
            names.note(name, self, self._is_kept)

    def _end_writing(self) -> None:
        array = self._handed() if self._handed else None
        known = array is not None
        if array is not None:
            array.flags.writeable = False
        others = self._exports - (self._base is not None)
        if self._base is not None:
            others += sys.getrefcount(self._base) - self._plain_references - known
        if others:
            if array is not None:
                array.flags.writeable = True
            raise BufferError(
                f"{others} {'other view' if others == 1 else 'other views'} of the block can still write to it: delete "
                "the slices of its array, and release its memoryviews, before it is published"
            )
        self._base = self._handed = None

    def __enter__(self) -> "Block":
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], value: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.release()

    def release(self) -> None:
        """
        Gives the block back now, or when the last array of it is gone. If it was published for the session, its name ends
        now. May be called again.
        """
        self._base = None
        names = self._names() if self._names else None
        if names is not None:
            names.forget(self)
        super().release()

    def __repr__(self) -> str:
        state = "released" if self.released else f"published as {self.name!r}" if self.name else "not published"
        return f"<membroker.Block, {self.nbytes} bytes of type {self.type!r}: {state}>"


class View(_Described, _native.View):
    """
    A published block that this process reads. It has the buffer protocol, read-only: memoryview(view) and
    pyarrow.py_buffer(view) are without a copy.

    close(), or the end of a `with` block, closes it; if arrays of it are alive, the end of the last one does. A view that
    nothing refers to any more is closed, too. check() after reading says whether all that was read were the block's
    bytes; a lost view raises LeaseLost by itself, as lost arrays do. It is not pickled. Broker.view() makes it.

    `number` is the block's: a name that was replaced has another one. `metadata` is what the publisher gave, as bytes.
    """

    name: str
    number: int
    metadata: bytes
    id: int

    @classmethod
    def _attach(
        cls, client: Any, name: str, user: int, wait_ms: int, watches: Optional[Callable[[int, int], Any]] = None
    ) -> "View":
        view = cls(client, name, user, wait_ms, watches)
        view.name = name
        view.number, view.id, type_, view.metadata = view._properties()
        try:
            view._content = of_block(type_, view.metadata, len(view))
        except ValueError:
            view.close()
            raise
        view._set_length(view._content.nbytes)
        return view

    @property
    def array(self) -> "numpy.ndarray[Any, Any]":
        """The block as a read-only NumPy array, without a copy; of a type that is not "array", its bytes."""
        return self._content.array(flat_array(self))

    def __dlpack__(
        self, *, stream: Any = None, max_version: Optional[Tuple[int, int]] = None, dl_device: Any = None,
        copy: Optional[bool] = None,
    ) -> Any:
        """A capsule for numpy.from_dlpack() and others that know read-only memory, which DLPack has since version 1."""
        if copy:
            raise BufferError("a view exports its own memory; copy what you get")
        if max_version is None or max_version[0] < 1:
            raise BufferError("this memory is read-only, which DLPack before version 1 can't tell the consumer")
        return self._dlpack(*self._content.dlpack(), True)

    def __dlpack_device__(self) -> Tuple[int, int]:
        """The host's memory."""
        return 1, 0

    def __enter__(self) -> "View":
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], value: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self.released else self.lost_because or "attached"
        return f"<membroker.View of {self.name!r}, {self.nbytes} bytes of type {self.type!r}: {state}>"
