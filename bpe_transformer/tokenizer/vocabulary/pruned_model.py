"""`PrunedModel`: what pruning a vocabulary gives."""

from __future__ import annotations

from dataclasses import dataclass

from bpe_transformer.io.printable import times
from bpe_transformer.lazy import NDArray, np
from bpe_transformer.tokenizer.vocabulary.model import BpeModel


@dataclass(frozen=True, eq=False)
class PrunedModel:
    """The result of pruning: the smaller vocabulary and its ids by old id. See `Tokenizer.prune`.

    `new_ids`: by old id, the id in `model`, or -1 for a token that was dropped; shape (old vocab_size,). Rows of an
    embedding matrix to keep are `numpy.flatnonzero(new_ids >= 0)`. `kept_constituents`: how many kept tokens do not occur
    in the corpus, but are needed to merge tokens that do. `corpus_tokens`: tokens of the corpus, the same before and after.
    """

    model: BpeModel
    new_ids: NDArray[np.int64]
    kept_constituents: int
    corpus_tokens: int

    @property
    def dropped(self) -> int:
        """How many ids were dropped."""
        return len(self.new_ids) - len(self.model.tokens)

    def __str__(self) -> str:
        old, new = len(self.new_ids), len(self.model.tokens)
        return (
            f"{times(old, 'id')} became {new:,}: {self.dropped:,} dropped ({self.dropped / max(old, 1):.1%}), "
            f"{self.kept_constituents:,} unused ones kept to merge others; "
            f"the corpus takes {times(self.corpus_tokens, 'token')}, as before"
        )
