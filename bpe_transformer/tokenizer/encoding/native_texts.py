"""Which texts the core encodes as they are, though others of the same tokenizer need Python."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Sequence

import numpy as np

from bpe_transformer.tokenizer.encoding.encodings import Encodings
from bpe_transformer.tokenizer.vocabulary.model import BpeModel

_FEW = 32  # tokens that are looked for one by one


class PlainTexts:
    """Tells texts that hold no token with flags and are normalised already; substrings of these are normalised as well."""

    def __init__(self, model: BpeModel) -> None:
        self._form = model.pretokenizer.normalization
        normal, flags, mark = model.pretokenizer.normalize, model.token_flags, model.space_mark
        late = {token for token in flags if "normalized" in flags[token]}
        if model.prefix_space != "always" and not overlap(late, {*model.special_tokens, *model.added_tokens} - late):
            # in text that is normalised these are where the core finds them
            late = {token for token in late if flags[token] != ("normalized",) or normal(token) != token}
        kept = late | {token for token in flags if "normalized" not in flags[token]}
        tokens = {form for token in kept for form in (token, normal(token))}
        otherwise = mark is not None and any(mark in token or " " in token for token in flags)  # written in two ways
        self._tokens = [""] if otherwise or len(tokens) > _FEW else sorted(tokens)
        self._encoded = [token.encode() for token in self._tokens]

    def others(self, texts: Iterable[object]) -> list[int]:
        """The numbers of all other texts, and of what is none."""
        return [number for number, text in enumerate(texts) if not self._is_plain(text)]

    def _is_plain(self, text: object) -> bool:
        if isinstance(text, str):
            found = any(token in text for token in self._tokens)
        elif isinstance(text, bytes):
            found = any(token in text for token in self._encoded)
        else:
            return False
        if found or self._form is None or text.isascii():
            return not found
        decoded = text if isinstance(text, str) else text.decode("utf-8", "surrogateescape")
        return unicodedata.is_normalized(self._form, decoded)


def overlap(some: Collection[str], others: Collection[str]) -> bool:
    """Whether one of some tokens can share a character of a text with one of others; True if these are very many."""
    if len(some) * len(others) > 1 << 20:
        return True
    return any(
        a in b or b in a or any(a.endswith(b[:n]) or b.endswith(a[:n]) for n in range(1, min(len(a), len(b))))
        for a in some
        for b in others
    )


def without(texts: Sequence[str | bytes], others: Sequence[int]) -> list[str | bytes]:
    """Texts in their places, but for others, which are empty."""
    plain = list(texts)
    for number in others:
        plain[number] = b""
    return plain


def together(plain: Encodings, others: Sequence[int], rows: Sequence[Sequence[int]]) -> Encodings:
    """`plain`, in which the texts of numbers `others` have no ids, with their rows of ids."""
    lengths = np.diff(plain.offsets)
    lengths[list(others)] = [len(row) for row in rows]
    offsets = np.zeros(len(plain.offsets), np.int64)
    np.cumsum(lengths, out=offsets[1:])
    ids = np.empty(offsets[-1], plain.ids.dtype)
    is_plain = np.ones(len(lengths), np.bool_)
    is_plain[list(others)] = False
    ids[np.repeat(is_plain, lengths)] = plain.ids
    for number, row in zip(others, rows, strict=True):
        ids[offsets[number] : offsets[number + 1]] = row
    return Encodings(ids, offsets)
