"""Truncating: a smaller vocabulary with only the first merges of a learned one."""

from __future__ import annotations

from dataclasses import replace

from bpe_transformer.errors import LearningError
from bpe_transformer.lazy import np
from bpe_transformer.tokenizer.vocabulary.model import BpeModel
from bpe_transformer.tokenizer.vocabulary.trace import MergeTrace
from bpe_transformer.tokenizer.vocabulary.undone_merges import refuse_undone


def truncate(model: BpeModel, trace: MergeTrace | None, vocab_size: int) -> tuple[BpeModel, MergeTrace | None]:
    """The smaller vocabulary and its trace. See `Tokenizer.truncate`."""
    if vocab_size == model.vocab_size:
        return model, trace
    refuse_undone(model, LearningError, "truncate cannot shrink")
    if vocab_size > len(model.tokens):
        raise LearningError(
            f"vocab_size={vocab_size} is more than this vocabulary's {len(model.tokens)}; "
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
    kept = None if trace is None or merges < trace.first_rank else trace.head(merges - trace.first_rank)
    return smaller, kept


def _on_top(model: BpeModel) -> set[int]:
    """Ids of special and added tokens above all merges, as many published vocabularies have them."""
    last = int(model.merged_ids.max()) if len(model.merged_ids) else len(model.tokens)
    return {id for id in (*model.special_tokens.values(), *model.added_tokens.values()) if id > last}


def _check_cut(model: BpeModel, vocab_size: int, on_top: int) -> None:
    merged = model.merged_ids.astype(np.int64)
    if len(merged) and (disorder := np.flatnonzero(np.diff(merged) < 0)).size:
        rank = int(disorder[0]) + 1
        raise LearningError(
            f"the ids of this vocabulary are not in the order of its merges: merge {rank} makes id {merged[rank]} after "
            f"{merged[rank - 1]}, so no smaller vocabulary keeps its ids; learn one of the size wanted"
        )
    not_merged = {id for id, token in enumerate(model.tokens) if token} - set(model.merged_ids.tolist())
    stay = not_merged | {*model.special_tokens.values(), *model.added_tokens.values()}
    smallest = max(stay - _on_top(model), default=-1) + 1 + on_top
    if vocab_size < smallest:
        raise LearningError(
            f"vocab_size={vocab_size} is too small for the base alphabet ({len(model.base_ids)} tokens) and the special and "
            f"added tokens ({len(model.special_tokens) + len(model.added_tokens)}), which all stay; ask for at least {smallest}"
        )
