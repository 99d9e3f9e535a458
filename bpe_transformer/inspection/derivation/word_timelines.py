"""Timelines of words: how each is segmented after the first N merges, for every N at which it changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bpe_transformer.errors import EncodingError, refuse_one_string
from bpe_transformer.inspection.base.view import View
from bpe_transformer.inspection.derivation.encoded_pretokens import EncodedPretoken, PretokenEncoder
from bpe_transformer.inspection.derivation.merge_index import MergeIndex
from bpe_transformer.inspection.derivation.textbook_replay import Segmentation, segmentation_of

if TYPE_CHECKING:
    from bpe_transformer.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class WordStage(View):
    """The segmentations of some words after the first N merges."""

    merges: int  # how many
    vocab_size: int | None  # of a vocabulary with so many; None where ids do not follow the order of merges
    rank: int | None  # of the last merge, which changed a word; None before any merge
    words: tuple[Segmentation, ...]
    changed: tuple[bool, ...]  # by word: whether that merge changed it

    def as_dict(self) -> dict[str, Any]:
        return {
            "merges": self.merges,
            "vocab_size": self.vocab_size,
            "rank": self.rank,
            "words": [word.as_dict() for word in self.words],
            "changed": list(self.changed),
        }


@dataclass(frozen=True, slots=True)
class WordTimeline(View):
    """The segmentations of words for growing numbers of merges."""

    words: tuple[str, ...]
    stages: tuple[WordStage, ...]  # the base alphabet, then every merge that changed a word
    num_merges: int  # of the vocabulary
    digest: str  # of the tokenizer

    def as_dict(self) -> dict[str, Any]:
        return {
            "words": list(self.words),
            "stages": [stage.as_dict() for stage in self.stages],
            "num_merges": self.num_merges,
            "digest": self.digest,
        }


class WordTrack:
    """One text under every smaller vocabulary: computed once, then looked up for any number of merges.

    Raises:
        EncodingError: the text is empty, or cannot be encoded.
        SpecialTokenError: it holds a special token.
    """

    def __init__(self, encoder: PretokenEncoder, text: str) -> None:
        if not text:
            raise EncodingError("a word to follow is empty; give words such as lowest,newest")
        self.text = text
        self._tokenizer = encoder.tokenizer
        # by pre-token: rank → its ids from that merge on; -1 before any merge
        self._stages = [
            {-1: pretoken.ids} if pretoken.kind == "special" else _stages(encoder.tokenizer, pretoken)
            for pretoken in encoder.encode(text)
        ]
        self.ranks = sorted({rank for stages in self._stages for rank in stages} - {-1})
        """The ranks of the merges that change the text."""

    def after(self, merges: int) -> Segmentation:
        """The segmentation of the text after the first `merges` merges."""
        ids = [id for stages in self._stages for id in stages[max(rank for rank in stages if rank < merges)]]
        return segmentation_of(self.text.encode(), ids, self._tokenizer)


def _stages(tokenizer: Tokenizer, pretoken: EncodedPretoken) -> dict[int, tuple[int, ...]]:
    merges = MergeIndex.of(tokenizer)
    fired = merges.fire(pretoken.base_ids)
    stages: dict[int, tuple[int, ...]] = {}
    highest = -1  # a smaller vocabulary stops at the first merge that it lacks, even if a lower rank would follow
    for merge, state in zip((None, *fired), merges.states(pretoken.base_ids, fired), strict=True):
        highest = max(highest, merge.rank) if merge else -1
        stages[highest] = tuple(merges.in_the_end(id for id, _ in state.values()))
    if pretoken.kind == "whole":  # one token as soon as the first merge that makes it is there
        rank = merges.first_rank_of(pretoken.ids[0])
        known = -1 if rank is None else rank
        stages = {rank: ids for rank, ids in stages.items() if rank < known} | {known: pretoken.ids}
    return stages


def word_timeline(tokenizer: Tokenizer, words: Sequence[str]) -> WordTimeline:
    """How each of `words` is segmented, from the base alphabet to the whole vocabulary.

    Raises:
        EncodingError: a word is empty, or cannot be encoded.
        SpecialTokenError: a word holds a special token.
    """
    refuse_one_string(words=words)
    encoder = PretokenEncoder(tokenizer)
    tracks = [WordTrack(encoder, word) for word in words]
    merges = MergeIndex.of(tokenizer)
    stages: list[WordStage] = []
    for rank in [-1, *sorted({rank for track in tracks for rank in track.ranks})]:
        shown = tuple(track.after(rank + 1) for track in tracks)
        changed = tuple(rank in track.ranks for track in tracks)
        stages.append(WordStage(rank + 1, merges.vocab_size(rank + 1), None if rank < 0 else rank, shown, changed))
    return WordTimeline(tuple(words), tuple(stages), len(merges), tokenizer.digest)
