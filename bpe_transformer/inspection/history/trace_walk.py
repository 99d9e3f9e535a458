"""A walk through a merge history: the current rank, the words that are watched, and the moves of each key.

Every move costs the same, since all is looked up in the saved trace; nothing is learned or replayed again.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bpe_transformer.errors import BpeTransformerError
from bpe_transformer.inspection.base.view import View
from bpe_transformer.inspection.base.visible import from_visible, visible
from bpe_transformer.inspection.derivation.encoded_pretokens import PretokenEncoder
from bpe_transformer.inspection.derivation.merge_index import MergeIndex
from bpe_transformer.inspection.derivation.textbook_replay import Segmentation
from bpe_transformer.inspection.derivation.token_lookup import find_token, unknown_rank_error
from bpe_transformer.inspection.derivation.word_timelines import WordTrack
from bpe_transformer.inspection.history.trace_rows import TraceTable, trace_table

if TYPE_CHECKING:
    from bpe_transformer.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class WalkFrame(View):
    """The view of a walk after some number of merges."""

    merges: int  # in force: 0 is the base alphabet
    vocab_size: int | None  # None where ids do not follow the order of merges
    table: TraceTable | None  # the last merge and its neighbours by rank; None before the first
    words: tuple[Segmentation, ...]
    changed: tuple[bool, ...]  # by word: whether the last merge changed it
    followed: int | None  # the word that next and back follow: they pass over merges that leave it as it is
    total: int  # merges of the vocabulary
    message: str  # about the last request; empty if there is nothing to report

    @property
    def rank(self) -> int | None:
        """The rank of the last merge that is applied."""
        return self.merges - 1 if self.merges else None

    def as_dict(self) -> dict[str, Any]:
        return {
            "merges": self.merges,
            "vocab_size": self.vocab_size,
            "table": self.table.as_dict() if self.table else None,
            "words": [word.as_dict() for word in self.words],
            "changed": list(self.changed),
            "followed": self.followed,
            "total": self.total,
            "message": self.message,
        }


class TraceWalk:
    """A walk through the merges of `tokenizer`, beginning after the merge of rank `rank`, or before the first.

    Raises:
        LearningError: the tokenizer has no merges, or none of this rank.
        EncodingError: a word is empty, or cannot be encoded.
        SpecialTokenError: a word holds a special token.
    """

    def __init__(self, tokenizer: Tokenizer, words: Sequence[str] = (), rank: int | None = None) -> None:
        self._tokenizer = tokenizer
        self._merges = MergeIndex.of(tokenizer)
        self.total = len(self._merges)
        if not self.total or (rank is not None and rank >= self.total):
            raise unknown_rank_error(rank or 0, self.total)
        self.merges = 0 if rank is None else rank + 1
        self._encoder = PretokenEncoder(tokenizer)
        self.tracks = [WordTrack(self._encoder, word) for word in words]
        self.followed: int | None = None
        self.message = ""
        self._searched = ""

    def move(self, steps: int) -> None:
        """Moves `steps` merges forward, or back if negative; if a word is followed, over its merges only."""
        self.message = ""
        if self.followed is None:
            target = min(max(self.merges + steps, 0), self.total)
        else:
            stops = [0, *(rank + 1 for rank in self.tracks[self.followed].ranks)]
            at = bisect_right(stops, self.merges) - 1 if steps > 0 else bisect_left(stops, self.merges)
            target = stops[min(max(at + steps, 0), len(stops) - 1)]
        if target == self.merges:
            followed = "" if self.followed is None else f" that changes {visible(self.tracks[self.followed].text)}"
            self.message = f"there is no {'later' if steps > 0 else 'earlier'} merge{followed}"
        self.merges = target

    def jump(self, written: str) -> None:
        """Moves to the state after the merge of a rank, written as a user does: 5000, 5,000, or -1 for the last."""
        try:
            rank = int(written.replace(",", "").replace("_", ""))
        except ValueError:
            self.message = f"{written!r} is not a rank; give a whole number, 0 to {self.total - 1:,}"
            return
        rank += self.total if rank < 0 else 0
        if not 0 <= rank < self.total:
            self.message = str(unknown_rank_error(int(written.replace(",", "")), self.total))
            return
        self.merges, self.message = rank + 1, ""

    def search(self, written: str) -> None:
        """Moves to the merge that makes a token, or else to the next that makes one containing this text."""
        self._searched = written
        if not written:
            self.message = "nothing to search for; give a token, such as low, or ·low with a space"
            return
        try:
            rank = self._merges.first_rank_of(find_token(self._tokenizer, written))
        except BpeTransformerError:
            self.search_next()
            return
        if rank is None:
            self.message = f"{visible(written)} is in the vocabulary without a merge"
        else:
            self.merges, self.message = rank + 1, ""

    def search_next(self) -> None:
        """Moves to the next merge whose token contains the text last searched for; after the last it starts over."""
        if not self._searched:
            return self.search("")
        text = from_visible(self._searched) or self._searched.encode()
        tokens, merged_ids = self._tokenizer.model.tokens, self._merges.merged_ids
        for rank in (*range(self.merges, self.total), *range(self.merges)):
            if text in tokens[merged_ids[rank]]:
                self.merges, self.message = rank + 1, f"{visible(tokens[merged_ids[rank]])} holds {visible(text)}"
                return
        self.message = f"no merge makes a token with {visible(text)} inside"

    def follow_next(self) -> None:
        """Follows the next of the words; after the last one, none."""
        if not self.tracks:
            self.message = "there is no word to follow; add one first"
            return
        after = 0 if self.followed is None else self.followed + 1
        self.followed = after if after < len(self.tracks) else None
        name = "every merge" if self.followed is None else visible(self.tracks[self.followed].text)
        self.message = f"next and back follow {name}"

    def add_word(self, word: str) -> None:
        """Watches one more word."""
        try:
            self.tracks.append(WordTrack(self._encoder, word))
            self.message = ""
        except BpeTransformerError as problem:
            self.message = str(problem)

    def frame(self, around: int = 4) -> WalkFrame:
        """The view at this place, with `around` merges on either side of the last."""
        rank = self.merges - 1
        table = None
        if self.merges:
            table = trace_table(self._tokenizer, max(0, rank - around), rank + around + 1)
        return WalkFrame(
            merges=self.merges,
            vocab_size=self._merges.vocab_size(self.merges),
            table=table,
            words=tuple(track.after(self.merges) for track in self.tracks),
            changed=tuple(self.merges > 0 and rank in track.ranks for track in self.tracks),
            followed=self.followed,
            total=self.total,
            message=self.message,
        )
