"""Choosing the texts of a batch that the native core can encode; the others need `PythonEncoder`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from bpe_transformer.lazy import np
from bpe_transformer.tokenizer.encoding.encodings import Encodings
from bpe_transformer.tokenizer.splitting.alignment import is_normalized
from bpe_transformer.tokenizer.vocabulary.model import BpeModel

_MAX_TOKENS = 32  # that a text is searched for; with more, all texts are rejected


class NativeTexts:
    """Decides which texts the native core can encode: those without a token with flags that are normalised already.

    Substrings of normalised text are normalised as well, so splitting them needs no normalisation.
    """

    def __init__(self, model: BpeModel) -> None:
        self._form = model.pretokenizer.normalization
        normal, flags, mark = model.pretokenizer.normalize, model.token_flags, model.space_mark
        after_normalization = {token for token in flags if "normalized" in flags[token]}
        rest = {*model.special_tokens, *model.added_tokens} - after_normalization
        if model.prefix_space != "always":
            # tokens that normalisation does not change: the core finds them itself in normalised text
            changed = {t for t in after_normalization if flags[t] != ("normalized",) or normal(t) != t}
            after_normalization = changed | overlapping(after_normalization, rest)
        needs_python = after_normalization | {token for token in flags if "normalized" not in flags[token]}
        tokens = {form for token in needs_python for form in (token, normal(token))}
        has_two_forms = mark is not None and any(mark in token or " " in token for token in flags)
        self._tokens = (
            [""] if has_two_forms or len(tokens) > _MAX_TOKENS else sorted(tokens)
        )  # "" is found in every text
        self._encoded = [token.encode() for token in self._tokens]
        # with a space before the text, a token that it begins with follows that space, which the core does not put there
        self._first = tuple(model.added_tokens) if model.prefix_space == "first" else ()
        self._encoded_first = tuple(token.encode() for token in self._first)

    def rejected(self, texts: Iterable[object]) -> list[int]:
        """Indices of the texts that need the Python path, and of objects that are not texts."""
        return [index for index, text in enumerate(texts) if not self._accepts(text)]

    def _accepts(self, text: object) -> bool:
        if isinstance(text, str):
            found = text.startswith(self._first) or any(token in text for token in self._tokens)
        elif isinstance(text, bytes):
            found = text.startswith(self._encoded_first) or any(token in text for token in self._encoded)
        else:
            return False
        if found or self._form is None or text.isascii():
            return not found
        decoded = text if isinstance(text, str) else text.decode("utf-8", "surrogateescape")
        return is_normalized(self._form, decoded)


def overlapping(some: Collection[str], others: Collection[str]) -> set[str]:
    """Those of `some` tokens of which a match can overlap a match of one of the `others` in a text.

    >>> sorted(overlapping(["<a>", "bc", "x<", "lower"], ["<b>", "abcd", "low"]))
    ['bc', 'lower', 'x<']
    """
    whole, all_others, sizes = frozenset(others), "\0".join(others), set(map(len, others))
    longest, longest_other = max(map(len, some), default=0), max(sizes, default=0)
    starts = {other[:n] for other in others for n in range(1, min(len(other), longest))}
    ends = {other[-n:] for other in others for n in range(1, min(len(other), longest))}
    return {
        token
        for token in some
        if token in all_others
        or any(token[-n:] in starts or token[:n] in ends for n in range(1, min(len(token), longest_other)))
        or any(token[i : i + size] in whole for size in sizes for i in range(len(token) - size + 1))
    }


def blanked(texts: Sequence[str | bytes], rejected: Sequence[int]) -> list[str | bytes]:
    """The same texts, with empty ones at the indices in `rejected`."""
    others = list(texts)
    for index in rejected:
        others[index] = b""
    return others


def merge_rows(encodings: Encodings, rejected: Sequence[int], rows: Sequence[Sequence[int]]) -> Encodings:
    """`encodings` of `blanked` texts with the ids in `rows` at the indices in `rejected`."""
    lengths = np.diff(encodings.row_starts)
    lengths[list(rejected)] = [len(row) for row in rows]
    row_starts = np.zeros(len(encodings.row_starts), np.int64)
    np.cumsum(lengths, out=row_starts[1:])
    ids = np.empty(row_starts[-1], encodings.ids.dtype)
    is_native = np.ones(len(lengths), np.bool_)
    is_native[list(rejected)] = False
    ids[np.repeat(is_native, lengths)] = encodings.ids
    for index, row in zip(rejected, rows, strict=True):
        ids[row_starts[index] : row_starts[index + 1]] = row
    return Encodings.unchecked(ids, row_starts)
