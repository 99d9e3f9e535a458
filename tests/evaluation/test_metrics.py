from __future__ import annotations

import math

import pytest

from bpe_transformer.errors import CorpusError
from bpe_transformer.evaluation import bits_per_byte, bleu, exact_match, perplexity


def test_bleu_by_hand_with_its_signature() -> None:
    # 13a splits the final dot: 4 of 5 words, 3 of 4 pairs, 2 of 3 triples, 1 of 2 quadruples match, no brevity penalty
    scored = bleu(["the cat sat down ."], ["the cat sat down !"])
    assert scored.score == pytest.approx(100 * (4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** 0.25)
    assert "tok:13a" in scored.signature
    assert "case:mixed" in scored.signature
    assert bleu(["The cat sat down ."], ["the cat sat down ."]).score < 100  # cased


def test_exact_match_names_the_misses() -> None:
    matched = exact_match(["a", "b", "c"], ["a", "x", "c"])
    assert (matched.matches, matched.total, matched.misses) == (2, 3, (1,))
    assert matched.share == pytest.approx(2 / 3)


def test_source_and_target_of_different_length_are_refused() -> None:
    for score in (bleu, exact_match):
        with pytest.raises(CorpusError, match="2 hypotheses and 1 references"):
            score(["a", "b"], ["a"])
        with pytest.raises(CorpusError, match="at least one"):
            score([], [])


def test_bits_per_byte_and_perplexity() -> None:
    assert bits_per_byte(8 * math.log(2), 4) == pytest.approx(2.0)
    assert perplexity(3 * math.log(7), 3) == pytest.approx(7.0)
