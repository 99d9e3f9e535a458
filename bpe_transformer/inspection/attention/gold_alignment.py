"""Gold word alignments of the bundled corpus numbers-en-ko, and what they say of a trained translator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpe_transformer.errors import ConfigError
from bpe_transformer.inspection.attention.word_alignment import (
    AlignedWords,
    Aligner,
    AlignmentErrors,
    ErrorRate,
    WordAlignment,
    measured,
)

if TYPE_CHECKING:
    from bpe_transformer.corpora.word_links import WordLinks
    from bpe_transformer.inference.translator import Translator

CORPUS = "numbers-en-ko"
CHOOSING, TESTING = 60, 200  # pairs


def align_pair(translator: Translator, src: str, tgt: str) -> WordAlignment:
    """The word alignment of a pair.

    A run of numbers-en-ko is read as aligns its validation pairs best; any other one by `AlignedWords.sharpest`.
    """
    aligner = Aligner(translator)
    words = aligner.words(src, tgt)
    if _knows_gold(translator):
        reading = _on_gold(aligner, "validation", CHOOSING)[0].reading
        chosen_on = f"{CHOOSING} validation pairs of {CORPUS}"
    else:
        reading, chosen_on = words.sharpest(), "this pair: the layer whose weights are least spread"
    return WordAlignment(words.src, words.tgt, words.links(reading), reading, chosen_on)


def alignment_errors(translator: Translator, testing: int = TESTING) -> AlignmentErrors:
    """The alignment error of every reading on validation pairs of numbers-en-ko, and of the best one on test pairs.

    Raises `ConfigError` for a run of other languages.
    """
    if not _knows_gold(translator):
        raise ConfigError(
            f"a gold alignment there is for {CORPUS}, and this run was trained on {translator.info.corpus or 'another corpus'}; "
            "give a run of that corpus, or a pair of sentences to align"
        )
    aligner = Aligner(translator)
    readings = _on_gold(aligner, "validation", CHOOSING)
    tested = _on_gold(aligner, "test", testing)
    test = next(rate for rate in tested if rate.reading == readings[0].reading)
    return AlignmentErrors(CORPUS, CHOOSING, testing, readings, test)


def _knows_gold(translator: Translator) -> bool:
    return CORPUS in translator.info.corpus and set(translator.info.columns) == {"en", "ko"}


def _on_gold(aligner: Aligner, split: str, count: int) -> tuple[ErrorRate, ...]:
    aligned: list[AlignedWords] = []
    gold: list[WordLinks] = []
    for src, tgt, links in gold_pairs(split, count, reverse=aligner.translator.info.columns[0] == "ko"):
        aligned.append(aligner.words(src, tgt))
        gold.append(links)
    return measured(aligned, gold)


def gold_pairs(split: str, count: int, *, reverse: bool = False) -> list[tuple[str, str, WordLinks]]:
    """Pairs of a split with their gold alignment, from English to Korean, or the other way if `reverse`."""
    from bpe_transformer.corpora.numbers_en_ko import generate_aligned
    from bpe_transformer.corpora.word_links import WordLinks

    found = []
    for example, links in generate_aligned(split, count):
        if reverse:
            turned = (frozenset((tgt, src) for src, tgt in pairs) for pairs in links)
            found.append((example.ko, example.en, WordLinks(*turned)))
        else:
            found.append((example.en, example.ko, links))
    return found
