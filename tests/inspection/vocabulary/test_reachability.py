"""Tokens that no text is encoded to: each obstacle built by hand, and never a token that a text does show."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.inspection.vocabulary.reachability import unreachable, witness
from bpe_transformer.tokenizer.splitting.pretokenizer import Pretokenizer
from bpe_transformer.tokenizer.vocabulary.model import BpeModel

TEXTS = ["the cat sat. the cat sat. 세 마리 고양이 123456 don't\n// x;\n// y"] * 3


def model(merges: list[tuple[bytes, bytes]], extra: tuple[bytes, ...] = (), **options: object) -> Tokenizer:
    """A byte vocabulary with these merges by rank, and tokens that no merge makes."""
    tokens = [bytes([byte]) for byte in range(256)]
    rows = []
    for left, right in merges:
        rows.append((tokens.index(left), tokens.index(right), len(tokens)))
        tokens.append(left + right)
    lefts, rights, made = (np.array(column, np.uint32) for column in zip(*rows, strict=True))
    facts = {"pretokenizer": Pretokenizer("whitespace"), "special_tokens": {}, **options}
    return Tokenizer(BpeModel("byte", tokens=(*tokens, *extra), left=lefts, right=rights, merged_ids=made, **facts))  # type: ignore[arg-type]


def found(tokenizer: Tokenizer) -> dict[str, str]:
    return {
        tokenizer.token_bytes(id).decode("utf-8", "backslashreplace"): why for id, why in unreachable(tokenizer).items()
    }


def test_other_merges_come_first() -> None:
    """a b is merged first and leaves c alone, so a + bc never meet."""
    assert found(model([(b"a", b"b"), (b"b", b"c"), (b"a", b"bc")])) == {"abc": "other merges"}
    assert found(model([(b"b", b"c"), (b"a", b"b"), (b"a", b"bc")])) == {}


def test_no_merge_makes_it() -> None:
    assert found(model([(b"a", b"b")], (b"xyz",))) == {"xyz": "no merge"}
    assert found(model([(b"a", b"b")], (b"xyz",), ignore_merges=True)) == {}


def test_two_ids_for_one_text() -> None:
    """ab + b and a + bb spell the same; whichever is merged is what texts show."""
    tokenizer = model([(b"a", b"b"), (b"b", b"b"), (b"ab", b"b"), (b"a", b"bb")])
    assert unreachable(tokenizer) == {259: "another token"}


def test_the_pattern_cuts_it() -> None:
    superwords = learn_bpe(PretokenCounts.from_iterator(TEXTS, "superword"), 340)
    assert found(superwords) == {}
    cut = found(Tokenizer(replace(superwords.model, pretokenizer=Pretokenizer("cl100k"))))
    assert set(cut.values()) == {"split"}
    assert "the cat s" in cut
    assert " cat" not in cut


def test_normalization_changes_it() -> None:
    decomposed = learn_bpe(PretokenCounts.from_words({"e\u0301": 5, "low": 2}, "whitespace"), 270)
    assert found(decomposed) == {}
    composed = Tokenizer(replace(decomposed.model, pretokenizer=Pretokenizer("whitespace", "NFC")))
    assert found(composed)["e\u0301"] == "normalization"


def test_parts_of_characters_are_completed() -> None:
    """Alone, the bytes of half a syllable are cut by the pattern; within the syllable they are not."""
    korean = learn_bpe(PretokenCounts.from_iterator(["한국 한글 한강 a한b"] * 3), 275)
    assert any(entry.endswith(b"\x95") for entry in korean.model.tokens[256:])
    assert found(korean) == {}


def test_a_token_that_needs_something_before_it() -> None:
    """`\\n//` alone falls apart under o200k, after a sign it does not."""
    tokenizer = learn_bpe(PretokenCounts.from_iterator(["⸎\n// ⸎\n// ;\n//"] * 3, "o200k"), 264)
    id = next(id for id, token in enumerate(tokenizer.model.tokens) if token == b"\n//")
    assert tokenizer.encode("\n//") != [id]
    text = witness(tokenizer, id)
    assert text is not None
    assert id in tokenizer.encode(text)
    assert unreachable(tokenizer) == {}


@pytest.mark.parametrize("options", [{"unk_token": "<unk>"}, {"end_of_word": "</w>", "unk_token": "<unk>"}, {}])
def test_vocabularies_of_characters(options: dict[str, str]) -> None:
    counts = PretokenCounts.from_words({"low": 5, "lower": 2, "newest": 6, "widest": 3})
    assert unreachable(learn_bpe(counts, 60, unit="char", **options)) == {}  # type: ignore[arg-type]


PIECES = st.sampled_from(
    ["the", " cat", "sat", ".", " ", "\n", "세", " 마리", "12", "'t", "//", "é", "x", ";", "고", "\xa0"]
)


@given(st.sampled_from(["cl100k", "gpt2", "o200k", "whitespace", r"\p{L}+|\P{L}"]), st.lists(PIECES, max_size=12))
@settings(max_examples=150, deadline=None)
def test_no_text_shows_an_unreachable_token(pattern: str, pieces: list[str]) -> None:
    assert not set(SHUFFLED[pattern].encode("".join(pieces))) & never(pattern)


@pytest.mark.parametrize("pattern", ["cl100k", "gpt2", "o200k", "whitespace", r"\p{L}+|\P{L}"])
def test_every_other_token_has_a_witness(pattern: str) -> None:
    tokenizer = SHUFFLED[pattern]
    assert never(pattern)
    for id in range(tokenizer.vocab_size):
        if id not in never(pattern):
            text = witness(tokenizer, id)
            assert text is not None
            assert id in tokenizer.encode(text)


@cache
def never(pattern: str) -> frozenset[int]:
    return frozenset(unreachable(SHUFFLED[pattern]))


def _shuffled(pattern: str) -> Tokenizer:
    """Superwords under another pattern, with merges in another order: much of it is out of reach."""
    learned = learn_bpe(PretokenCounts.from_iterator(TEXTS, "superword"), 340).model
    order = np.random.default_rng(0).permutation(len(learned.merged_ids))
    return Tokenizer(
        replace(
            learned,
            left=learned.left[order],
            right=learned.right[order],
            merged_ids=learned.merged_ids[order],
            pretokenizer=Pretokenizer(pattern),
        )
    )


SHUFFLED = {pattern: _shuffled(pattern) for pattern in ("cl100k", "gpt2", "o200k", "whitespace", r"\p{L}+|\P{L}")}
