# SPDX-License-Identifier: Apache-2.0
"""NumPy arrays in leased memory. NumPy is imported at the first use."""

from __future__ import annotations

import contextvars
import importlib
import math
import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Tuple, Type

from . import _errors, _native
from ._types import Location, to_location

if TYPE_CHECKING:
    import numpy

_attached: Optional[Any] = None


def numpy_module() -> Any:
    """NumPy, attached to the native module. ImportError: it is not installed, or too old."""
    global _attached
    if _attached is None:
        module = importlib.import_module("numpy")
        core = "numpy._core" if int(module.__version__.split(".")[0]) >= 2 else "numpy.core"
        _native.numpy_attach(importlib.import_module(core + "._multiarray_umath"))
        _explain_memory_errors(importlib.import_module(core + "._exceptions"))
        _attached = module
    return _attached


class _Explained:
    """What NumPy's error for an array becomes: it is the package's exception, too, and has the sentence."""

    reason: _errors.Error
    plain: Any

    def __str__(self) -> str:
        return f"{self.plain.__str__(self)}: {self.reason}"

    def __reduce__(self) -> Any:
        """In another process, which may have no NumPy, it is the package's exception with the same text."""
        return type(self.reason), (str(self),), dict(self.reason.__dict__)


def _explain_memory_errors(exceptions: Any) -> None:
    """NumPy raises an error of its own with nothing but a size. If the broker or the library failed, it says why."""
    plain = exceptions._ArrayMemoryError
    kinds: Dict[Type[_errors.Error], Any] = {}

    def kind_for(reason: _errors.Error) -> Any:
        of = type(reason)
        if of not in kinds:
            content = {"plain": plain, "__module__": "membroker", "__doc__": f"{of.__name__} for an array of a known shape."}
            kinds[of] = type("Array" + of.__name__, (_Explained, plain, of), content)
        return kinds[of]

    def make(kind: Any, *arguments: Any) -> Any:
        reason = _errors.of_allocation(_bytes_of(*arguments)) if kind is plain else None
        if reason is None:
            return MemoryError.__new__(kind, *arguments)
        chosen = kind_for(reason)
        error: Any = (OSError if issubclass(chosen, OSError) else MemoryError).__new__(chosen)
        error.__dict__.update(reason.__dict__)
        error.reason = reason
        if sys.version_info < (3, 11):  # its `except` looks at the type that NumPy named, but for what is raised here
            plain.__init__(error, *arguments)
            try:
                raise error
            finally:
                del error  # otherwise its traceback would keep the caller's arrays
        return error

    plain.__new__ = staticmethod(make)


def _bytes_of(shape: Tuple[int, ...] = (), dtype: Any = None) -> int:
    """What NumPy asks for: without elements, one byte."""
    return math.prod(shape) * getattr(dtype, "itemsize", 1) or 1


_OF_RESIZE = "cannot allocate memory for array"


def _reason_of(error: MemoryError) -> Optional[_errors.Error]:
    """
    What the broker or the library said; None: nothing, or the error itself has it. A program's own MemoryError has
    another text than those of the interpreter and of NumPy.
    """
    if isinstance(error, _errors.Error):
        return None
    reason = _errors.of_allocation()
    return reason if not error.args or error.args == (_OF_RESIZE,) else None


class _Block:
    """A block with a handler, and the block around it in its context."""

    def __init__(self, handler: "Handler", former: Any, outer: Optional["_Block"]) -> None:
        self.handler, self.former, self.outer, self.has_ended = handler, former, outer, False


_innermost: "contextvars.ContextVar[Optional[_Block]]" = contextvars.ContextVar("membroker_block", default=None)


class Handler:
    """
    A handler of NumPy's memory, as a context manager for one context. It may be entered again, also inside itself, and by
    other tasks.
    """

    def __init__(self, capsule: Any) -> None:
        self._capsule = capsule
        self._blocks: List[_Block] = []

    def __enter__(self) -> "Handler":
        numpy_module()
        _native.take_failure()  # what an earlier block failed with
        block = _Block(self, _native.numpy_set(self._capsule), _innermost.get())
        _innermost.set(block)
        self._blocks.append(block)
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], value: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        block = self._block_that_ends()
        block.has_ended = True
        if _innermost.get() is block:  # otherwise a generator's block ends inside another one, which stays
            self._leave(block)
        refused = _reason_of(value) if isinstance(value, MemoryError) else None
        if refused:
            raise refused from value

    def _block_that_ends(self) -> _Block:
        """The innermost one of this context, since tasks may share a handler; a generator may end in another context."""
        block = _innermost.get()
        while block is not None and not (block.handler is self and block in self._blocks):
            block = block.outer
        chosen = block or self._blocks[-1]
        self._blocks.remove(chosen)
        return chosen

    @staticmethod
    def _leave(block: _Block) -> None:
        former, outer = block.former, block.outer
        while outer is not None and outer.has_ended:
            former, outer = outer.former, outer.outer
        _native.numpy_set(former)
        _innermost.set(outer)

    def call(self, function: Callable[..., Any], arguments: Tuple[Any, ...], keywords: Dict[str, Any]) -> Any:
        """function(*arguments, **keywords) with this handler."""
        numpy_module()
        try:
            return _native.numpy_call(self._capsule, function, arguments, keywords)
        except MemoryError as error:
            refused = _reason_of(error)
            if refused is None:
                raise
            raise refused from error


class Creation:
    """empty(), zeros(), ones(), full() and array(), as NumPy has them, in the memory of a handler."""

    def _handler(self) -> Handler:
        raise NotImplementedError

    def empty(self, shape: Any, dtype: Any = float, order: str = "C") -> "numpy.ndarray[Any, Any]":
        """An array whose content is undefined."""
        array: "numpy.ndarray[Any, Any]" = self._handler().call(numpy_module().empty, (shape, dtype, order), {})
        return array

    def zeros(self, shape: Any, dtype: Any = float, order: str = "C") -> "numpy.ndarray[Any, Any]":
        """An array of zeros. The pages of a large one exist from the first write on."""
        array: "numpy.ndarray[Any, Any]" = self._handler().call(numpy_module().zeros, (shape, dtype, order), {})
        return array

    def ones(self, shape: Any, dtype: Any = None, order: str = "C") -> "numpy.ndarray[Any, Any]":
        """An array of ones."""
        array: "numpy.ndarray[Any, Any]" = self._handler().call(numpy_module().ones, (shape, dtype, order), {})
        return array

    def full(self, shape: Any, value: Any, dtype: Any = None, order: str = "C") -> "numpy.ndarray[Any, Any]":
        """An array of one value."""
        array: "numpy.ndarray[Any, Any]" = self._handler().call(numpy_module().full, (shape, value, dtype, order), {})
        return array

    def array(self, values: Any, dtype: Any = None, **keywords: Any) -> "numpy.ndarray[Any, Any]":
        """A copy of an array, of a sequence or of anything that numpy.array() takes."""
        made: "numpy.ndarray[Any, Any]" = self._handler().call(numpy_module().array, (values, dtype), keywords)
        return made


def install(client: Any, location: Location) -> None:
    """Leased memory for all arrays of the process."""
    numpy_module()
    client.numpy_install(to_location(location))


def uninstall() -> None:
    """New arrays of contexts without a handler have NumPy's own memory again; those that exist stay."""
    _native.numpy_uninstall()
