# SPDX-License-Identifier: Apache-2.0
"""
Forked children copy inherited memory in a handler of SIGSEGV. What replaces that handler is wrapped here, so that ours
comes first again.
"""

from __future__ import annotations

import faulthandler  # noqa: F401  # _begin() wraps only what is imported at the fork
import functools
import os
import sys
from typing import Any, Callable

from . import _native

_REPLACERS = [
    ("torch.utils.data._utils.signal_handling", "_set_worker_signal_handlers"),  # in each worker of a DataLoader
    ("faulthandler", "enable"),
]


def _followed(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*arguments: Any, **keywords: Any) -> Any:
        result = function(*arguments, **keywords)
        _native.watch_inherited()
        return result

    call._membroker = True  # type: ignore[attr-defined]
    return call


def _begin() -> None:
    for module_name, name in _REPLACERS:
        module = sys.modules.get(module_name)
        function = getattr(module, name, None)
        if function and not hasattr(function, "_membroker"):
            setattr(module, name, _followed(function))


os.register_at_fork(after_in_child=_begin)
