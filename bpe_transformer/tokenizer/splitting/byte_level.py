"""GPT-2's byte-level names: each byte of a token written as a printable character ("bytes_to_unicode" in its encoder.py)."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Sequence
from functools import cache
from typing import TypeAlias

from bpe_transformer import _core
from bpe_transformer.errors import FormatError

Names: TypeAlias = "list[str] | _core.Names"  # as they are, or still in the core's memory


def gpt2_byte_order() -> list[int]:
    """The 256 bytes in GPT-2's order ("bytes_to_unicode" in its encoder.py): those that print in Latin-1, then the others."""
    printing = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    return printing + [byte for byte in range(256) if byte not in set(printing)]


# itself for a byte that prints in Latin-1, else the next free code point from 256
CHAR_OF_BYTE = {byte: chr(byte if i < 188 else 256 + i - 188) for i, byte in enumerate(gpt2_byte_order())}
_CHARS = frozenset(CHAR_OF_BYTE.values())
_BYTE_OF_CHAR = {ord(char): byte for byte, char in CHAR_OF_BYTE.items()}


def name_of(token: bytes) -> str:
    """The byte-level name of a token.

    >>> name_of(b" low")
    'Ġlow'
    """
    return token.decode("latin-1").translate(CHAR_OF_BYTE)


def tokens_of(names: Sequence[str]) -> list[bytes]:
    """The tokens of many byte-level names. Raises `FormatError` for a character that stands for no byte.

    >>> tokens_of(["Ġlow", "Ċ"])
    [b' low', b'\\n']
    """
    tokens = _core.tokens_of_names(list(names), _byte_of_code_point())
    if tokens is None:
        name = next(name for name in names if not is_name(name))
        bad = next(char for char in name if ord(char) not in _BYTE_OF_CHAR)
        raise FormatError(f"token {name!r} holds {bad!r}, which stands for no byte")
    return tokens


@cache
def _byte_of_code_point() -> array[int]:
    """The byte that each code point stands for, -1 for none."""
    return array("h", (_BYTE_OF_CHAR.get(code_point, -1) for code_point in range(max(_BYTE_OF_CHAR) + 1)))


def tokens_by_id(names: Names, outside: Collection[int], byte_level: bool, place: str) -> tuple[bytes, ...]:
    """The tokens of the names of all ids; names of ids in `outside` are plain text, not byte-level. Raises `FormatError`."""
    try:
        if not byte_level:
            return tuple(map(str.encode, names))
        if not isinstance(names, list):
            found = names.tokens(_byte_of_code_point(), sorted(outside))
            if found is not None:
                return tuple(found)
        inside = list(names)
        for id in outside:
            inside[id] = ""
        tokens = tokens_of(inside)
        for id in outside:
            tokens[id] = names[id].encode()
        return tuple(tokens)
    except UnicodeEncodeError as cause:
        raise FormatError(f"{place}: a token holds U+{ord(cause.object[cause.start]):04X}, a lone surrogate") from None


def is_name(name: str) -> bool:
    """Whether every character of `name` stands for a byte."""
    return _CHARS.issuperset(name)
