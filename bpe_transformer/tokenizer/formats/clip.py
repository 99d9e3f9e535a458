"""CLIP's `bpe_simple_vocab_16e6.txt.gz`: merges by rank, of which CLIP uses the first 48,894. Read only.

Source: Radford et al. 2021, `simple_tokenizer.py` of the program published with it, whose cleaning of text (HTML entities, broken
encodings) is left to the caller.
"""

from __future__ import annotations

import gzip
import os
import zlib
from functools import partial
from io import BufferedReader
from itertools import islice

from bpe_transformer import _core
from bpe_transformer.errors import FormatError
from bpe_transformer.tokenizer.formats import gpt2
from bpe_transformer.tokenizer.formats.merges import columns_of
from bpe_transformer.tokenizer.splitting import byte_level
from bpe_transformer.tokenizer.vocabulary.model import BpeModel

NAME = "CLIP's merges"
_SPECIAL = ("<|startoftext|>", "<|endoftext|>")
_NUM_MERGES = 48_894
_GZIP = b"\x1f\x8b"
_LONGEST_LINE = 1000  # bytes


def read(path: str | os.PathLike[str]) -> BpeModel:
    """The model of the file's merges. Raises `FormatError` with the line."""
    try:
        with BufferedReader(gzip.open(path)) if _is_packed(path) else open(path, "rb") as file:
            lines = list(islice(iter(partial(file.readline, _LONGEST_LINE), b""), _NUM_MERGES + 1))
        text = b"".join(lines[1:]).decode()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as cause:
        raise FormatError(f"the file is cut off or damaged ({cause}); get it anew") from cause
    symbols = [byte_level.CHAR_OF_BYTE[byte] for byte in byte_level.gpt2_byte_order()]
    base = [*symbols, *(name + gpt2.END_OF_WORD for name in symbols)]
    names = [*base, *text.replace(" ", "").removesuffix("\n").split("\n"), *_SPECIAL]
    found = _core.read_merge_lines(text.encode(), names, "")
    if found is not None and len(found[0]) == _NUM_MERGES == len(lines) - 1 and not found[3]:
        ids = {name: id for id, name in enumerate(names)}
        return gpt2.model_of(ids, found[:3], special_tokens={name: ids[name] for name in _SPECIAL})
    return _read_slowly(lines, base)


def _read_slowly(lines: list[bytes], base: list[str]) -> BpeModel:
    """The same of any lines. Raises `FormatError` with the one that is wrong."""
    pairs = list(map(str.split, map(bytes.decode, lines[1:])))
    if len(pairs) < _NUM_MERGES or set(map(len, pairs)) != {2}:
        number = next((number for number, pair in enumerate(pairs, 2) if len(pair) != 2), len(lines) + 1)
        line = lines[number - 1] if number <= len(lines) else b""
        raise FormatError(f"line {number} is {line[:60]!r}, not two names; the file has {_NUM_MERGES:,} merges")
    names = [*base, *map("".join, pairs), *_SPECIAL]
    ids = {name: id for id, name in enumerate(names)}
    if len(ids) < len(names):
        raise FormatError("two merges make one token; check the file")
    left, right, merged_ids = columns_of(pairs, ids, "the file")
    return gpt2.model_of(ids, (left, right, merged_ids), special_tokens={name: ids[name] for name in _SPECIAL})


def _is_packed(path: str | os.PathLike[str]) -> bool:
    with open(path, "rb") as stream:
        return stream.read(2) == _GZIP
