"""How often each id occurs in a corpus, told from its pre-token counts."""

from __future__ import annotations

import dataclasses
from collections import Counter

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.errors import EncodingError, LearningError
from bpe_transformer.tokenizer.resizing.usage import token_usage


def _counted(tokenizer: Tokenizer, texts: list[str]) -> dict[int, int]:
    """The same by encoding every text."""
    return Counter(id for text in texts for id in tokenizer.encode_ordinary(text))


def _used(tokenizer: Tokenizer, counts: PretokenCounts, threads: int = 1) -> dict[int, int]:
    return {id: int(n) for id, n in enumerate(token_usage(tokenizer.codec, counts, threads).counts) if n}


def _in_words(tokenizer: Tokenizer, texts: list[str]) -> int:
    """Tokens of a byte vocabulary that hold a byte of a word, by their place in the text."""
    found = 0
    for text in texts:
        inside = [bool(regex.match(r"[\p{L}\p{M}\p{N}]", char)) for char in text for _ in char.encode()]
        at = 0
        for id in tokenizer.encode_ordinary(text):
            size = len(tokenizer.token_bytes(id))
            found += any(inside[at : at + size])
            at += size
    return found


def test_low_lower_by_hand(low_lower: Tokenizer) -> None:
    usage = token_usage(low_lower.codec, PretokenCounts.from_words({"low": 5, "lower": 2}))
    assert usage.counts.shape == (low_lower.vocab_size,)
    assert {low_lower.token_bytes(id): int(n) for id, n in enumerate(usage.counts) if n} == {b"low": 5, b"lower": 2}
    assert (usage.total, usage.in_words) == (7, 7)


@settings(max_examples=40, deadline=None)
@given(texts=st.lists(st.text(), max_size=4), threads=st.integers(1, 3))
def test_equals_encoding_every_text(mixed: Tokenizer, texts: list[str], threads: int) -> None:
    counts = PretokenCounts.from_iterator(texts, pattern=mixed.pattern)
    assert _used(mixed, counts, threads) == _counted(mixed, texts)
    assert token_usage(mixed.codec, counts, threads).in_words == _in_words(mixed, texts)


def test_tokens_in_words_by_hand(mixed: Tokenizer) -> None:
    """Each byte of 갉, a letter outside the vocabulary, counts; those of the emoji and the punctuation do not."""
    only_bytes = mixed.truncate(259)
    counts = PretokenCounts.from_iterator(["갉 a!🙂"], pattern=mixed.pattern)
    assert token_usage(only_bytes.codec, counts).total == 3 + 1 + 1 + 1 + 4
    assert token_usage(only_bytes.codec, counts).in_words == 3 + 1


def test_unknown_characters_take_their_place() -> None:
    """a·b with <unk> for everything else: 갉 is a letter, 🙂 is none, whether they are fused or not."""
    tokenizer = learn_bpe(PretokenCounts.from_words({"ab": 1}), 3, unit="char", unk_token="<unk>")
    counts = PretokenCounts.from_words({"a🙂갉b": 1, "🙂🙂": 1})
    usage = token_usage(tokenizer.codec, counts)
    assert (usage.total, usage.in_words) == (6, 3)
    fused = Tokenizer(dataclasses.replace(tokenizer.model, fuse_unk=True))
    usage = token_usage(fused.model, counts)
    assert (usage.total, usage.in_words) == (4, 3)


def test_end_of_word_marks_take_no_place() -> None:
    words = {" low": 5, " lower!": 2}
    tokenizer = learn_bpe(PretokenCounts.from_words(words), 14, unit="char", end_of_word="</w>")
    usage = token_usage(tokenizer.codec, PretokenCounts.from_words({" low": 1, " !": 1}))
    assert {tokenizer.token_bytes(id): int(n) for id, n in enumerate(usage.counts) if n} == {b"low</w>": 1, b"!</w>": 1}
    assert usage.in_words == 1


def test_many_words_on_several_threads(mixed: Tokenizer) -> None:
    texts = [" ".join(f"{n}x{n * 7}" for n in range(9000))]
    counts = PretokenCounts.from_iterator(texts, pattern=mixed.pattern)
    assert _used(mixed, counts, 3) == _used(mixed, counts, 1) == _counted(mixed, texts)


def test_other_pattern_is_refused(mixed: Tokenizer) -> None:
    with pytest.raises(LearningError, match="'whitespace'.*'o200k'"):
        token_usage(mixed.codec, PretokenCounts.from_words({"a": 1}, pattern="whitespace"))


def test_character_outside_the_alphabet_is_named() -> None:
    tokenizer = learn_bpe(PretokenCounts.from_words({"ab": 1}), 2, unit="char")
    with pytest.raises(EncodingError, match=r"'가' \(U\+AC00\)"):
        token_usage(tokenizer.codec, PretokenCounts.from_words({"a가": 1}))
