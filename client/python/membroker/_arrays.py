# SPDX-License-Identifier: Apache-2.0
"""NumPy arrays in leased memory. NumPy is imported at the first use."""

from __future__ import annotations

import contextvars
import importlib
import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Tuple, Type

from . import _errors, _native
from ._types import Location

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


def _explain_memory_errors(exceptions: Any) -> None:
    """NumPy raises an error of its own with nothing but a size. If the broker refused it, it becomes a LimitError."""
    plain = exceptions._ArrayMemoryError

    class ArrayLimitError(_errors.LimitError, plain):  # type: ignore[misc, valid-type]
        """A LimitError for an array of a known shape."""

        sentence = ""

        def __str__(self) -> str:
            return f"{plain.__str__(self)}: {self.sentence}"

    def make(kind: Any, *arguments: Any) -> Any:
        refused = _errors.of_allocation() if kind is plain else None
        if not isinstance(refused, _errors.LimitError):
            other = MemoryError.__new__(kind, *arguments)
            other.__cause__ = refused
            return other
        error: Any = _errors.LimitError.__new__(ArrayLimitError, *arguments)
        error.__dict__.update(refused.__dict__)
        error.sentence = str(refused)
        if sys.version_info < (3, 11):  # `except` would look at the type that NumPy named: raising sets this one
            plain.__init__(error, *arguments)
            try:
                raise error
            finally:
                del error  # otherwise its traceback would keep the caller's arrays
        return error

    plain.__new__ = staticmethod(make)


def _reason_of(error: MemoryError) -> Optional[_errors.Error]:
    """What the broker or the library said; None: nothing, or the error itself has it."""
    if isinstance(error, _errors.LimitError):
        return None
    known = error.__cause__
    if isinstance(known, _errors.Error):
        error.__cause__ = None  # it becomes the cause of that one
        return known
    return _errors.of_allocation()


class _Block:
    """A block with a handler, and the block around it in its context."""

    def __init__(self, former: Any, outer: Optional["_Block"]) -> None:
        self.former, self.outer, self.has_ended = former, outer, False


_innermost: "contextvars.ContextVar[Optional[_Block]]" = contextvars.ContextVar("membroker_block", default=None)


class Handler:
    """A handler of NumPy's memory, as a context manager for one context. It may be entered again, also inside itself."""

    def __init__(self, capsule: Any) -> None:
        self._capsule = capsule
        self._blocks: List[_Block] = []

    def __enter__(self) -> "Handler":
        numpy_module()
        _native.take_failure()  # what an earlier block failed with
        block = _Block(_native.numpy_set(self._capsule), _innermost.get())
        _innermost.set(block)
        self._blocks.append(block)
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], value: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        block = self._blocks.pop()
        block.has_ended = True
        if _innermost.get() is block:  # otherwise a generator's block ends inside another one, which stays
            self._leave(block)
        refused = _reason_of(value) if isinstance(value, MemoryError) else None
        if refused:
            raise refused from value

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
    client.numpy_install(int(location))


def uninstall() -> None:
    """New arrays of contexts without a handler have NumPy's own memory again; those that exist stay."""
    _native.numpy_uninstall()
