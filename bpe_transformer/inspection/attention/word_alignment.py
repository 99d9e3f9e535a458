"""Word alignments from the attention of a translator, and their error on a gold alignment.

A decoder's row may be read in two ways: as of the token that it was writing, or, shifted, as of the token that it had just
read, whose state asks the question (Chen et al. 2020, "Accurate Word Alignment Induction from Neural Machine
Translation"). Which way and which layer are right differs by model, so they are chosen on data: on gold alignments where
there are some, else as they were best there (see `AlignedWords.sharpest`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

from bpe_transformer.errors import ConfigError
from bpe_transformer.inspection.attention.attention_map import Alignment, SentenceLinks
from bpe_transformer.inspection.attention.units import fold
from bpe_transformer.inspection.base.view import View
from bpe_transformer.inspection.base.visible import token_dict

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bpe_transformer.corpora.word_links import WordLinks
    from bpe_transformer.inference.translator import Translator

    Array = NDArray[np.float64]

Pairs = frozenset[tuple[int, int]]  # (source word, target word), from 0


@dataclass(frozen=True, slots=True)
class AlignmentReading:
    """How weights become links.

    layer: from 1. shifted: a row is of the token read, not of the token written. filled: source words that no target
    word looks at most are linked to the target word that looks at them most.
    """

    layer: int
    shifted: bool
    filled: bool

    def as_dict(self) -> dict[str, Any]:
        return {"layer": self.layer, "shifted": self.shifted, "filled": self.filled}


@dataclass(frozen=True, slots=True)
class WordAlignment(View):
    """The words of two sentences, the links between them, and how they were read. chosen_on: what decided the reading."""

    src_words: tuple[bytes, ...]
    tgt_words: tuple[bytes, ...]
    links: tuple[Alignment, ...]
    reading: AlignmentReading
    chosen_on: str

    def as_sentences(self) -> SentenceLinks:
        """The same, to draw."""
        return SentenceLinks(self.src_words, self.tgt_words, self.links)

    def as_dict(self) -> dict[str, Any]:
        return {
            "src_words": [token_dict(word) for word in self.src_words],
            "tgt_words": [token_dict(word) for word in self.tgt_words],
            "links": [link.as_dict() for link in self.links],
            "reading": self.reading.as_dict(),
            "chosen_on": self.chosen_on,
        }


@dataclass(frozen=True, slots=True)
class ErrorRate(View):
    """The error of alignments against gold ones over a corpus, for one reading; shares from 0 to 1."""

    reading: AlignmentReading
    error_rate: float
    precision: float
    recall: float

    def as_dict(self) -> dict[str, Any]:
        rates = {"error_rate": self.error_rate, "precision": self.precision, "recall": self.recall}
        return {"reading": self.reading.as_dict(), **rates}


@dataclass(frozen=True, slots=True)
class AlignmentErrors(View):
    """The errors of every reading on the pairs that chose, best first, and that of the best on pairs held out."""

    corpus: str
    choosing: int  # pairs
    testing: int
    readings: tuple[ErrorRate, ...]
    test: ErrorRate

    def as_dict(self) -> dict[str, Any]:
        return {
            "corpus": self.corpus,
            "choosing": self.choosing,
            "testing": self.testing,
            "readings": [reading.as_dict() for reading in self.readings],
            "test": self.test.as_dict(),
        }


def error_rate(found: Iterable[Pairs], gold: Iterable[WordLinks]) -> tuple[float, float, float]:
    """Alignment error rate, precision and recall over a corpus (Och and Ney 2003, section 4.3).

    AER = 1 - (|A ∩ S| + |A ∩ P|) / (|A| + |S|) with links A found, S sure and P possible.
    """
    links = in_sure = in_possible = sure = 0
    for pairs, wanted in zip(found, gold, strict=True):
        links += len(pairs)
        sure += len(wanted.sure)
        in_sure += len(pairs & wanted.sure)
        in_possible += len(pairs & wanted.possible)
    return 1 - (in_sure + in_possible) / max(links + sure, 1), in_possible / max(links, 1), in_sure / max(sure, 1)


class Aligner:
    """Aligns the words of pairs of sentences by the cross-attention of a translator.

    Raises:
        ConfigError: the translator has no attention to its source.
    """

    def __init__(self, translator: Translator) -> None:
        if "cross" not in translator.info.family.attention:
            raise ConfigError(
                f"a model of family {translator.info.settings.family} has no attention to its source, so nothing to "
                "align by; train one of family transformer or bahdanau"
            )
        self.translator = translator

    def words(self, src: str, tgt: str) -> AlignedWords:
        """The words of a pair and the weights between them, in every layer and both ways of reading."""
        import numpy as np

        tokenizer = self.translator.tokenizer
        found = self.translator.attention(src, tgt)
        assert found.cross is not None
        special = set(tokenizer.special_tokens.values())
        columns = fold(tokenizer, found.src_ids, found.src_tokens)
        rows = fold(tokenizer, found.tgt_ids[1:], found.tgt_tokens[1:])
        kept = [
            number for number, share in enumerate(columns.shares.T) if not _is_special(share, found.src_ids, special)
        ]
        if not kept or not rows.names:
            raise ConfigError(
                "a sentence without words cannot be aligned; give a source and a target with at least one word"
            )
        mean = found.cross.mean(axis=1)  # (layers, T + 1, S)
        ways = np.stack([mean[:, :-1], mean[:, 1:]])  # as written, as read
        weights = rows.mean_rows(columns.sum_columns(ways))[..., kept]
        return AlignedWords(tuple(columns.names[number] for number in kept), rows.names, weights)


@dataclass(frozen=True, slots=True)
class AlignedWords:
    """The words of a pair, special tokens left out, and weights (2, layers, T, S): as written and as read."""

    src: tuple[bytes, ...]
    tgt: tuple[bytes, ...]
    weights: Array

    def links(self, reading: AlignmentReading) -> tuple[Alignment, ...]:
        """The links of a reading, in the order of the target."""
        chosen = self.weights[int(reading.shifted), reading.layer - 1]
        best = chosen.argmax(axis=1)
        pairs = {(tgt, int(src)) for tgt, src in enumerate(best)}
        if reading.filled:
            left = set(range(len(self.src))) - {src for _, src in pairs}
            pairs |= {(int(chosen[:, src].argmax()), src) for src in left}
        return tuple(Alignment(tgt, src, float(chosen[tgt, src])) for tgt, src in sorted(pairs))

    def sharpest(self) -> AlignmentReading:
        """A reading for where there is no gold alignment: the layer whose weights are the least spread (lowest entropy).

        A row is of the token being written, and source words left are linked. Chen et al. (2020) found the shifted
        reading better; measured on the gold alignments of numbers-en-ko it is worse in every layer of every run: an
        error rate of 11 % against 23 % for a Transformer, 12 % against 22 % for `bahdanau` (120 test pairs, the sharpest
        layer of each pair), and 18 % and 19 % without the links of words that are left.
        """
        import numpy as np

        weights = self.weights[0]
        entropy = -(weights * np.log(weights + 1e-9)).sum(axis=-1).mean(axis=-1)
        return AlignmentReading(int(entropy.argmin()) + 1, shifted=False, filled=True)


def measured(aligned: Sequence[AlignedWords], gold: Sequence[WordLinks]) -> tuple[ErrorRate, ...]:
    """The error of every reading, best first."""
    layers = range(1, aligned[0].weights.shape[1] + 1)
    rates = []
    for layer, shifted, filled in product(layers, (False, True), (False, True)):
        reading = AlignmentReading(layer, shifted, filled)
        found = [frozenset((link.src, link.tgt) for link in words.links(reading)) for words in aligned]
        rates.append(ErrorRate(reading, *error_rate(found, gold)))
    return tuple(sorted(rates, key=lambda rate: rate.error_rate))


def _is_special(share: Array, ids: Sequence[int], special: set[int]) -> bool:
    """Whether a unit is a special token; share: (tokens,), of each token in it."""
    return all(ids[place] in special for place, part in enumerate(share) if part)
