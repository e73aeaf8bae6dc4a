# SPDX-License-Identifier: Apache-2.0
"""Sizes and durations as people write them."""

from __future__ import annotations

import operator
import re
from typing import Optional, Union

Size = Union[int, str]
MOST_BYTES = (1 << 63) - 1
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SIZE = re.compile(r"\s*(\d+)\s*([KMGT]?)(?:i?B)?\s*", re.IGNORECASE)


def to_bytes(size: Size) -> int:
    """The bytes of a number or of a text such as "512M" or "4 GiB" (units of 1024). At most MOST_BYTES."""
    if isinstance(size, str):
        match = _SIZE.fullmatch(size)
        if not match:
            raise ValueError(f"{size!r} is no size: write a whole number and K, M, G or T")
        bytes_ = int(match[1]) * _UNITS[match[2].upper()]
    else:
        try:
            bytes_ = operator.index(size)
        except TypeError:
            raise TypeError(f'{size!r} is no size: give whole bytes, or a text such as "512M"') from None
    if bytes_ < 0:
        raise ValueError("a size is not negative")
    if bytes_ > MOST_BYTES:
        raise ValueError(f"{size!r} is more than a program can address: at most {MOST_BYTES} bytes")
    return bytes_


def to_text(bytes_: int) -> str:
    """A size for people: "4 GiB", "1.5 MiB"."""
    value = float(bytes_)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.4g} {unit}"
        value /= 1024
    return f"{value:.4g} TiB"


def to_ms(seconds: Optional[float]) -> int:
    """Milliseconds; None: 0. Infinity, and anything longer, is about 49 days, the longest that the broker knows."""
    if seconds is None:
        return 0
    if isinstance(seconds, str) or seconds != seconds:
        raise TypeError(f"{seconds!r} is no duration: give a number of seconds")
    if seconds < 0:
        raise ValueError("a duration is not negative")
    return int(min(seconds * 1000, 0xFFFFFFFE)) or (1 if seconds > 0 else 0)
