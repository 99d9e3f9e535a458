"""Learning shown while it runs: the newest merges, and how some words are segmented so far.

    view = LiveLearning(["lowest"], show=lambda frame: live.update(frame.__rich__()))
    learn_bpe(counts, 8000, watch=view)

Watching costs little beside learning: words are updated merge by merge, and a frame is drawn a few times a second.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from bpe_transformer.errors import refuse_one_string
from bpe_transformer.inspection.base.view import View
from bpe_transformer.inspection.derivation.encoded_pretokens import PretokenEncoder
from bpe_transformer.inspection.derivation.textbook_replay import Segmentation
from bpe_transformer.inspection.history.trace_rows import TraceRow
from bpe_transformer.tokenizer import Tokenizer

if TYPE_CHECKING:
    from bpe_transformer.tokenizer import MergeStep, MergeTrace
    from bpe_transformer.tokenizer.vocabulary.model import BpeModel

NEWEST = 12  # merges in a frame
PERIOD = 0.1  # seconds between two frames


@dataclass(frozen=True, slots=True)
class LiveFrame(View):
    """The state of learning at one moment."""

    merges: int  # so far, those of a base vocabulary included
    wanted: int
    seconds: float  # since the first merge
    rows: tuple[TraceRow, ...]  # the newest merges, oldest first
    words: tuple[Segmentation, ...]

    def as_dict(self) -> dict[str, Any]:
        return {
            "merges": self.merges,
            "wanted": self.wanted,
            "seconds": self.seconds,
            "rows": [row.as_dict() for row in self.rows],
            "words": [word.as_dict() for word in self.words],
        }


class LiveLearning:
    """A callback for `learn_bpe(..., watch=...)` that passes frames to `show`, several per second, or with `pace` one per merge.

    Args:
        words: texts to follow; one with a character that the alphabet lacks raises `EncodingError` at the first call.
        show: draws a frame.
        pace: seconds to wait after each merge, so that it can be seen; 0 does not wait.
    """

    def __init__(self, words: Sequence[str], show: Callable[[LiveFrame], None], pace: float = 0.0) -> None:
        refuse_one_string(words=words)
        self._texts = list(words)
        self._show = show
        self._pace = pace
        self._model: BpeModel | None = None
        self._tokens: list[bytes] = []
        self._ids: list[list[list[int]]] = []  # by text, by pre-token
        self._recent: deque[MergeTrace] = deque(maxlen=NEWEST)  # steps are read from them when a frame is drawn
        self._started = self._next = time.monotonic()
        self._merges = self._wanted = self._tokens_at_start = 0

    def __call__(self, model: BpeModel, newest: MergeTrace, wanted: int) -> None:
        if model is not self._model:
            self._begin(model, newest, wanted)
        if self._pace:
            for number in range(len(newest)):
                self._take(newest.head(number + 1), number)
                self._show(self.frame())
                time.sleep(self._pace)
            return
        self._take(newest, 0)
        if (now := time.monotonic()) >= self._next:
            self._next = now + PERIOD
            self._show(self.frame())

    def _begin(self, model: BpeModel, newest: MergeTrace, wanted: int) -> None:
        self._model, self._tokens = model, list(model.tokens)
        self._wanted = len(model.merged_ids) + wanted
        self._tokens_at_start = newest.tokens_at_start
        encoder = PretokenEncoder(Tokenizer(model))
        self._ids = [[list(pretoken.ids) for pretoken in encoder.encode(text)] for text in self._texts]

    def _take(self, newest: MergeTrace, start: int) -> None:
        """Applies the merges of `newest` from number `start` on to the words."""
        pairs = list(zip(newest.left.tolist(), newest.right.tolist(), strict=True))
        for left, right in pairs[start:]:
            self._tokens.append(self._tokens[left] + self._tokens[right])
        merged = {pair: newest.first_merge_id + number for number, pair in enumerate(pairs) if number >= start}
        for text in self._ids:
            for ids in text:
                _merge(ids, merged)
        if start:
            self._recent.pop()  # the same with fewer merges
        self._recent.append(newest)
        self._merges = newest.first_rank + len(newest)

    def frame(self) -> LiveFrame:
        """The current state of learning."""
        words = []
        for text, pretokens in zip(self._texts, self._ids, strict=True):
            ids = tuple(id for pretoken in pretokens for id in pretoken)
            words.append(Segmentation(text.encode(), 0, ids, tuple(self._tokens[id] for id in ids)))
        steps: list[MergeStep] = []
        for trace in reversed(self._recent):
            if (room := NEWEST - len(steps)) > 0:
                steps = trace[-room:] + steps
        rows = tuple(map(self._row, steps))
        return LiveFrame(self._merges, self._wanted, time.monotonic() - self._started, rows, tuple(words))

    def _row(self, step: MergeStep) -> TraceRow:
        token, second = self._tokens.__getitem__, step.runner_up
        return TraceRow(
            rank=step.rank,
            pair=(step.left, step.right),
            tokens=(token(step.left), token(step.right)),
            new_id=step.new_id,
            new_token=token(step.new_id),
            count=step.count,
            runner_up=(token(second[0]), token(second[1])) if second else None,
            runner_up_count=step.runner_up_count if second else None,
            tied=step.tied,
            words_touched=step.words_touched,
            tokens_left=step.tokens_left,
            compression=self._tokens_at_start / step.tokens_left if step.tokens_left else None,
        )


def _merge(ids: list[int], merged: dict[tuple[int, int], int]) -> None:
    """Applies the merges (pair → new id) to `ids` in place, smallest new id first, each from left to right."""
    while found := [merged[pair] for pair in pairwise(ids) if pair in merged]:
        new = min(found)
        at = 0
        while at + 1 < len(ids):
            if merged.get((ids[at], ids[at + 1])) == new:
                ids[at : at + 2] = [new]
            at += 1
