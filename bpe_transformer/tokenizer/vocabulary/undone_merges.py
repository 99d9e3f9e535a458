"""Merges that are undone in the end, as subword-nmt does with a vocabulary: tokens that are not in it become smaller ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from bpe_transformer.errors import BpeTransformerError, FormatError

if TYPE_CHECKING:
    from bpe_transformer.tokenizer.vocabulary.model import BpeModel

Undone = Mapping[int, tuple[int, ...]]


def undone_ids(
    ids: Mapping[str, int], vocab_size: int, pair_of: Mapping[str, tuple[str, str]], unknown: int
) -> dict[int, tuple[int, ...]]:
    """What each token whose id is not below `vocab_size` becomes, by id.

    Its two sides in `pair_of`, each of which is split again unless its id is below `vocab_size`; what has no pair, which is one
    character, becomes `unknown`. As `recursive_split` of subword-nmt's apply_bpe.py does.
    """
    undone: dict[int, tuple[int, ...]] = {}
    for token, id in ids.items():
        if id < vocab_size:
            continue
        becomes: list[int] = []
        waiting = [token]
        while waiting:
            piece = waiting.pop()
            if ids[piece] < vocab_size:
                becomes.append(ids[piece])
            elif piece in pair_of:
                waiting += reversed(pair_of[piece])
            else:
                becomes.append(unknown)
        undone[id] = tuple(becomes)
    return undone


def check_undone(model: BpeModel, place: str) -> None:
    """Raises `FormatError` unless the undone ids are the last ones, and each becomes others with as many symbols."""
    first = len(model.tokens) - len(model.undone)
    if set(model.undone) != set(range(first, len(model.tokens))):
        raise FormatError(f"{place}: the tokens that are undone do not have the last ids; get the file anew")
    named = (*model.special_tokens.values(), *model.added_tokens.values())
    if late := next((id for id in named if id >= first), None):
        raise FormatError(f"{place}: id {late} is undone and is of a special or added token; get the file anew")
    widths = model.widths.tolist()
    for id, becomes in model.undone.items():
        if any(not 0 <= other < first for other in becomes) or sum(widths[other] for other in becomes) != widths[id]:
            raise FormatError(
                f"{place}: {model.tokens[id].decode('utf-8', 'replace')!r} does not become what it is made of; "
                "get the file anew"
            )


def refuse_undone(model: BpeModel, error: Callable[[str], BpeTransformerError], what: str) -> None:
    """Raises an error if merges of a model are undone, which `what` cannot go on with."""
    if model.undone:
        raise error(
            f"{what} a vocabulary of subword-nmt with a threshold, in which {len(model.undone):,} tokens are undone; "
            "read the codes without threshold"
        )
