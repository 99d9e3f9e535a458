"""What a person looks at. Plain data here (`trace`, `tokens`, `attention`); pictures of it in `render`.

    rich.print(tokenize_text(tok, "세 마리"))      # or in a notebook, as the value of a cell
    for step in replay_trace({"low": 5, "lower": 2}, tok): ...

Data comes first: every class has documented fields and `as_dict()` for JSON, and none needs Rich until it is drawn. Names
load when they are first used, so that a command loads its own views alone.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from bpe_transformer.inspection.base.visible import visible

if TYPE_CHECKING:
    from bpe_transformer.inspection.attention.attention_map import Alignment, AttentionMap
    from bpe_transformer.inspection.comparison.comparison import Comparison, compare
    from bpe_transformer.inspection.comparison.differences import Difference
    from bpe_transformer.inspection.comparison.vocab_size_sweep import (
        CorpusLadder,
        SizedCorpus,
        SizeLadder,
        SizeRow,
        size_ladder,
    )
    from bpe_transformer.inspection.derivation.textbook_replay import (
        Alphabet,
        PairCount,
        Segmentation,
        TraceStep,
        base_alphabet,
        replay_trace,
    )
    from bpe_transformer.inspection.derivation.why import TextWhy, TokenNode, TokenWhy, why_text, why_token
    from bpe_transformer.inspection.derivation.words import (
        Derivation,
        EncodedWord,
        WordStage,
        WordTimeline,
        derive,
        encode_word,
        word_timeline,
    )
    from bpe_transformer.inspection.history.trace_diff import TraceDiff, trace_diff
    from bpe_transformer.inspection.history.trace_table import (
        MergeDetail,
        TraceRow,
        TraceTable,
        merge_detail,
        top_merges,
        trace_table,
    )
    from bpe_transformer.inspection.html.report import report_data, write_report
    from bpe_transformer.inspection.tokens.summary import FileSummary, ScriptUse, TokenUse, summarize
    from bpe_transformer.inspection.tokens.tokenized_text import TokenizedText, TokenSpan, tokenize_text
    from bpe_transformer.inspection.vocabulary.vocab_view import Vocabulary, VocabView

_NAMES = {
    "attention.attention_map": ("Alignment", "AttentionMap"),
    "comparison.comparison": ("Comparison", "compare"),
    "history.trace_diff": ("TraceDiff", "trace_diff"),
    "comparison.differences": ("Difference",),
    "derivation.textbook_replay": (
        "Alphabet",
        "PairCount",
        "Segmentation",
        "TraceStep",
        "base_alphabet",
        "replay_trace",
    ),
    "html.report": ("report_data", "write_report"),
    "comparison.vocab_size_sweep": ("CorpusLadder", "SizeLadder", "SizeRow", "SizedCorpus", "size_ladder"),
    "tokens.summary": ("FileSummary", "ScriptUse", "TokenUse", "summarize"),
    "tokens.tokenized_text": ("TokenizedText", "TokenSpan", "tokenize_text"),
    "history.trace_table": ("MergeDetail", "TraceRow", "TraceTable", "merge_detail", "top_merges", "trace_table"),
    "vocabulary.vocab_view": ("Vocabulary", "VocabView"),
    "derivation.why": ("TextWhy", "TokenNode", "TokenWhy", "why_text", "why_token"),
    "derivation.words": (
        "Derivation",
        "EncodedWord",
        "WordStage",
        "WordTimeline",
        "derive",
        "encode_word",
        "word_timeline",
    ),
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
