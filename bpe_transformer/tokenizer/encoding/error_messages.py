"""The errors of encoding and decoding, with the value, the cause and the remedy."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any

from bpe_transformer import _core
from bpe_transformer.errors import BpeTransformerError, DecodingError, EncodingError, SpecialTokenError
from bpe_transformer.lazy import NDArray, np
from bpe_transformer.tokenizer.splitting.normalizers import grown
from bpe_transformer.tokenizer.vocabulary.model import BpeModel


def encoding_error(cause: Exception, texts: Sequence[object], model: BpeModel) -> BpeTransformerError | None:
    """The library's error for what the native core raised while it encoded `texts`; None if no text is to blame."""
    if isinstance(cause, _core.ForbiddenSpecial):
        number, index, position = cause.args
        token = list(model.special_tokens)[number]
        return SpecialTokenError(
            f"{'the text' if len(texts) == 1 else f'text {index}'} holds the special token {token!r} (byte {position}), "
            f"which is not allowed; to get its id, pass allowed_special={{{token!r}}}; "
            "to encode it as plain text, pass disallowed_special=() or a set without it"
        )
    if isinstance(cause, _core.TextGrows):
        return grown(cause)
    if isinstance(cause, _core.UnknownCharacter):
        code_point, index, position = cause.args
        where = f"byte {position}" if len(texts) == 1 else f"byte {position} of text {index}"
        if model.unit == "byte":
            return EncodingError(
                f"0x{code_point:02X} at {where} is a byte without a token in this vocabulary, and there is no unknown token; "
                "leave the text out, or learn a byte vocabulary, which has all 256 bytes"
            )
        name = f"{chr(code_point)!r} (U+{code_point:04X})"
        return EncodingError(
            f"character {name} at {where} is not in this vocabulary's alphabet; "
            'learn it with unk_token="<unk>", on text that holds the character, or with unit="byte"'
        )
    for index, text in enumerate(texts):
        name = "the text" if len(texts) == 1 else f"text {index}"
        if not isinstance(text, (str, bytes)):
            return EncodingError(f"{name} is {type(text).__name__}; encode takes str or bytes")
        if isinstance(text, str) and not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError as surrogate:
                return EncodingError(
                    f"character {surrogate.start} of {name} is a lone surrogate, "
                    f"U+{ord(text[surrogate.start]):04X}, which UTF-8 cannot hold; "
                    'go on with errors="replace", or pass bytes'
                )
    return None


def check_dropout(dropout: float, seed: int | None) -> tuple[float, int]:
    """Both as Python numbers. Raises `EncodingError` for a `dropout` that is not a probability, and a missing or bad seed."""
    if not isinstance(dropout, numbers.Real) or not 0 <= dropout <= 1:
        raise EncodingError(f"dropout={dropout!r} is not a probability; give a number from 0 to 1, such as 0.1")
    if not isinstance(seed, numbers.Integral) or not 0 <= seed < 2**64:
        raise EncodingError(
            f"dropout={dropout} with seed={seed!r}; give a seed from 0 to 2^64 - 1, another for every epoch"
        )
    return float(dropout), int(seed)


def id_out_of_range(id: int, vocab_size: int, position: int | None = None) -> str:
    """The message for an id that the vocabulary does not have, or that is in range and has no token."""
    at = "" if position is None else f" at position {position}"
    if 0 <= id < vocab_size:
        return f"id {id}{at} has no token in this vocabulary, which leaves ids out; check where the id comes from"
    return f"id {id}{at} is out of range; this vocabulary has ids 0 to {vocab_size - 1}"


def id_array(ids: object, vocab_size: int) -> NDArray[np.int64]:
    """Ids in a form that the native core reads. Raises `DecodingError` for anything but a flat sequence of whole numbers."""
    given: Any = ids if isinstance(ids, (list, tuple, np.ndarray)) else ()
    if getattr(given, "dtype", np.dtype(np.uint64)) == np.uint64:  # perhaps numbers that int64 cannot hold
        for position, id in enumerate(given):
            if isinstance(id, (int, np.uint64)) and not -(2**63) <= int(id) < 2**63:
                raise DecodingError(id_out_of_range(int(id), vocab_size, position))
    try:
        array: NDArray[Any] = np.asarray(ids)
    except (OverflowError, ValueError, TypeError) as cause:
        raise DecodingError(f"ids must be a flat sequence of whole numbers: {cause}") from cause
    if array.ndim == 0:
        raise DecodingError(f"ids is {type(ids).__name__}; give a flat sequence of whole numbers")
    if array.size == 0:
        return np.empty(0, np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise DecodingError(
            f"ids of type {array.dtype} and shape {array.shape}; give a flat sequence of whole numbers in range"
        )
    return np.ascontiguousarray(array, np.int64)


def not_utf8(cause: UnicodeDecodeError) -> str:
    """The message for ids whose bytes are not UTF-8."""
    return (
        f"the ids are not UTF-8 text: byte 0x{cause.object[cause.start]:02x} at position {cause.start} of their bytes; "
        'go on with errors="replace", or take the bytes with decode_bytes'
    )
