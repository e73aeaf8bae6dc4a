# SPDX-License-Identifier: Apache-2.0
"""Protobuf, as far as questions about the broker need it: varints and length-delimited fields."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple, Union

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number: int, value: Union[int, bytes]) -> bytes:
    """One encoded field: a number, or bytes (a text or a message)."""
    if isinstance(value, int):
        return _varint(number << 3 | _VARINT) + _varint(value)
    return _varint(number << 3 | _BYTES) + _varint(len(value)) + value


def _read_varint(data: bytes, at: int) -> Tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ValueError("the broker sent a malformed message")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at


def _skip(kind: int, data: bytes, at: int) -> Tuple[Any, int]:
    if kind == _VARINT:
        return _read_varint(data, at)
    if kind in (_FIXED64, _FIXED32):
        end = at + (8 if kind == _FIXED64 else 4)
    elif kind == _BYTES:
        length, at = _read_varint(data, at)
        end = at + length
    else:
        raise ValueError("the broker sent a malformed message")
    if end > len(data):
        raise ValueError("the broker sent a malformed message")
    return data[at:end], end


def parse(data: bytes) -> Dict[int, List[Any]]:
    """The fields of a message: numbers, or bytes, by field number and in order."""
    fields: Dict[int, List[Any]] = {}
    at = 0
    while at < len(data):
        key, at = _read_varint(data, at)
        value, at = _skip(key & 7, data, at)
        fields.setdefault(key >> 3, []).append(value)
    return fields
