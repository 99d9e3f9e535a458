"""Derivations: the merges that build a token, a word or a text, in order."""

from bpe_transformer.inspection.derivation.encoded_pretokens import EncodedPretoken, PretokenEncoder
from bpe_transformer.inspection.derivation.merge_index import FiredMerge, MergeIndex
from bpe_transformer.inspection.derivation.text_derivation import (
    Firing,
    MissedMerge,
    PretokenDerivation,
    TextDerivation,
    TokenBoundary,
    derive_text,
)
from bpe_transformer.inspection.derivation.textbook_replay import (
    Alphabet,
    PairCount,
    Segmentation,
    TraceStep,
    base_alphabet,
    replay_trace,
)
from bpe_transformer.inspection.derivation.token_derivation import (
    LongerToken,
    SmallestVocabulary,
    TokenDerivation,
    TokenNode,
    derive_token,
)
from bpe_transformer.inspection.derivation.token_lookup import find_token, merged_id, similar_tokens
from bpe_transformer.inspection.derivation.word_derivation import EncodedWord, WordDerivation, derive_word, encode_word
from bpe_transformer.inspection.derivation.word_timelines import WordStage, WordTimeline, WordTrack, word_timeline

__all__ = [
    "Alphabet",
    "EncodedPretoken",
    "EncodedWord",
    "FiredMerge",
    "Firing",
    "LongerToken",
    "MergeIndex",
    "MissedMerge",
    "PairCount",
    "PretokenDerivation",
    "PretokenEncoder",
    "Segmentation",
    "SmallestVocabulary",
    "TextDerivation",
    "TokenBoundary",
    "TokenDerivation",
    "TokenNode",
    "TraceStep",
    "WordDerivation",
    "WordStage",
    "WordTimeline",
    "WordTrack",
    "base_alphabet",
    "derive_text",
    "derive_token",
    "derive_word",
    "encode_word",
    "find_token",
    "merged_id",
    "replay_trace",
    "similar_tokens",
    "word_timeline",
]
