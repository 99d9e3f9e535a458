"""The merge history of a tokenizer of any size, as rows of a table. Read from what is saved; nothing here learns again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bpe_transformer.errors import LearningError
from bpe_transformer.inspection._view import View
from bpe_transformer.inspection.visible import token_dict

if TYPE_CHECKING:
    from bpe_transformer.tokenizer import MergeStep, Tokenizer

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class TraceRow(View):
    """One merge of a trace of any size. The learner's facts are None when the tokenizer came without a trace."""

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
        }


@dataclass(frozen=True, slots=True)
class TraceTable(View):
    """A window over the merges of a tokenizer."""

    rows: tuple[TraceRow, ...]
    total: int  # merges of the tokenizer
    digest: str  # of the tokenizer
    has_trace: bool  # False: pairs and tokens are known, counts and runners-up are not

    def as_dict(self) -> dict[str, Any]:
        rows = [row.as_dict() for row in self.rows]
        return {"total": self.total, "digest": self.digest, "has_trace": self.has_trace, "rows": rows}


def trace_table(tokenizer: Tokenizer, start: int = 0, stop: int | None = 20) -> TraceTable:
    """The merges of rank `start` up to but without `stop` (None: to the end), with what the learner noted.

    Costs what the window costs, whatever the size of the trace.

    Raises:
        LearningError: the window holds no merge.
    """
    merges = tokenizer.merges
    window = range(len(merges))[start:stop]
    if not window:
        raise LearningError(
            f"no merge in the range {start}:{'' if stop is None else stop}; "
            f"this tokenizer has {len(merges):,} merges, ranks 0 to {len(merges) - 1:,}"
            if merges
            else "this tokenizer has no merges (its vocabulary is the alphabet); learn with a larger vocab_size"
        )
    trace = tokenizer.trace
    rows = tuple(
        _row(rank, merges[rank], trace.at_rank(rank) if trace is not None else None, tokenizer) for rank in window
    )
    return TraceTable(rows, len(merges), tokenizer.digest, trace is not None)


def _row(rank: int, pair: Pair, step: MergeStep | None, tokenizer: Tokenizer) -> TraceRow:
    new_id = int(tokenizer.model.made[rank])
    spelled = (tokenizer.token_bytes(pair[0]), tokenizer.token_bytes(pair[1]))
    if step is None:
        return TraceRow(rank, pair, spelled, new_id, tokenizer.token_bytes(new_id))
    second = step.runner_up
    return TraceRow(
        rank=rank,
        pair=pair,
        tokens=spelled,
        new_id=new_id,
        new_token=tokenizer.token_bytes(new_id),
        count=step.count,
        runner_up=(tokenizer.token_bytes(second[0]), tokenizer.token_bytes(second[1])) if second else None,
        runner_up_count=step.runner_up_count if second else None,
        tied=step.tied,
        words_touched=step.words_touched,
        tokens_left=step.tokens_left,
    )
