"""Pruning: a vocabulary without the tokens that a corpus does not need."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from bpe_transformer.errors import CorpusError, LearningError, refuse_one_string
from bpe_transformer.io.printable import times
from bpe_transformer.tokenizer.counting.counts import PretokenCounts
from bpe_transformer.tokenizer.encoding.codec import Codec
from bpe_transformer.tokenizer.resizing.usage import token_usage
from bpe_transformer.tokenizer.vocabulary.model import BpeModel

_BATCH = 1024  # texts encoded at a time


@dataclass(frozen=True, eq=False)
class PrunedModel:
    """The result of pruning: the smaller vocabulary and its ids by old id. See `Tokenizer.prune`.

    `new_ids`: by old id, the id in `model`, or -1 for a token that was dropped; shape (old vocab_size,). Rows of an
    embedding matrix to keep are `numpy.flatnonzero(new_ids >= 0)`. `kept_constituents`: how many kept tokens do not occur
    in the corpus, but are needed to merge tokens that do. `corpus_tokens`: tokens of the corpus, the same before and after.
    """

    model: BpeModel
    new_ids: NDArray[np.int64]
    kept_constituents: int
    corpus_tokens: int

    @property
    def dropped(self) -> int:
        """How many ids were dropped."""
        return len(self.new_ids) - len(self.model.tokens)

    def __str__(self) -> str:
        old, new = len(self.new_ids), len(self.model.tokens)
        return (
            f"{times(old, 'id')} became {new:,}: {self.dropped:,} dropped ({self.dropped / max(old, 1):.1%}), "
            f"{self.kept_constituents:,} unused ones kept to merge others; "
            f"the corpus takes {times(self.corpus_tokens, 'token')}, as before"
        )


def prune(codec: Codec, corpus: PretokenCounts | Iterable[str]) -> PrunedModel:
    """See `Tokenizer.prune`."""
    refuse_one_string(CorpusError, corpus=corpus)
    model = codec.model
    used = _usage(codec, corpus)
    # A used token needs its constituents, the tokens that it is merged from. A merge whose result is not needed is never
    # applied to the corpus, so removing it changes no ids.
    needed = with_constituents(model, used > 0)
    always = never_pruned(model)
    kept = needed.copy()
    kept[always] = True
    new_ids = np.where(kept, np.cumsum(kept) - 1, -1).astype(np.int64)
    merges = kept[model.merged_ids] & needed[model.merged_ids]
    ids = new_ids.tolist()
    pruned = replace(
        model,
        tokens=tuple(token for token, keep in zip(model.tokens, kept.tolist(), strict=True) if keep),
        left=new_ids[model.left[merges]].astype(np.uint32),
        right=new_ids[model.right[merges]].astype(np.uint32),
        merged_ids=new_ids[model.merged_ids[merges]].astype(np.uint32),
        special_tokens={text: ids[id] for text, id in model.special_tokens.items()},
        added_tokens={text: ids[id] for text, id in model.added_tokens.items()},
    )
    constituents = needed & (used == 0)
    constituents[always] = False
    return PrunedModel(pruned, new_ids, int(constituents.sum()), int(used.sum()))


def with_constituents(model: BpeModel, wanted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which ids are wanted or needed to merge a wanted one; shape (vocab_size,), as `wanted`."""
    needed: list[bool] = wanted.tolist()
    merges = list(zip(model.left.tolist(), model.right.tolist(), model.merged_ids.tolist(), strict=True))[::-1]
    before = -1
    while before != (before := sum(needed)):  # again, where a merge comes after one that needs its result
        for left, right, merged in merges:
            if needed[merged]:
                needed[left] = needed[right] = True
    return np.array(needed, bool)


def never_pruned(model: BpeModel) -> list[int]:
    """The ids that pruning always keeps: base alphabet, special and added tokens."""
    alphabet = [id for id in model.base_ids if id in model.fallback_ids or _is_symbol(model, id)]
    return [*alphabet, *model.special_tokens.values(), *model.added_tokens.values()]


def _is_symbol(model: BpeModel, id: int) -> bool:
    """Whether a base token is one byte or character, not a longer one of an imported vocabulary."""
    token = model.tokens[id]
    if model.unit == "byte":
        return len(token) == 1
    return id in model.word_ends or len(token.decode()) == 1


def _usage(codec: Codec, corpus: PretokenCounts | Iterable[str]) -> NDArray[np.uint64]:
    if isinstance(corpus, PretokenCounts):
        if codec.model.prefix_space != "never":
            raise LearningError(
                "this vocabulary puts a space before texts, which counts do not show; prune it with the texts themselves"
            )
        return token_usage(codec, corpus).counts
    if isinstance(corpus, str):
        raise LearningError("the corpus to prune for is one string; give a list of texts, or PretokenCounts")
    size = len(codec.model.tokens)
    used = np.zeros(size, np.uint64)
    texts = iter(corpus)
    while batch := list(islice(texts, _BATCH)):
        ids = codec.encode_batch(batch, allowed_special="all").ids
        used += np.bincount(ids, minlength=size).astype(np.uint64)
    return used
