"""Checks of values that are read from files of other programs: errors name the place in the file."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterable, Mapping
from typing import Any

from bpe_transformer.errors import FormatError, PatternError
from bpe_transformer.io import other_kind, read_limited, shown
from bpe_transformer.tokenizer.encoding.codec import Codec
from bpe_transformer.tokenizer.formats import recognition
from bpe_transformer.tokenizer.splitting import patterns
from bpe_transformer.tokenizer.vocabulary.model import BpeModel
from bpe_transformer.tokenizer.vocabulary.undone_merges import refuse_undone

VOCAB_FILE, MERGES_FILE = "vocab.json", recognition.MERGES_FILE  # GPT-2's two
PROBE_TEXT = (
    "The quick brown fox's 12345 jumps;  it'll\tcost $3.50!\r\n\n  다람쥐 헌 쳇바퀴에 타고파 3마리, naïve Ünïcödé — "
    "日本語 русский العربية 👩‍👩‍👧 ½ \u3000x_y(z)\n"
)
_MAX_BYTES = 2 << 30  # of a file that holds a vocabulary
_SECONDS = 2  # time limit for an expression from a file, which may backtrack without end


def escaped(text: str) -> str:
    """The regular expression that matches `text` and nothing else."""
    import regex

    return str(regex.escape(text))


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """The content of a file, without a byte order mark of UTF-8. Raises `FormatError`."""
    try:
        return read_limited(path, _MAX_BYTES, streams=True).removeprefix(codecs.BOM_UTF8)
    except FileNotFoundError as cause:
        raise FormatError(f"{path} cannot be read: {cause.strerror}; give a file of a tokenizer") from cause
    except FormatError as problem:
        said = str(problem).removeprefix("it cannot be read: ")
        raise FormatError(f"{path} cannot be read: {said}; give a file of a tokenizer") from problem


def read_text(path: str | os.PathLike[str]) -> str:
    """The content of a UTF-8 file, with its line ends as they are. Raises `FormatError`."""
    return as_text(read_bytes(path), path)


def as_text(data: bytes, path: str | os.PathLike[str]) -> str:
    """The text of the content of a file. Raises `FormatError`."""
    try:
        return data.decode()
    except UnicodeDecodeError as cause:
        kind = other_kind(path)
        what = f"is no tokenizer: it is {kind}" if kind else f"is not UTF-8: byte {cause.start}"
        raise FormatError(f"{path} {what}; {'give the tokenizer' if kind else 'check the file'}") from cause


def check_expression(expression: str, place: str) -> None:
    """Raises `FormatError`, with the place in the file, for an expression that does not compile."""
    if expression in patterns.PATTERNS or expression in patterns.PATTERNS.values():
        return
    try:
        patterns.compiled_expression(expression)
    except PatternError as cause:
        raise FormatError(f"{place} {str(cause).removeprefix('pattern=')} in the file") from cause


def accept(model: BpeModel) -> Codec:
    """A codec for a model that was read; a lossless one has to decode the probe text exactly. Raises `FormatError`."""
    codec = Codec(model)
    split = model.pretokenizer
    for expression in split.expressions:
        if expression not in patterns.PATTERNS.values():
            _check_time(expression)
    lossless = (model.unit == "byte" and not model.lacks_bytes and model.end_of_word is None) or (
        model.byte_fallback and model.space_mark is not None
    )
    if not lossless or not split.keeps_all or model.token_flags or model.added_tokens:
        return codec
    text = split.normalize(PROBE_TEXT)
    if model.space_mark is not None:
        text = text.replace(model.space_mark, " ")
    if codec.decoder.decode(codec.encode_ordinary(PROBE_TEXT)) != text:
        raise FormatError("the vocabulary does not decode the probe text as it encoded it; check the file")
    return codec


def _check_time(expression: str) -> None:
    """Raises `FormatError` for an expression that backtracks for long on the probe text."""
    try:
        for _ in patterns.compiled_expression(expression).finditer(PROBE_TEXT, timeout=_SECONDS):
            pass
    except TimeoutError:
        raise FormatError(
            f"the expression {expression!r} takes more than {_SECONDS} s for {len(PROBE_TEXT)} characters; simplify it"
        ) from None


def check_ids(names: Mapping[Any, Any], place: str) -> int:
    """Checks that ids are whole numbers, unique, and not far larger than their number; returns `vocab_size`.

    Gaps are allowed up to `largest_id`. Raises `FormatError`.
    """
    if not names:
        raise FormatError(f"{place} holds no token; check the file")
    ids = names.values()
    if set(map(type, ids)) != {int}:
        name, id = next((name, id) for name, id in names.items() if type(id) is not int)
        raise FormatError(f"{place}: the id of {shown(name)} is {shown(id)}, not a whole number")
    limit = largest_id(len(names))
    if min(ids) < 0 or max(ids) > limit:
        name, id = next((name, id) for name, id in names.items() if not 0 <= id <= limit)
        raise FormatError(
            f"{place}: the id of {shown(name)} is {shown(id)}; {len(names)} tokens may have ids 0 to {limit}; "
            "correct the id, or get the file anew"
        )
    if len(set(ids)) < len(names):
        owner: dict[int, Any] = {}
        name, id = next((name, id) for name, id in names.items() if owner.setdefault(id, name) != name)
        raise FormatError(f"{place}: id {id} is given to both {shown(owner[id])} and {shown(name)}")
    return int(max(ids)) + 1


def largest_id(tokens: int) -> int:
    """The largest id that a vocabulary of so many tokens may use: gaps are usual, ids of billions are not."""
    return 4 * tokens + 65_536


# the fields of a model that not every format can hold, with their default values
_FACTS: dict[str, Any] = {
    "unk_token": None,
    "end_of_word": None,
    "added_tokens": {},
    "token_flags": {},
    "byte_fallback": False,
    "fuse_unk": False,
    "ignore_merges": False,
    "space_mark": None,
    "prefix_space": "never",
    "bos_token": None,
    "eos_token": None,
    "template": None,
}
_PRETOKENIZATION = {
    **{"normalization": None, "charsmap": None, "squeeze_spaces": False},
    **dict.fromkeys(("protected", "before", "rewriting", "byte_splits", "unchanged"), ()),
}


def refuse_facts(model: BpeModel, form: str, holds: Iterable[str], remedy: str) -> None:
    """Raises `FormatError` for the first field that is set and that the format `form` cannot hold."""
    allowed = set(holds)
    refuse_undone(model, FormatError, f"{form} cannot hold")
    for source, facts in ((model, _FACTS), (model.pretokenizer, _PRETOKENIZATION)):
        for name, default in facts.items():
            value = getattr(source, name, default)
            if name not in allowed and (value or None) != (default or None):
                raise FormatError(f"{form} cannot hold {name}={shown(value)}; {remedy}")
