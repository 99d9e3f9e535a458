"""Words as the merges put them together, one after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from bpe_transformer.errors import EncodingError
from bpe_transformer.inspection.base.view import View
from bpe_transformer.inspection.derivation.merge_replay import Merges
from bpe_transformer.inspection.derivation.pieces import Piece, Pieces
from bpe_transformer.inspection.derivation.textbook_replay import Segmentation, base_tokens, first_segmentation
from bpe_transformer.inspection.tokens.tokenized_text import TokenizedText, tokenize_text

if TYPE_CHECKING:
    from bpe_transformer.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class Derivation(View):
    """How one word comes together: its segmentation before any merge, then after each merge that changed it."""

    stages: tuple[Segmentation, ...]
    ranks: tuple[int, ...]  # ranks[i] made stages[i + 1]

    def as_dict(self) -> dict[str, Any]:
        return {"ranks": list(self.ranks), "stages": [stage.as_dict() for stage in self.stages]}


@dataclass(frozen=True, slots=True)
class EncodedWord(View):
    """One word as it is encoded, and how that came about."""

    text: TokenizedText
    derivation: Derivation | None  # None: the word has a character outside the alphabet
    occurs: bool  # in the corpus that the vocabulary was learned from

    def as_dict(self) -> dict[str, Any]:
        derivation = self.derivation.as_dict() if self.derivation else None
        return {"text": self.text.as_dict(), "derivation": derivation, "occurs": self.occurs}


@dataclass(frozen=True, slots=True)
class WordStage(View):
    """Some words as they stand after the first merges of a vocabulary."""

    merges: int  # how many
    vocab_size: int | None  # of a vocabulary with so many; None where ids do not follow the order of merges
    rank: int | None  # of the last of them, which changed a word; None before any merge
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
    """How words come together, stage by stage, as merges accumulate; read upwards, how they fall apart."""

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
    """One text under every truncation of a vocabulary: found once, then any of them is looked up at once.

    Raises:
        EncodingError: the text is empty, or cannot be encoded.
        SpecialTokenError: it holds a special token.
    """

    def __init__(self, pieces: Pieces, text: str) -> None:
        if not text:
            raise EncodingError("a word to follow is empty; give words such as lowest,newest")
        self.text = text
        self._tokenizer = tokenizer = pieces.tokenizer
        self._pieces: list[dict[int, tuple[int, ...]]] = []  # by piece: rank → ids from that merge on, -1 before any
        for piece in pieces.of(text):
            self._pieces.append({-1: piece.ids} if piece.kind == "special" else _stages(tokenizer, piece))
        self.ranks = sorted(
            {rank for stages in self._pieces for rank in stages} - {-1}
        )  # of merges that change the text

    def after(self, merges: int) -> Segmentation:
        """The text under the first `merges` merges."""
        ids = [id for stages in self._pieces for id in stages[max(rank for rank in stages if rank < merges)]]
        return _segmentation(self.text.encode(), ids, self._tokenizer)


def _stages(tokenizer: Tokenizer, piece: Piece) -> dict[int, tuple[int, ...]]:
    merges = Merges.of(tokenizer)
    fired = merges.fire(piece.base)
    stages: dict[int, tuple[int, ...]] = {}
    highest = -1  # what a smaller vocabulary lacks stops it there, even if a lower rank would follow
    for merge, state in zip((None, *fired), merges.states(piece.base, fired), strict=True):
        highest = max(highest, merge.rank) if merge else -1
        stages[highest] = tuple(id for id, _ in state.values())
    if piece.kind == "whole":  # from the merge on that makes it a token
        maker = merges.maker(piece.ids[0])
        known = -1 if maker is None else maker
        stages = {rank: ids for rank, ids in stages.items() if rank < known} | {known: piece.ids}
    return stages


def word_timeline(tokenizer: Tokenizer, words: Sequence[str]) -> WordTimeline:
    """What the merges make of each of `words`, from the base alphabet to the whole vocabulary.

    Raises:
        EncodingError: a word is empty, or cannot be encoded.
        SpecialTokenError: a word holds a special token.
    """
    pieces = Pieces(tokenizer)
    tracks = [WordTrack(pieces, word) for word in words]
    merges = Merges.of(tokenizer)
    stages: list[WordStage] = []
    for rank in [-1, *sorted({rank for track in tracks for rank in track.ranks})]:
        shown = tuple(track.after(rank + 1) for track in tracks)
        changed = tuple(rank in track.ranks for track in tracks)
        stages.append(WordStage(rank + 1, merges.vocab_size(rank + 1), None if rank < 0 else rank, shown, changed))
    return WordTimeline(tuple(words), tuple(stages), len(merges), tokenizer.digest)


def derive(word: str | bytes, tokenizer: Tokenizer) -> Derivation:
    """The merges that put `word` together, lowest rank first, and what it looks like after each.

    It treats `word` as one pre-token; the last stage equals `tokenizer.encode` where the split pattern agrees.

    Raises:
        EncodingError: a character of `word` is not in the base alphabet.
    """
    merges = Merges.of(tokenizer)
    first = first_segmentation(word, 0, tokenizer, base_tokens(tokenizer))
    fired = merges.fire(first.ids)
    stages, ranks = [first], []
    for number, (merge, state) in enumerate(zip(fired, islice(merges.states(first.ids, fired), 1, None), strict=True)):
        if number + 1 < len(fired) and fired[number + 1].rank == merge.rank:
            continue  # the same merge at another place
        stages.append(_segmentation(first.word, [id for id, _ in state.values()], tokenizer))
        ranks.append(merge.rank)
    return Derivation(tuple(stages), tuple(ranks))


def _segmentation(word: bytes, ids: Sequence[int], tokenizer: Tokenizer) -> Segmentation:
    return Segmentation(word, 0, tuple(ids), tuple(map(tokenizer.token_bytes, ids)))


def encode_word(word: str, tokenizer: Tokenizer, *, occurs: bool) -> EncodedWord:
    """Encodes `word` and derives it; `occurs` says whether it stood in the learning corpus."""
    try:
        derivation = derive(word, tokenizer)
    except EncodingError:
        derivation = None
    return EncodedWord(tokenize_text(tokenizer, word), derivation, occurs)
