"""How often each id occurs in a corpus, told from its pre-token counts."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.errors import EncodingError, LearningError
from bpe_transformer.tokenizer.usage import token_counts


def _counted(tokenizer: Tokenizer, texts: list[str]) -> dict[int, int]:
    """The same by encoding every text."""
    return Counter(id for text in texts for id in tokenizer.encode_ordinary(text))


def test_low_lower_by_hand(low_lower: Tokenizer) -> None:
    counts = PretokenCounts.from_words({"low": 5, "lower": 2})
    used = token_counts(low_lower, counts)
    assert used.shape == (low_lower.vocab_size,)
    assert {low_lower.token_bytes(id): int(n) for id, n in enumerate(used) if n} == {b"low": 5, b"lower": 2}


@settings(max_examples=40, deadline=None)
@given(texts=st.lists(st.text(), max_size=4), threads=st.integers(1, 3))
def test_equals_encoding_every_text(mixed: Tokenizer, texts: list[str], threads: int) -> None:
    counts = PretokenCounts.from_iterator(texts, pattern=mixed.pattern)
    used = token_counts(mixed, counts, threads)
    assert {id: int(n) for id, n in enumerate(used) if n} == _counted(mixed, texts)


def test_many_words_on_several_threads(mixed: Tokenizer) -> None:
    texts = [" ".join(f"{n}x{n * 7}" for n in range(9000))]
    counts = PretokenCounts.from_iterator(texts, pattern=mixed.pattern)
    assert token_counts(mixed, counts, 3).tolist() == token_counts(mixed, counts, 1).tolist()
    assert {id: int(n) for id, n in enumerate(token_counts(mixed, counts)) if n} == _counted(mixed, texts)


def test_other_pattern_is_refused(mixed: Tokenizer) -> None:
    with pytest.raises(LearningError, match="'whitespace'.*'cl100k'"):
        token_counts(mixed, PretokenCounts.from_words({"a": 1}, pattern="whitespace"))


def test_character_outside_the_alphabet_is_named() -> None:
    tokenizer = learn_bpe(PretokenCounts.from_words({"ab": 1}), 2, unit="char")
    with pytest.raises(EncodingError, match=r"'가' \(U\+AC00\)"):
        token_counts(tokenizer, PretokenCounts.from_words({"a가": 1}))
