"""The derivation of one word: its segmentation after each merge that changes it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from bpe_transformer.errors import EncodingError
from bpe_transformer.inspection.base.view import View
from bpe_transformer.inspection.derivation.merge_index import MergeIndex
from bpe_transformer.inspection.derivation.textbook_replay import (
    Segmentation,
    base_tokens,
    first_segmentation,
    segmentation_of,
)
from bpe_transformer.inspection.tokens.tokenized_text import TokenizedText, tokenize_text

if TYPE_CHECKING:
    from bpe_transformer.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class WordDerivation(View):
    """The segmentations of one word: before any merge, then after each merge that changed it."""

    stages: tuple[Segmentation, ...]
    ranks: tuple[int, ...]  # ranks[i] made stages[i + 1]; one more stage follows where merges are undone

    def as_dict(self) -> dict[str, Any]:
        return {"ranks": list(self.ranks), "stages": [stage.as_dict() for stage in self.stages]}


@dataclass(frozen=True, slots=True)
class EncodedWord(View):
    """One word with its tokens and its derivation."""

    text: TokenizedText
    derivation: WordDerivation | None  # None: the word has a character outside the alphabet
    occurs: bool  # in the corpus that the vocabulary was learned from

    def as_dict(self) -> dict[str, Any]:
        derivation = self.derivation.as_dict() if self.derivation else None
        return {"text": self.text.as_dict(), "derivation": derivation, "occurs": self.occurs}


def derive_word(word: str | bytes, tokenizer: Tokenizer) -> WordDerivation:
    """The merges that build `word`, lowest rank first, and its segmentation after each.

    It treats `word` as one pre-token; the last stage equals `tokenizer.encode` where the split pattern agrees.

    Raises:
        EncodingError: a character of `word` is not in the base alphabet.
    """
    merges = MergeIndex.of(tokenizer)
    first = first_segmentation(word, 0, tokenizer, base_tokens(tokenizer))
    fired = merges.fire(first.ids)
    stages, ranks = [first], []
    for number, (merge, state) in enumerate(zip(fired, islice(merges.states(first.ids, fired), 1, None), strict=True)):
        if number + 1 < len(fired) and fired[number + 1].rank == merge.rank:
            continue  # the same merge at another place
        stages.append(segmentation_of(first.word, [id for id, _ in state.values()], tokenizer))
        ranks.append(merge.rank)
    if (ids := tuple(merges.in_the_end(stages[-1].ids))) != stages[-1].ids:
        stages.append(segmentation_of(first.word, ids, tokenizer))
    return WordDerivation(tuple(stages), tuple(ranks))


def encode_word(word: str, tokenizer: Tokenizer, *, occurs: bool) -> EncodedWord:
    """Encodes `word` and derives it; `occurs` says whether it occurred in the learning corpus."""
    try:
        derivation = derive_word(word, tokenizer)
    except EncodingError:
        derivation = None
    return EncodedWord(tokenize_text(tokenizer, word), derivation, occurs)
