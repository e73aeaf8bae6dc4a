# SPDX-License-Identifier: Apache-2.0
"""Small objects: what put() takes."""

from __future__ import annotations

import re
from typing import Any, Tuple, Union

from . import _blocks

OBJECT_BYTES_MAX = 32768
_LIFETIMES = {"session": 0, "keep": 1}
_FIELD_NAME = re.compile(":[^:]*:")


def content(data: Any) -> bytes:
    """A copy of a buffer's bytes. ValueError: they are too many. TypeError: it is no buffer, or its bytes are not all of it."""
    _blocks.refuse_more_than_an_array(data)
    with memoryview(data) as view:
        if "O" in _FIELD_NAME.sub("", view.format):
            raise TypeError("an array of objects can't be put: its bytes are addresses in this process, which no other one can use")
        if view.nbytes > OBJECT_BYTES_MAX:
            raise ValueError(
                f"an object has at most {OBJECT_BYTES_MAX} bytes, not {view.nbytes}; publish() what is longer as a block"
            )
        return view.tobytes()


def options(lifetime: str, access: str, group: Union[int, str, None]) -> Tuple[int, int, int]:
    """As the native call takes them."""
    if lifetime not in _LIFETIMES:
        raise ValueError(f'the lifetime of an object is "session" or "keep", not {lifetime!r}')
    return (_LIFETIMES[lifetime], *_blocks.access_terms(access, group))
