# SPDX-License-Identifier: Apache-2.0
"""
PyTorch's tensors on the CPU in leased memory.

    import membroker.torch
    membroker.torch.install()

From then on weights, activations, gradients and the state of optimizers are in leased memory, in all threads of the
process. The allocator is compiled at the first use for the PyTorch that is installed, which takes a C++ compiler and
some seconds; the result is kept in `~/.cache/membroker` (`XDG_CACHE_HOME`).

attach() gives a published block as a tensor. It needs neither install() nor the compiler.
"""

from __future__ import annotations

import ctypes
import importlib
from typing import TYPE_CHECKING, Any, Optional, Union

from . import _blocks, _errors, _native, _torch_build
from . import shared as _shared
from ._broker import Broker
from ._types import Location, to_location

if TYPE_CHECKING:
    import torch

__all__ = ["Broker", "TensorError", "TensorLimitError", "attach", "install", "uninstall"]


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


def attach(
    name: str,
    *,
    wait: Optional[float] = None,
    user: Union[int, str, None] = None,
    broker: Optional[Broker] = None,
) -> "torch.Tensor":
    """
    The published block of that name as a tensor over its pages, without a copy; bytes if it is no array. The view ends
    with the last tensor of it. `wait` and `user` are those of Broker.view(), `broker` is the process's own one unless one is given.

    PyTorch has no read-only tensors: a write to this one, such as add_() or out=, ends the process with SIGSEGV. clone() it,
    or take part of it into other memory, before you change it. BufferError: PyTorch has no such elements.
    """
    view = (broker or _shared()).view(name, wait=wait, user=user)
    code, bits, shape, is_fortran = view._content.dlpack()
    is_bool = code == _blocks.DLPACK_BOOL  # which from_dlpack() of PyTorch before 2.1 does not know
    capsule = view._dlpack(_blocks.DLPACK_UNSIGNED if is_bool else code, bits, shape, is_fortran, False)
    module = importlib.import_module("torch")
    try:
        tensor: "torch.Tensor" = module.utils.dlpack.from_dlpack(capsule)
    except RuntimeError as error:
        raise BufferError(f"PyTorch has no elements as those of block {name!r}: {error}") from error
    return tensor.view(module.bool) if is_bool else tensor


def uninstall() -> None:
    """New tensors have PyTorch's own memory again; those that exist stay."""
    _native.tensors_uninstall()
