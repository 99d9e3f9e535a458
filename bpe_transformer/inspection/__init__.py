"""What a person looks at. Plain data here (`trace`, `tokens`, `attention`); pictures of it in `render`.

    rich.print(tokenize_text(tok, "세 마리"))      # or in a notebook, as the value of a cell
    for step in replay_trace({"low": 5, "lower": 2}, tok): ...

Data comes first: every class has documented fields and `as_dict()` for JSON, and none needs Rich until it is drawn. Names
load when they are first used, so that a command loads its own views alone.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from bpe_transformer.inspection.visible import visible

if TYPE_CHECKING:
    from bpe_transformer.inspection.attention import Alignment, AttentionMap
    from bpe_transformer.inspection.comparison import Comparison, compare
    from bpe_transformer.inspection.diff import TraceDiff, trace_diff
    from bpe_transformer.inspection.differences import Difference
    from bpe_transformer.inspection.replay import (
        Alphabet,
        PairCount,
        Segmentation,
        TraceStep,
        base_alphabet,
        replay_trace,
    )
    from bpe_transformer.inspection.report import report_data, write_report
    from bpe_transformer.inspection.sizes import CorpusLadder, SizedCorpus, SizeLadder, SizeRow, size_ladder
    from bpe_transformer.inspection.summary import FileSummary, ScriptUse, TokenUse, summarize
    from bpe_transformer.inspection.tokens import TokenizedText, TokenSpan, tokenize_text
    from bpe_transformer.inspection.trace import (
        MergeDetail,
        TraceRow,
        TraceTable,
        merge_detail,
        top_merges,
        trace_table,
    )
    from bpe_transformer.inspection.vocab import Vocabulary, VocabView
    from bpe_transformer.inspection.why import TextWhy, TokenNode, TokenWhy, why_text, why_token
    from bpe_transformer.inspection.words import (
        Derivation,
        EncodedWord,
        WordStage,
        WordTimeline,
        derive,
        encode_word,
        word_timeline,
    )

_NAMES = {
    "attention": ("Alignment", "AttentionMap"),
    "comparison": ("Comparison", "compare"),
    "diff": ("TraceDiff", "trace_diff"),
    "differences": ("Difference",),
    "replay": ("Alphabet", "PairCount", "Segmentation", "TraceStep", "base_alphabet", "replay_trace"),
    "report": ("report_data", "write_report"),
    "sizes": ("CorpusLadder", "SizeLadder", "SizeRow", "SizedCorpus", "size_ladder"),
    "summary": ("FileSummary", "ScriptUse", "TokenUse", "summarize"),
    "tokens": ("TokenizedText", "TokenSpan", "tokenize_text"),
    "trace": ("MergeDetail", "TraceRow", "TraceTable", "merge_detail", "top_merges", "trace_table"),
    "vocab": ("Vocabulary", "VocabView"),
    "why": ("TextWhy", "TokenNode", "TokenWhy", "why_text", "why_token"),
    "words": ("Derivation", "EncodedWord", "WordStage", "WordTimeline", "derive", "encode_word", "word_timeline"),
}
_HOME = {name: module for module, names in _NAMES.items() for name in names}

__all__ = [
    "Alignment",
    "Alphabet",
    "AttentionMap",
    "Comparison",
    "CorpusLadder",
    "Derivation",
    "Difference",
    "EncodedWord",
    "FileSummary",
    "MergeDetail",
    "PairCount",
    "ScriptUse",
    "Segmentation",
    "SizeLadder",
    "SizeRow",
    "SizedCorpus",
    "TextWhy",
    "TokenNode",
    "TokenSpan",
    "TokenUse",
    "TokenWhy",
    "TokenizedText",
    "TraceDiff",
    "TraceRow",
    "TraceStep",
    "TraceTable",
    "VocabView",
    "Vocabulary",
    "WordStage",
    "WordTimeline",
    "base_alphabet",
    "compare",
    "derive",
    "encode_word",
    "merge_detail",
    "replay_trace",
    "report_data",
    "size_ladder",
    "summarize",
    "tokenize_text",
    "top_merges",
    "trace_diff",
    "trace_table",
    "visible",
    "why_text",
    "why_token",
    "word_timeline",
    "write_report",
]


def __getattr__(name: str) -> object:
    if name in _HOME:
        value: object = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
