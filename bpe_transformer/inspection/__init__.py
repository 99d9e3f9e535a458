"""Views of a tokenizer as plain data: tokens, derivations, the merge history, comparisons, a vocabulary, attention.

    rich.print(tokenize_text(tok, "세 마리"))      # or in a notebook, as the value of a cell
    for step in replay_trace({"low": 5, "lower": 2}, tok): ...

Every class has documented fields and `as_dict()` for JSON, and none needs Rich until it is drawn. A folder answers one
question, and is loaded when one of its names is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpe_transformer.inspection.base.view import View
from bpe_transformer.inspection.base.visible import visible
from bpe_transformer.lazy import lazy_names

if TYPE_CHECKING:
    from bpe_transformer.inspection.attention import Alignment, AttentionMap
    from bpe_transformer.inspection.comparison import (
        Comparison,
        CorpusSweep,
        Difference,
        SizeRow,
        SweepCorpus,
        VocabSizeSweep,
        compare,
        sweep_vocab_sizes,
    )
    from bpe_transformer.inspection.curves import RunCurve, RunCurves, run_curves
    from bpe_transformer.inspection.derivation import (
        Alphabet,
        EncodedWord,
        PairCount,
        Segmentation,
        TextDerivation,
        TokenDerivation,
        TokenNode,
        TraceStep,
        WordDerivation,
        WordStage,
        WordTimeline,
        base_alphabet,
        derive_text,
        derive_token,
        derive_word,
        encode_word,
        replay_trace,
        word_timeline,
    )
    from bpe_transformer.inspection.history import (
        LiveFrame,
        LiveLearning,
        MergeDetail,
        TraceDiff,
        TraceRow,
        TraceTable,
        merge_detail,
        top_merges,
        trace_diff,
        trace_table,
    )
    from bpe_transformer.inspection.html import ModelPage, model_page, report_data, write_model_page, write_report
    from bpe_transformer.inspection.tokens import (
        ChunkedText,
        FileSummary,
        ScriptUse,
        TokenizedText,
        TokenSpan,
        TokenUse,
        summarize,
        tokenize_text,
    )
    from bpe_transformer.inspection.vocabulary import VocabBrowser, VocabEntry, VocabView

_FOLDERS = {
    "attention": (
        "Alignment",
        "AttentionMap",
    ),
    "comparison": (
        "Comparison",
        "CorpusSweep",
        "Difference",
        "SizeRow",
        "SweepCorpus",
        "VocabSizeSweep",
        "compare",
        "sweep_vocab_sizes",
    ),
    "curves": (
        "RunCurve",
        "RunCurves",
        "run_curves",
    ),
    "derivation": (
        "Alphabet",
        "EncodedWord",
        "PairCount",
        "Segmentation",
        "TextDerivation",
        "TokenDerivation",
        "TokenNode",
        "TraceStep",
        "WordDerivation",
        "WordStage",
        "WordTimeline",
        "base_alphabet",
        "derive_text",
        "derive_token",
        "derive_word",
        "encode_word",
        "replay_trace",
        "word_timeline",
    ),
    "history": (
        "LiveFrame",
        "LiveLearning",
        "MergeDetail",
        "TraceDiff",
        "TraceRow",
        "TraceTable",
        "merge_detail",
        "top_merges",
        "trace_diff",
        "trace_table",
    ),
    "html": (
        "ModelPage",
        "model_page",
        "report_data",
        "write_model_page",
        "write_report",
    ),
    "tokens": (
        "ChunkedText",
        "FileSummary",
        "ScriptUse",
        "TokenSpan",
        "TokenUse",
        "TokenizedText",
        "summarize",
        "tokenize_text",
    ),
    "vocabulary": (
        "VocabBrowser",
        "VocabEntry",
        "VocabView",
    ),
}
_FOLDER_OF = {name: folder for folder, names in _FOLDERS.items() for name in names}

__all__ = [
    "Alignment",
    "Alphabet",
    "AttentionMap",
    "ChunkedText",
    "Comparison",
    "CorpusSweep",
    "Difference",
    "EncodedWord",
    "FileSummary",
    "LiveFrame",
    "LiveLearning",
    "MergeDetail",
    "ModelPage",
    "PairCount",
    "RunCurve",
    "RunCurves",
    "ScriptUse",
    "Segmentation",
    "SizeRow",
    "SweepCorpus",
    "TextDerivation",
    "TokenDerivation",
    "TokenNode",
    "TokenSpan",
    "TokenUse",
    "TokenizedText",
    "TraceDiff",
    "TraceRow",
    "TraceStep",
    "TraceTable",
    "View",
    "VocabBrowser",
    "VocabEntry",
    "VocabSizeSweep",
    "VocabView",
    "WordDerivation",
    "WordStage",
    "WordTimeline",
    "base_alphabet",
    "compare",
    "derive_text",
    "derive_token",
    "derive_word",
    "encode_word",
    "merge_detail",
    "model_page",
    "replay_trace",
    "report_data",
    "run_curves",
    "summarize",
    "sweep_vocab_sizes",
    "tokenize_text",
    "top_merges",
    "trace_diff",
    "trace_table",
    "visible",
    "word_timeline",
    "write_model_page",
    "write_report",
]

__getattr__, __dir__ = lazy_names(__name__, _FOLDER_OF, __all__)
