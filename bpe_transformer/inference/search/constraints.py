"""What a search may not write, or writes less gladly: forced prefixes, repeated n-grams, repeated and suppressed ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bpe_transformer.errors import ConfigError


@dataclass(frozen=True)
class Constraints:
    """Rules for all sentences of a search.

    Attributes:
        prefixes: ids with which each sentence begins; their log-probabilities count.
        no_repeat_ngram: no n-gram of so many ids comes twice in a text; 0: any may.
        repetition_penalty: logits of ids that a text holds already are divided by it where positive, else multiplied
            (Keskar et al. 2019, section 4.1); 1: none.
        suppressed: ids that are never written.
    """

    prefixes: Sequence[Sequence[int]] = ()
    no_repeat_ngram: int = 0
    repetition_penalty: float = 1.0
    suppressed: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.no_repeat_ngram < 0 or not 0 < self.repetition_penalty < float("inf"):
            raise ConfigError(
                f"no_repeat_ngram={self.no_repeat_ngram} must be at least 0, and "
                f"repetition_penalty={self.repetition_penalty} a finite number above 0; 0 and 1 are none"
            )

    @property
    def change_logits(self) -> bool:
        """Whether log-probabilities are others than the model's."""
        return self.repetition_penalty != 1.0

    def penalized(self, logits: Tensor, written: Tensor) -> Tensor:
        """Logits (R, V) with the repetition penalty for what is written (R, t)."""
        if not self.change_logits or not written.size(1):
            return logits
        held = logits.gather(1, written)
        scaled = torch.where(held > 0, held / self.repetition_penalty, held * self.repetition_penalty)
        return logits.scatter(1, written, scaled)

    def forbid(self, scores: Tensor, written: Tensor, sentences: Sequence[int]) -> None:
        """Puts -inf into scores (R, V) for what may not follow what is written (R, t); rows go by sentence."""
        forced = self._forced(scores, written.size(1), sentences) if self.prefixes else ()
        if self.suppressed:
            scores[:, list(self.suppressed)] = float("-inf")
        if self.no_repeat_ngram and written.size(1) >= self.no_repeat_ngram:
            self._forbid_repeats(scores, written)
        for rows, id, values in forced:  # whatever else is said of the ids of a prefix
            scores[rows] = float("-inf")
            scores[rows, id] = values

    def _forbid_repeats(self, scores: Tensor, written: Tensor) -> None:
        size = self.no_repeat_ngram
        grams = written.unfold(1, size, 1)  # (R, t - size + 1, size)
        begun = written[:, written.size(1) - size + 1 :]  # (R, size - 1): what the next id would complete
        again = (grams[:, :, :-1] == begun[:, None]).all(dim=2)
        rows, places = torch.nonzero(again, as_tuple=True)
        scores[rows, grams[rows, places, -1]] = float("-inf")

    def _forced(self, scores: Tensor, length: int, sentences: Sequence[int]) -> list[tuple[slice, int, Tensor]]:
        """The rows that are still in their prefix, its next id, and the scores (K,) of it."""
        beams = scores.size(0) // max(len(sentences), 1)
        found = []
        for index, sentence in enumerate(sentences):
            prefix = self.prefixes[sentence]
            if length < len(prefix):
                rows = slice(index * beams, (index + 1) * beams)
                found.append((rows, prefix[length], scores[rows, prefix[length]].clone()))
        return found


NONE = Constraints()
