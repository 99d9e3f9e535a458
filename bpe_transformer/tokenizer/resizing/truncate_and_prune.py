"""Smaller vocabularies from a learned one: the first merges of it, or only what a corpus uses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from bpe_transformer.errors import LearningError
from bpe_transformer.tokenizer.counting.counts import PretokenCounts
from bpe_transformer.tokenizer.resizing.usage import token_usage
from bpe_transformer.tokenizer.tokenizer import Tokenizer
from bpe_transformer.tokenizer.vocabulary.model import BpeModel

_BATCH = 1024  # texts encoded at a time


def truncate(tokenizer: Tokenizer, vocab_size: int) -> Tokenizer:
    """See `Tokenizer.truncate`."""
    model = tokenizer.model
    if vocab_size == tokenizer.vocab_size:
        return tokenizer
    if vocab_size > tokenizer.vocab_size:
        raise LearningError(
            f"vocab_size={vocab_size} is more than this vocabulary's {tokenizer.vocab_size}; "
            "go on learning with learn_bpe(counts, vocab_size, base=tokenizer)"
        )
    on_top = _on_top(model)
    _check_cut(model, vocab_size, len(on_top))
    cut = vocab_size - len(on_top)  # ids below it stay as they are
    merges = int(np.searchsorted(model.merged_ids, cut))
    if merges and max(model.left[:merges].max(), model.right[:merges].max()) >= cut:
        raise LearningError(
            f"a merge that makes one of the first {cut} ids needs a later id; learn a vocabulary of that size"
        )
    new_id = {id: cut + i for i, id in enumerate(sorted(on_top))}
    named = {**model.special_tokens, **model.added_tokens}
    text_of = {id: text for text, id in named.items()}
    smaller = replace(
        model,
        tokens=(*model.tokens[:cut], *(text_of[id].encode() for id in sorted(on_top))),
        left=model.left[:merges],
        right=model.right[:merges],
        merged_ids=model.merged_ids[:merges],
        special_tokens={text: new_id.get(id, id) for text, id in model.special_tokens.items()},
        added_tokens={text: new_id.get(id, id) for text, id in model.added_tokens.items()},
    )
    trace = tokenizer.trace
    kept = None if trace is None or merges < trace.first_rank else trace.head(merges - trace.first_rank)
    return Tokenizer(smaller, trace=kept)


def _on_top(model: BpeModel) -> set[int]:
    """Ids of special and added tokens above all merges, as many published vocabularies have them."""
    last = int(model.merged_ids.max()) if len(model.merged_ids) else len(model.tokens)
    return {id for id in (*model.special_tokens.values(), *model.added_tokens.values()) if id > last}


def _check_cut(model: BpeModel, vocab_size: int, on_top: int) -> None:
    made = model.merged_ids.astype(np.int64)
    if len(made) and (disorder := np.flatnonzero(np.diff(made) < 0)).size:
        rank = int(disorder[0]) + 1
        raise LearningError(
            f"the ids of this vocabulary are not in the order of its merges: merge {rank} makes id {made[rank]} after "
            f"{made[rank - 1]}, so no smaller vocabulary keeps its ids; learn one of the size wanted"
        )
    unmade = {id for id, token in enumerate(model.tokens) if token} - set(model.merged_ids.tolist())
    stay = unmade | {*model.special_tokens.values(), *model.added_tokens.values()}
    smallest = max(stay - _on_top(model), default=-1) + 1 + on_top
    if vocab_size < smallest:
        raise LearningError(
            f"vocab_size={vocab_size} is too small for the base alphabet ({len(model.base_ids)} tokens) and the special and "
            f"added tokens ({len(model.special_tokens) + len(model.added_tokens)}), which all stay; ask for at least {smallest}"
        )


@dataclass(frozen=True, eq=False)
class Pruned:
    """A vocabulary without the tokens that a corpus never needs. See `Tokenizer.prune`.

    `new_ids`: by old id, the id in `tokenizer`, or -1 for a token that was dropped; shape (old vocab_size,). Rows of an
    embedding matrix to keep are `numpy.flatnonzero(new_ids >= 0)`. `kept_as_parts`: kept tokens that the corpus never
    holds, but that others are made of. `corpus_tokens`: tokens of the corpus, the same before and after.
    """

    tokenizer: Tokenizer
    new_ids: NDArray[np.int64]
    kept_as_parts: int
    corpus_tokens: int

    @property
    def dropped(self) -> int:
        """How many ids were dropped."""
        return len(self.new_ids) - self.tokenizer.vocab_size

    def __str__(self) -> str:
        old, new = len(self.new_ids), self.tokenizer.vocab_size
        return (
            f"{old:,} ids became {new:,}: {self.dropped:,} dropped ({self.dropped / max(old, 1):.1%}), "
            f"{self.kept_as_parts:,} unused ones kept as parts of others; {self.corpus_tokens:,} tokens of corpus as before"
        )


def prune(tokenizer: Tokenizer, corpus: PretokenCounts | Iterable[str]) -> Pruned:
    """See `Tokenizer.prune`."""
    model = tokenizer.model
    used = _usage(tokenizer, corpus)
    # A token that is made on the way to a used one is part of it, so merges that make nothing needed are never applied to
    # the corpus, and its encoding does not notice that they are gone.
    needed = with_parts(model, used > 0)
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
    parts = needed & (used == 0)
    parts[always] = False
    return Pruned(Tokenizer(pruned), new_ids, int(parts.sum()), int(used.sum()))


def with_parts(model: BpeModel, wanted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The wanted ids and all ids that they are made of, by whichever merges make them; shape (vocab_size,) each."""
    needed: list[bool] = wanted.tolist()
    merges = list(zip(model.left.tolist(), model.right.tolist(), model.merged_ids.tolist(), strict=True))[::-1]
    before = -1
    while before != (before := sum(needed)):  # once more where merges are in no order
        for left, right, made in merges:
            if needed[made]:
                needed[left] = needed[right] = True
    return np.array(needed, bool)


def never_pruned(model: BpeModel) -> list[int]:
    """The ids that pruning keeps, used or not: base alphabet, special and added tokens."""
    alphabet = [id for id in model.base_ids if id in model.fallback_ids or _is_symbol(model, id)]
    return [*alphabet, *model.special_tokens.values(), *model.added_tokens.values()]


def _is_symbol(model: BpeModel, id: int) -> bool:
    """Whether a base token is one byte or character, not a longer one of an imported vocabulary."""
    token = model.tokens[id]
    if model.unit == "byte":
        return len(token) == 1
    return id in model.word_ends or len(token.decode()) == 1


def _usage(tokenizer: Tokenizer, corpus: PretokenCounts | Iterable[str]) -> NDArray[np.uint64]:
    if isinstance(corpus, PretokenCounts):
        if tokenizer.model.prefix_space != "never":
            raise LearningError(
                "this vocabulary puts a space before texts, which counts do not show; prune it with the texts themselves"
            )
        return token_usage(tokenizer, corpus).counts
    if isinstance(corpus, str):
        raise LearningError("the corpus to prune for is one string; give a list of texts, or PretokenCounts")
    used = np.zeros(tokenizer.vocab_size, np.uint64)
    texts = iter(corpus)
    while batch := list(islice(texts, _BATCH)):
        ids = tokenizer.encode_batch(batch, allowed_special="all").ids
        used += np.bincount(ids, minlength=tokenizer.vocab_size).astype(np.uint64)
    return used
