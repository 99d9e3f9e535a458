"""The tokens of texts: one text token by token, the summary of a file, and the counts that the metrics divide."""

from bpe_transformer.inspection.tokens.chunked_text import ChunkBoundaries, ChunkedText
from bpe_transformer.inspection.tokens.file_summary import FileSummary, ScriptUse, TokenUse, summarize
from bpe_transformer.inspection.tokens.measurement import Measurement, measure
from bpe_transformer.inspection.tokens.tokenized_text import TokenizedText, TokenSpan, tokenize_text

__all__ = [
    "ChunkBoundaries",
    "ChunkedText",
    "FileSummary",
    "Measurement",
    "ScriptUse",
    "TokenSpan",
    "TokenUse",
    "TokenizedText",
    "measure",
    "summarize",
    "tokenize_text",
]
