"""`.tiktoken` files: a token in base64 and its rank on each line. They hold neither the pattern nor the special tokens."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bpe_transformer.errors import FormatError
from bpe_transformer.tokenizer.formats import ranks
from bpe_transformer.tokenizer.formats.checks import read_bytes, refuse_facts
from bpe_transformer.tokenizer.splitting import patterns
from bpe_transformer.tokenizer.splitting.pretokenizer import Pretokenizer
from bpe_transformer.tokenizer.vocabulary.model import BpeModel

if TYPE_CHECKING:
    import tiktoken

NAME = "tiktoken"
_REMEDY = "export to tokenizer.json"
_END = "<|endoftext|>"
_FILL_IN = ("<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>")
# the file names of public vocabularies, with the pattern of each
_PATTERN_OF_NAME = {
    "gpt2": "gpt2",
    "r50k_base": "gpt2",
    "p50k_base": "gpt2",
    "p50k_edit": "gpt2",
    "cl100k_base": "cl100k",
    "o200k_base": "o200k",
    "o200k_harmony": "o200k",
    "qwen": "qwen2",
}
# (number of ranks, special tokens) of OpenAI's vocabularies, by file name
_SPECIAL: dict[str, tuple[int, dict[str, int]]] = {
    "gpt2": (50256, {_END: 50256}),
    "r50k_base": (50256, {_END: 50256}),
    "p50k_base": (50280, {_END: 50256}),
    "p50k_edit": (50280, {_END: 50256, **dict(zip(_FILL_IN, range(50281, 50284), strict=True))}),
    "cl100k_base": (
        100256,
        {_END: 100257, **dict(zip(_FILL_IN, range(100258, 100261), strict=True)), "<|endofprompt|>": 100276},
    ),
    "o200k_base": (199998, {_END: 199999, "<|endofprompt|>": 200018}),
}


def recognises(head: bytes) -> bool:
    """Whether a file that begins with `head` can only be of this format."""
    first = head.lstrip(b"\r\n").split(b"\n", 1)[0].split()
    return len(first) == 2 and first[1].isdigit() and _base64(first[0]) is not None


def read(
    path: str | os.PathLike[str],
    pattern: str | Pretokenizer | None = None,
    special_tokens: Mapping[str, int] | None = None,
) -> BpeModel:
    """See `Tokenizer.from_tiktoken`."""
    if pattern is None:
        pattern = _PATTERN_OF_NAME.get(Path(path).stem)
        if pattern not in patterns.PATTERNS:
            raise FormatError(
                "ranks do not say how text is split into pre-tokens; "
                f"name the pattern, one of {', '.join(patterns.PATTERNS)}, or a regular expression, "
                "as pattern=…, or on the command line as FILE:PATTERN"
            )
    found = parse(read_bytes(path))
    if special_tokens is None:
        size, known = _SPECIAL.get(Path(path).stem, (0, {}))
        special_tokens = known if len(found) == size else {}
    return ranks.model_of(found, Pretokenizer.of(pattern), special_tokens)


def parse(data: bytes) -> dict[bytes, int]:
    """The ranks in the content of a file. Raises `FormatError` with the line."""
    found: dict[bytes, int] = {}
    for number, line in enumerate(data.splitlines(), 1):
        if not line:
            continue
        parts = line.split()
        token = _base64(parts[0]) if len(parts) == 2 else None
        if token is None or not parts[1].isdigit() or len(parts[1]) > 10:
            shown = line if len(line) <= 40 else line[:37] + b"..."
            raise FormatError(f"line {number} is {shown!r}, not a token in base64 and its rank")
        if token in found:
            raise FormatError(f"line {number} gives the token {token!r} a second rank")
        found[token] = int(parts[1])
    return found


def _base64(text: bytes) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return None


def write(model: BpeModel, path: str | os.PathLike[str]) -> None:
    """Writes the ranks. Raises `FormatError` for a model that ranks cannot express."""
    Path(path).write_bytes(dump(model))


def dump(model: BpeModel) -> bytes:
    refuse_facts(model, ".tiktoken", {"ignore_merges", "bos_token", "eos_token"}, _REMEDY)
    by_rank = sorted(ranks.ranks_of(model, ".tiktoken").items(), key=lambda item: item[1])
    return b"".join(base64.b64encode(token) + b" %d\n" % rank for token, rank in by_rank)


def read_back(model: BpeModel, path: str | os.PathLike[str]) -> BpeModel:
    """Reads a file written for `model`, with the pattern and the special tokens of `model`."""
    return read(path, model.pretokenizer, model.special_tokens)


def encoding(model: BpeModel, name: str = "bpe-transformer") -> tiktoken.Encoding:
    """A `tiktoken.Encoding` that encodes as `model`. Raises `FormatError`."""
    try:
        import tiktoken as package
    except ImportError as cause:
        raise FormatError("the tiktoken package is not installed; run pip install tiktoken") from cause
    refuse_facts(model, "tiktoken.Encoding", {"ignore_merges", "bos_token", "eos_token"}, _REMEDY)
    arguments: dict[str, Any] = {
        "pat_str": patterns.expression(model.pattern),
        "mergeable_ranks": ranks.ranks_of(model, "tiktoken.Encoding"),
        "special_tokens": dict(model.special_tokens),
    }
    try:
        return package.Encoding(name, **arguments)
    except (ValueError, TypeError, KeyError, OverflowError) as cause:
        raise FormatError(f"tiktoken does not take this vocabulary: {cause}; {_REMEDY}") from cause
