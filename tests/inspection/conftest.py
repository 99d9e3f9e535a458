"""A vocabulary small enough to work by hand, and one of bytes learned from Korean and English."""

from __future__ import annotations

import pytest

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.corpora.numbers_en_ko import generate

WORDS = {"low": 5, "lower": 2, "newest": 6, "widest": 3}
KOREAN_ENGLISH = [
    "세 마리 고양이가 다섯 권의 책을 읽었다.",
    "세 마리 강아지도 책을 읽었다.",
    "Three cats read five books; three dogs read books too.",
]


@pytest.fixture(scope="session")
def words() -> dict[str, int]:
    return dict(WORDS)


@pytest.fixture(scope="session")
def low_lower() -> Tokenizer:
    """ids 0-9: d e i l n o r s t w; 10: <unk>; then twelve merges, until no pair is left."""
    return learn_bpe(PretokenCounts.from_words(WORDS), vocab_size=23, unit="char", unk_token="<unk>")


@pytest.fixture(scope="session")
def marked() -> Tokenizer:
    """The same words with `</w>` on the last character of each."""
    return learn_bpe(
        PretokenCounts.from_words(WORDS), vocab_size=30, unit="char", unk_token="<unk>", end_of_word="</w>"
    )


@pytest.fixture(scope="session")
def korean() -> Tokenizer:
    counts = PretokenCounts.from_iterator(KOREAN_ENGLISH)
    return learn_bpe(counts, vocab_size=300, special_tokens=["<pad>", "<s>", "</s>"])


@pytest.fixture(scope="session")
def pairs() -> list[tuple[str, str]]:
    """A thousand number expressions in English and Korean, from the bundled generator."""
    return [(example.en, example.ko) for example in generate("train", 1000)]


@pytest.fixture(scope="session")
def numbers(pairs: list[tuple[str, str]]) -> Tokenizer:
    """A byte vocabulary of 800 learned from them."""
    counts = PretokenCounts.from_iterator(text for pair in pairs for text in pair)
    return learn_bpe(counts, vocab_size=800, special_tokens=["<pad>", "<s>", "</s>"])
