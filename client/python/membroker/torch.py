# SPDX-License-Identifier: Apache-2.0
"""
PyTorch's tensors on the CPU in leased memory.

    import membroker.torch
    membroker.torch.install()

From then on weights, activations, gradients and the state of optimizers are in leased memory, in all threads of the
process. The allocator is compiled at the first use for the PyTorch that is installed, which takes a C++ compiler and
some seconds; the result is kept in `~/.cache/membroker` (`XDG_CACHE_HOME`).
"""

from __future__ import annotations

import ctypes
from typing import Any, Optional

from . import _errors, _native, _torch_build
from . import shared as _shared
from ._broker import Broker
from ._types import Location, to_location

__all__ = ["Broker", "TensorError", "TensorLimitError", "install", "uninstall"]


class TensorLimitError(_errors.LimitError, RuntimeError):
    """A LimitError that is a RuntimeError, too, as PyTorch's own errors are."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        refused = _errors.of_allocation()
        if isinstance(refused, _errors.LimitError) and str(refused) == sentence:
            self.__dict__.update(refused.__dict__)


class TensorError(_errors.Error, RuntimeError):
    """The memory of a tensor was refused, but not by a limit."""


class _Functions(ctypes.Structure):
    """What torch.cc calls."""

    _fields_ = [
        ("is_active", ctypes.c_void_p),
        ("allocate", ctypes.c_void_p),
        ("release", ctypes.c_void_p),
        ("refusal", ctypes.c_void_p),
        ("limit_error", ctypes.py_object),
        ("other_error", ctypes.py_object),
    ]


_library: Optional[Any] = None


def _attach() -> None:
    global _library
    if _library is None:
        library = ctypes.PyDLL(_torch_build.library())
        functions = _Functions(*_native.tensors_functions(), TensorLimitError, TensorError)
        library.membroker_set_allocator.restype = None
        library.membroker_set_allocator(ctypes.byref(functions))
        _library = library


def install(broker: Optional[Broker] = None, location: Location = Location.RAM) -> Broker:
    """
    The tensors that PyTorch makes on the CPU from now on, in all threads of the process, are in leased memory. Returns
    the broker, which is the process's own one unless one is given.

    A tensor that does not fit a limit is a TensorLimitError. A forked child has PyTorch's own memory until it calls
    this, and writes to copies of its parent's tensors. ImportError: PyTorch is missing, or the allocator can't be
    compiled; the message says what to install. Call it before other threads use PyTorch.
    """
    _attach()
    chosen = broker or _shared()
    chosen._client.tensors_install(to_location(location))
    return chosen


def uninstall() -> None:
    """New tensors have PyTorch's own memory again; those that exist stay."""
    _native.tensors_uninstall()
