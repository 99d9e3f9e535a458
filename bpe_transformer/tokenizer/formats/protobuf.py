"""The protobuf wire format (protobuf.dev/programming-guides/encoding), as far as a SentencePiece model needs it."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from bpe_transformer.errors import FormatError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
Value = int | bytes


def fields(data: bytes, place: str) -> Iterator[tuple[int, int, Value]]:
    """(field number, wire type, value) of each field; values of fixed size as bytes. Raises `FormatError` with the byte."""
    at = 0
    while at < len(data):
        start = at
        tag, at = _varint(data, at, place)
        number, kind = tag >> 3, tag & 7
        if kind == VARINT:
            value, at = _varint(data, at, place)
            yield number, kind, value
            continue
        if kind == BYTES:
            size, at = _varint(data, at, place)
        elif kind in (FIXED32, FIXED64):
            size = 4 if kind == FIXED32 else 8
        else:
            raise FormatError(f"{place}: byte {start} has the wire type {kind}, which no SentencePiece model uses")
        if number == 0 or size > len(data) - at:
            raise FormatError(f"{place}: field {number} at byte {start} claims {size} bytes, {len(data) - at} are left")
        yield number, kind, data[at : at + size]
        at += size


def _varint(data: bytes, at: int, place: str) -> tuple[int, int]:
    value = shift = 0
    while shift < 70:
        if at >= len(data):
            raise FormatError(f"{place}: ends at byte {at} within a number")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise FormatError(f"{place}: byte {at} is in a number of more than 64 bits")


def _number(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def varint(number: int, value: int) -> bytes:
    """A field that holds a whole number or a truth value."""
    return _number(number << 3 | VARINT) + _number(value)


def blob(number: int, value: bytes) -> bytes:
    """A field that holds text, bytes or a message."""
    return _number(number << 3 | BYTES) + _number(len(value)) + value


def single(number: int, value: float) -> bytes:
    """A field that holds a float of 32 bits."""
    return _number(number << 3 | FIXED32) + struct.pack("<f", value)
