"""Merges given as pairs of token names, as in `tokenizer.json`, `merges.txt` and subword-nmt codes, to columns of ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from bpe_transformer.errors import FormatError
from bpe_transformer.lazy import NDArray, np

Columns: TypeAlias = "NDArray[np.uint32]"  # (3, N): left, right, merged_ids


def columns_of(
    pairs: Sequence[Sequence[str]], ids: Mapping[str, Any], place: str, *, last_wins: bool = True
) -> Columns:
    """The columns of merges given as (left, right) names. Raises `FormatError` with the rank of a name without an id.

    Where a pair occurs twice, `last_wins` keeps the later rank, as the `tokenizers` package does, else the first.
    """
    id_of = ids.__getitem__
    try:
        if set(map(len, pairs)) - {2}:
            raise ValueError
        sides = ([left for left, _ in pairs], [right for _, right in pairs], map("".join, pairs))
        columns = np.stack([np.fromiter(map(id_of, names), np.uint32, len(pairs)) for names in sides])
    except (KeyError, TypeError, ValueError, OverflowError):
        raise _first_problem(pairs, ids, place) from None
    return without_repeats(columns, last_wins=last_wins)


def _first_problem(pairs: Sequence[Sequence[str]], ids: Mapping[str, Any], place: str) -> FormatError:
    for rank, pair in enumerate(pairs):
        if not isinstance(pair, (list, tuple)) or len(pair) != 2 or not all(isinstance(side, str) for side in pair):
            return FormatError(f"{place}: merge {rank} is {str(pair)[:60]!r}, not two names")
        for name in (*pair, pair[0] + pair[1]):
            if name not in ids:
                return FormatError(
                    f"{place}: merge {rank} ({pair[0]!r}, {pair[1]!r}) needs the token {name!r}, which has no id"
                )
    return FormatError(f"{place}: merges are not pairs of names")


def without_repeats(columns: Columns, *, last_wins: bool) -> Columns:
    """The columns in which every pair of ids occurs once, at its later rank with `last_wins`, else at its first."""
    keys = columns[0].astype(np.uint64) << np.uint64(32) | columns[1]
    if last_wins:
        _, first = np.unique(keys[::-1], return_index=True)
        kept = len(keys) - 1 - first
    else:
        _, kept = np.unique(keys, return_index=True)
    return columns if len(kept) == len(keys) else columns[:, np.sort(kept)]
