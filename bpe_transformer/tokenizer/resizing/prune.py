"""Pruning: a vocabulary without the tokens that a corpus does not need."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import islice

from bpe_transformer.errors import CorpusError, LearningError, refuse_one_string
from bpe_transformer.lazy import NDArray, np
from bpe_transformer.tokenizer.counting.counts import PretokenCounts
from bpe_transformer.tokenizer.encoding.codec import Codec
from bpe_transformer.tokenizer.resizing.usage import token_usage
from bpe_transformer.tokenizer.vocabulary.model import BpeModel
from bpe_transformer.tokenizer.vocabulary.pruned_model import PrunedModel
from bpe_transformer.tokenizer.vocabulary.undone_merges import refuse_undone

_BATCH = 1024  # texts encoded at a time


def prune(codec: Codec, corpus: PretokenCounts | Iterable[str]) -> PrunedModel:
    """See `Tokenizer.prune`."""
    refuse_one_string(CorpusError, corpus=corpus)
    model = codec.model
    refuse_undone(model, LearningError, "prune cannot shrink")
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
