"""The merge history of a tokenizer of any size as rows of a table, read from the saved trace."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from bpe_transformer.errors import LearningError
from bpe_transformer.inspection.base.view import View
from bpe_transformer.inspection.base.visible import token_dict
from bpe_transformer.inspection.derivation.token_derivation import TokenNode, tree_of_merge
from bpe_transformer.inspection.derivation.token_lookup import merged_id, unknown_rank_error

if TYPE_CHECKING:
    from bpe_transformer.tokenizer import Tokenizer

Pair = tuple[int, int]
Order = Literal["rank", "count", "words", "length"]


@dataclass(frozen=True, slots=True)
class TraceRow(View):
    """One merge of a trace. The learner's figures are None when the tokenizer came without a trace."""

    rank: int
    pair: tuple[int, int]
    tokens: tuple[bytes, bytes]
    new_id: int
    new_token: bytes
    count: int | None = None  # occurrences of the pair when it was merged
    runner_up: tuple[bytes, bytes] | None = None
    runner_up_count: int | None = None
    tied: bool | None = None
    words_touched: int | None = None  # distinct words
    tokens_left: int | None = None  # in the whole corpus, after this merge
    compression: float | None = None  # tokens before the first merge of the trace / tokens after this one

    def as_dict(self) -> dict[str, Any]:
        return {
            "rank": self.rank,
            "left": self.pair[0],
            "right": self.pair[1],
            "tokens": [token_dict(token) for token in self.tokens],
            "new_id": self.new_id,
            "new_token": token_dict(self.new_token),
            "count": self.count,
            "runner_up": [token_dict(token) for token in self.runner_up] if self.runner_up else None,
            "runner_up_count": self.runner_up_count,
            "tied": self.tied,
            "words_touched": self.words_touched,
            "tokens_left": self.tokens_left,
            "compression": self.compression,
        }


@dataclass(frozen=True, slots=True)
class TraceTable(View):
    """Some of the merges of a tokenizer: a window by rank, or the first by some other order."""

    rows: tuple[TraceRow, ...]
    total: int  # merges of the tokenizer
    digest: str  # of the tokenizer
    has_trace: bool  # False: pairs and tokens are known, counts and runners-up are not
    order: Order = "rank"

    def as_dict(self) -> dict[str, Any]:
        rows = [row.as_dict() for row in self.rows]
        facts = {"total": self.total, "digest": self.digest, "has_trace": self.has_trace, "order": self.order}
        return {**facts, "rows": rows}


@dataclass(frozen=True, slots=True)
class MergeDetail(View):
    """One merge in full: its row, the merges before and after it, and the derivation of its two sides."""

    row: TraceRow
    around: TraceTable
    tree: TokenNode

    def as_dict(self) -> dict[str, Any]:
        return {"row": self.row.as_dict(), "around": self.around.as_dict(), "tree": self.tree.as_dict()}


def trace_table(tokenizer: Tokenizer, start: int = 0, stop: int | None = 20) -> TraceTable:
    """The merges of rank `start` up to but without `stop` (None: to the end), with the learner's figures.

    Takes time in proportion to the window, whatever the size of the trace.

    Raises:
        LearningError: the window holds no merge.
    """
    total = len(tokenizer.model.merged_ids)
    window = range(total)[start:stop]
    if not window:
        if not total:
            raise unknown_rank_error(0, 0)
        raise LearningError(
            f"no merge in the range {start}:{'' if stop is None else stop}; "
            f"this tokenizer has {total:,} merges, ranks 0 to {total - 1:,}"
        )
    return _table(tokenizer, window)


def top_merges(tokenizer: Tokenizer, top: int = 20, by: Order = "count") -> TraceTable:
    """The `top` merges with the highest count, most words touched, or longest token (in bytes), the lower rank first.

    Raises:
        LearningError: `by` is unknown, or needs a trace and there is none.
    """
    trace, model = tokenizer.trace, tokenizer.model
    if by not in get_args(Order):
        raise LearningError(f"merges cannot be ordered by {by!r}; choose one of {', '.join(get_args(Order))}")
    if by in ("count", "words") and trace is None:
        raise LearningError(
            f"ordering by {by} needs a trace, and none came with this tokenizer; order by length or rank"
        )
    if by == "rank":
        return trace_table(tokenizer, 0, top)
    first = 0
    if by == "length" or trace is None:
        values = np.array([len(model.tokens[id]) for id in model.merged_ids.tolist()], np.float64)
    else:
        first = trace.first_rank
        values = (trace.counts if by == "count" else trace.words_touched).astype(np.float64)
    best = np.argsort(-values, kind="stable")[:top]
    return _table(tokenizer, (best + first).tolist(), by)


def merge_detail(tokenizer: Tokenizer, rank: int, around: int = 2) -> MergeDetail:
    """The merge of `rank`, with `around` merges before and after it.

    Raises:
        LearningError: there is no such merge.
    """
    merged_id(tokenizer, rank)
    table = trace_table(tokenizer, max(0, rank - around), rank + around + 1)
    return MergeDetail(trace_row(tokenizer, rank), table, tree_of_merge(tokenizer, rank))


def _table(tokenizer: Tokenizer, ranks: Iterable[int], order: Order = "rank") -> TraceTable:
    rows = tuple(trace_row(tokenizer, rank) for rank in ranks)
    return TraceTable(rows, len(tokenizer.model.merged_ids), tokenizer.digest, tokenizer.trace is not None, order)


def trace_row(tokenizer: Tokenizer, rank: int) -> TraceRow:
    """The merge of `rank`, which has to exist."""
    model, trace = tokenizer.model, tokenizer.trace
    pair, new_id = (int(model.left[rank]), int(model.right[rank])), int(model.merged_ids[rank])
    tokens = (tokenizer.token_bytes(pair[0]), tokenizer.token_bytes(pair[1]))
    step = trace.at_rank(rank) if trace is not None else None
    if trace is None or step is None:
        return TraceRow(rank, pair, tokens, new_id, tokenizer.token_bytes(new_id))
    second = step.runner_up
    return TraceRow(
        rank=rank,
        pair=pair,
        tokens=tokens,
        new_id=new_id,
        new_token=tokenizer.token_bytes(new_id),
        count=step.count,
        runner_up=(tokenizer.token_bytes(second[0]), tokenizer.token_bytes(second[1])) if second else None,
        runner_up_count=step.runner_up_count if second else None,
        tied=step.tied,
        words_touched=step.words_touched,
        tokens_left=step.tokens_left,
        compression=trace.tokens_at_start / step.tokens_left if step.tokens_left else None,
    )
