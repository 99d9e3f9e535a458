"""The merge history of a tokenizer: as a table, walked through, compared with another, and shown during learning."""

from bpe_transformer.inspection.history.live_learning import LiveFrame, LiveLearning
from bpe_transformer.inspection.history.trace_differences import TraceDiff, trace_diff
from bpe_transformer.inspection.history.trace_rows import (
    MergeDetail,
    TraceRow,
    TraceTable,
    merge_detail,
    top_merges,
    trace_table,
)
from bpe_transformer.inspection.history.trace_walk import TraceWalk, WalkFrame

__all__ = [
    "LiveFrame",
    "LiveLearning",
    "MergeDetail",
    "TraceDiff",
    "TraceRow",
    "TraceTable",
    "TraceWalk",
    "WalkFrame",
    "merge_detail",
    "top_merges",
    "trace_diff",
    "trace_table",
]
