"""Word alignments: the error rate by hand, gold alignments of the generator, readings and their choice."""

from __future__ import annotations

import numpy as np
import pytest

from bpe_transformer.corpora.numbers_en_ko import KINDS, generate, generate_aligned
from bpe_transformer.corpora.word_links import WordLinks, links_of, mark, without_marks
from bpe_transformer.inspection.attention import error_rate, gold_pairs
from bpe_transformer.inspection.attention.word_alignment import AlignedWords, AlignmentReading, measured


def test_error_rate_by_hand() -> None:
    gold = WordLinks(frozenset({(0, 0), (1, 1)}), frozenset({(0, 0), (1, 1), (1, 2)}))
    found = frozenset({(0, 0), (1, 2), (2, 2)})
    # |A ∩ S| = 1, |A ∩ P| = 2, |A| = 3, |S| = 2
    assert error_rate([found], [gold]) == pytest.approx((1 - 3 / 5, 2 / 3, 1 / 2))
    assert error_rate([gold.sure], [gold])[0] == 0


def test_gold_alignment_of_the_generator() -> None:
    kinds = set()
    for (example, links), plain in zip(generate_aligned("test", 200), generate("test", 200), strict=True):
        assert example == plain
        src, tgt = example.en.split(" "), example.ko.split(" ")
        assert links.sure <= links.possible
        assert all(0 <= here < len(src) and 0 <= there < len(tgt) for here, there in links.possible)
        assert {there for _, there in links.possible} == set(range(len(tgt))), example  # every Korean word has a source
        assert not any(0xE000 <= ord(char) <= 0xF8FF for char in example.en + example.ko)
        kinds.add(example.kind)
    assert kinds == set(KINDS)
    cats = next(
        (src, tgt, links)
        for src, tgt, links in gold_pairs("train", 3000)
        if src == "nine tickets" or tgt.endswith("마리")
    )
    assert (0, 1) in cats[2].sure  # the number is the second word of the Korean
    turned = gold_pairs("test", 5, reverse=True)
    for (en, ko, links), (other, target, gold) in zip(gold_pairs("test", 5), turned, strict=True):
        assert (en, ko) == (target, other)
        assert {(there, here) for here, there in links.sure} == set(gold.sure)


def test_groups_of_several_words_are_only_possible() -> None:
    src, tgt = (
        f"{mark('y', 'nineteen ninety')}, {mark('m', 'May')}",
        f"{mark('y', '천구백구십 년')} {mark('m', '오월')}",
    )
    found = links_of(src, tgt)
    assert without_marks(src) == "nineteen ninety, May"
    assert found.sure == {(2, 2)}
    assert found.possible == {(0, 0), (0, 1), (1, 0), (1, 1), (2, 2)}


def test_readings_and_their_choice() -> None:
    as_written = [[0.1, 0.8, 0.1], [0.9, 0.1, 0.0]]
    as_read = [[0.2, 0.3, 0.5], [0.4, 0.3, 0.3]]
    words = AlignedWords((b"a", b"b", b"c"), (b"x", b"y"), np.array([[as_written], [as_read]]))
    pairs = {
        (shifted, filled): {(link.src, link.tgt) for link in words.links(AlignmentReading(1, shifted, filled))}
        for shifted in (False, True)
        for filled in (False, True)
    }
    assert pairs[False, False] == {(1, 0), (0, 1)}
    assert pairs[False, True] == {(1, 0), (0, 1), (2, 0)}
    assert pairs[True, False] == {(2, 0), (0, 1)}
    gold = WordLinks(frozenset({(2, 0), (0, 1)}), frozenset({(2, 0), (0, 1)}))
    best = measured([words], [gold])[0]
    assert (best.reading, best.error_rate) == (AlignmentReading(1, shifted=True, filled=False), 0)
    two = AlignedWords(words.src, words.tgt, np.array([[as_written, as_read]] * 2))
    assert two.sharpest() == AlignmentReading(1, shifted=False, filled=True)
