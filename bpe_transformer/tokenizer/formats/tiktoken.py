"""`.tiktoken` files: a token in base64 and its rank on each line. They hold neither the pattern nor the special tokens."""

from __future__ import annotations

import base64
import binascii
import codecs
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bpe_transformer import _core
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
_LLAMA3 = (
    *("<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>", "<|reserved_special_token_1|>"),
    *(
        "<|finetune_right_pad_id|>",
        "<|step_id|>",
        "<|start_header_id|>",
        "<|end_header_id|>",
        "<|eom_id|>",
        "<|eot_id|>",
    ),
    *("<|python_tag|>", "<|image|>", *(f"<|reserved_special_token_{number}|>" for number in range(2, 246))),
)
_LLAMA4 = ("<|begin_of_text|>", "<|end_of_text|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>")


def _from(first: int, *names: str) -> dict[str, int]:
    return {name: first + position for position, name in enumerate(names)}


@dataclass(frozen=True)
class _Public:
    """A public vocabulary: the pattern, and the special tokens if the file has `num_ranks` ranks."""

    pattern: str
    num_ranks: int | None = None
    special_tokens: Mapping[str, int] = field(default_factory=dict)


# by file name, as OpenAI, Qwen, Whisper and Llama call theirs; Llama's two are told apart by their number of ranks
_PUBLIC: dict[str, tuple[_Public, ...]] = {
    "gpt2": (_Public("gpt2", 50_256, _from(50_256, _END)),),
    "r50k_base": (_Public("gpt2", 50_256, _from(50_256, _END)),),
    "p50k_base": (_Public("gpt2", 50_280, _from(50_256, _END)),),
    "p50k_edit": (_Public("gpt2", 50_280, {_END: 50_256, **_from(50_281, *_FILL_IN)}),),
    "cl100k_base": (_Public("cl100k", 100_256, {**_from(100_257, _END, *_FILL_IN), "<|endofprompt|>": 100_276}),),
    "o200k_base": (_Public("o200k", 199_998, {_END: 199_999, "<|endofprompt|>": 200_018}),),
    "o200k_harmony": (_Public("o200k"),),
    "qwen": (_Public("qwen2"),),
    "multilingual": (_Public("gpt2", 50_256, _from(50_257, _END)),),
    "tokenizer": (
        _Public("llama3", 128_000, _from(128_000, *_LLAMA3)),
        _Public("o200k", 200_000, _from(200_000, *_LLAMA4)),
    ),
}


def read(
    path: str | os.PathLike[str],
    pattern: str | Pretokenizer | None = None,
    special_tokens: Mapping[str, int] | None = None,
) -> BpeModel:
    """See `Tokenizer.from_tiktoken`."""
    data = read_bytes(path)
    lines = _core.read_rank_lines(data)
    if lines is None or len(set(lines[0])) < len(lines[0]):
        found: dict[bytes, int] | ranks.RankColumns = parse(data)  # slower, and says what is wrong
    else:
        found = ranks.RankColumns.of(*lines)
    candidates = _PUBLIC.get(Path(path).stem, ())
    known = next((public for public in candidates if public.num_ranks == len(found)), None)
    if pattern is None:
        likely = known or (candidates[0] if len(candidates) == 1 else None)
        if likely is None:
            raise FormatError(
                "ranks do not say how text is split into pre-tokens; "
                f"name the pattern, one of {', '.join(patterns.PATTERNS)}, or a regular expression, "
                "as pattern=…"
            )
        pattern = likely.pattern
    if special_tokens is None:
        special_tokens = known.special_tokens if known else {}
    return ranks.model_of(found, Pretokenizer.of(pattern), special_tokens)


def parse(data: bytes) -> dict[bytes, int]:
    """The ranks in the content of a file. Raises `FormatError` with the line.

    An empty token, which the last line of Whisper's has, is left out: no text has it.
    """
    found: dict[bytes, int] = {}
    for number, line in enumerate(data.removeprefix(codecs.BOM_UTF8).splitlines(), 1):
        parts = line.split()
        if not parts or (parts[0] == b"=" and len(parts) == 2 and parts[1].isdigit()):
            continue
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
    """The bytes of a `.tiktoken` file. Raises `FormatError` for a model that ranks cannot express."""
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
