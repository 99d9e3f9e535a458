"""SentencePiece's compiled map from strings to their replacements.

The map is a double-array trie (darts-clone) over UTF-8 whose values are positions in a block of texts, each ended by a zero
byte: `normalizer.cc` of google/sentencepiece writes and reads it. At every position the longest entry is taken. The core reads
such maps; `entries_of` is what it is compared with.
"""

from __future__ import annotations

import base64
import binascii

from bpe_transformer.errors import FormatError
from bpe_transformer.lazy import NDArray, np

# SentencePiece's own rules need 12, some 40, and 300,000
_MAX_KEY_BYTES, _MAX_TEXT_BYTES, _MAX_NODES = 64, 1000, 1 << 20


def bytes_of(charsmap: str) -> bytes:
    """The bytes of a map that is written in base64. Raises `FormatError`."""
    try:
        return base64.b64decode(charsmap, validate=True)
    except (binascii.Error, ValueError) as cause:
        raise FormatError(f"precompiled_charsmap is not base64: {cause}") from cause


def entries_of(charsmap: str) -> dict[str, str]:
    """The strings of the map with their replacements. Raises `FormatError` for a damaged map."""
    data = bytes_of(charsmap)
    size = int.from_bytes(data[:4], "little")
    if len(data) < 4 or size % 4 or size < 1024 or 4 + size > len(data):
        raise FormatError(f"precompiled_charsmap claims a trie of {size} bytes, and {max(len(data) - 4, 0)} are there")
    units = np.frombuffer(data, "<u4", size // 4, 4).astype(np.int64)
    texts = data[4 + size :]
    entries: dict[str, str] = {}
    for key, start in _keys(units):
        end = texts.find(b"\0", start)
        if not 0 <= start < len(texts) or not 0 <= end - start <= _MAX_TEXT_BYTES:
            raise FormatError(f"precompiled_charsmap has no text at byte {start} for {key!r}, or a very long one")
        try:
            entries[key.decode()] = texts[start:end].decode()
        except UnicodeDecodeError as cause:
            raise FormatError(f"precompiled_charsmap: entry {key!r} is not UTF-8") from cause
    return entries


def _keys(units: NDArray[np.int64]) -> list[tuple[bytes, int]]:
    """The keys of a double-array trie with their values. Raises `FormatError` if it is damaged."""
    labels = units & 0x800000FF
    bases = np.where(labels < 256, np.arange(len(units)) ^ labels, -1)
    order = np.argsort(bases, kind="stable")
    first_child = np.searchsorted(bases[order], np.arange(len(units) + 1))
    offsets = (units >> 10) << ((units & 0x200) >> 6)
    found: list[tuple[bytes, int]] = []
    waiting = [(b"", int(offsets[0]))]  # the key so far, and the base of its children
    visited = 0
    while waiting:
        key, base = waiting.pop()
        visited += 1  # a node may be reached by many keys, which share their ends; a loop would not end
        if base >= len(units) or len(key) > _MAX_KEY_BYTES or visited > _MAX_NODES:
            raise FormatError("precompiled_charsmap is not a trie: a path leads out of it, or does not end")
        for unit in order[first_child[base] : first_child[base + 1]].tolist():
            label = unit ^ base
            if unit == 0 or label == 0:
                continue  # the root has no parent, and a value has no label
            child = unit ^ int(offsets[unit])
            longer = key + bytes([label])
            if units[unit] >> 8 & 1:
                if child >= len(units):
                    raise FormatError("precompiled_charsmap is not a trie: a value lies outside")
                found.append((longer, int(units[child] & 0x7FFFFFFF)))
            waiting.append((longer, child))
    return found
