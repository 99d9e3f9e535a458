"""What a person looks at. Plain data here (`trace`, `tokens`, `attention`); pictures of it in `render`.

    rich.print(tokenize_text(tok, "세 마리"))      # or in a notebook, as the value of a cell
    for step in replay_trace({"low": 5, "lower": 2}, tok): ...

Data comes first: every class has documented fields and `as_dict()` for JSON, and none needs Rich until it is drawn.
"""

from bpe_transformer.inspection.attention import Alignment, AttentionMap
from bpe_transformer.inspection.compare import Comparison, compare
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
from bpe_transformer.inspection.summary import FileSummary, ScriptUse, TokenUse, summarize
from bpe_transformer.inspection.tokens import TokenizedText, TokenSpan, tokenize_text
from bpe_transformer.inspection.trace import MergeDetail, TraceRow, TraceTable, merge_detail, top_merges, trace_table
from bpe_transformer.inspection.visible import visible
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

__all__ = [
    "Alignment",
    "Alphabet",
    "AttentionMap",
    "Comparison",
    "Derivation",
    "Difference",
    "EncodedWord",
    "FileSummary",
    "MergeDetail",
    "PairCount",
    "ScriptUse",
    "Segmentation",
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
    "summarize",
    "tokenize_text",
    "top_merges",
    "trace_diff",
    "trace_table",
    "visible",
    "why_text",
    "why_token",
    "word_timeline",
]
