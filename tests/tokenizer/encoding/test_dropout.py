"""BPE-dropout: merges left out at random, the same for the same seed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.errors import EncodingError, SpecialTokenError
from bpe_transformer.tokenizer.splitting.pretokenizer import Pretokenizer

TEXTS = ["low lower newest widest", "", "한국어 문장 세 마리", "the newest, the widest " * 20, "it's 1,234"] * 6


def by_regex(tok: Tokenizer) -> Tokenizer:
    """Splits as `tok`, but with a pattern that the core has no scanner for."""
    expression = Pretokenizer(tok.pattern).facts()["pattern"]
    return Tokenizer(replace(tok.model, pretokenizer=Pretokenizer(f"(?:{expression})")))


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60), st.integers(0, 2**64 - 1))
@settings(max_examples=80, deadline=None)
def test_it_decodes_to_the_text(mixed: Tokenizer, text: str, seed: int) -> None:
    for dropout in (0.1, 0.5):
        assert mixed.decode(mixed.encode(text, disallowed_special=(), dropout=dropout, seed=seed)) == text
    assert mixed.encode(text, disallowed_special=(), dropout=0.0, seed=seed) == mixed.encode_ordinary(text)
    bytes_alone = [mixed.id_of(bytes([byte])) for byte in text.encode()]
    assert mixed.encode(text, disallowed_special=(), dropout=1.0, seed=seed) == bytes_alone


def drawn(dropout: float, seed: int, stream: int) -> Iterator[bool]:
    """Whether each merge is dropped: splitmix64, from the seed and the number of the text."""

    def mix(z: int) -> int:
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
        return z ^ (z >> 31)

    state = mix(seed ^ mix(stream))
    while True:
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        yield (mix(state) >> 11) / 2**53 < dropout


def plainly(tok: Tokenizer, text: str, dropout: float, seed: int, stream: int) -> list[int]:
    """Merges of each pre-token one by one: the best that is possible and not dropped, until there is none."""
    ranks = {pair: rank for rank, pair in enumerate(tok.merges)}
    made = tok.model.merged_ids.tolist()
    drops = drawn(dropout, seed, stream)
    found: list[int] = []
    for piece in tok.model.pretokenizer.split(text):
        ids = [tok.id_of(bytes([byte])) for byte in piece.encode()]
        while True:
            possible = sorted(
                (ranks[pair], i) for i, pair in enumerate(zip(ids, ids[1:], strict=False)) if pair in ranks
            )
            kept = next((merge for merge in possible if not next(drops)), None)
            if kept is None:
                break
            rank, i = kept
            ids[i : i + 2] = [made[rank]]
        found += ids
    return found


WORDS = st.lists(st.sampled_from(["low", "lower", " newest", "est", "한국어", " ", "x", "1"]), max_size=30).map("".join)


@given(WORDS, st.sampled_from([0.0, 0.01, 0.1, 0.5, 0.9, 1.0]), st.integers(0, 2**64 - 1))
@settings(max_examples=150, deadline=None)
@example("lowerest" * 12, 0.1, 3)  # a pre-token of many symbols
@example("lowerest" * 4, 0.5, 3)  # of just as many as the core treats as few
def test_it_is_what_drawing_one_by_one_gives(mixed: Tokenizer, text: str, dropout: float, seed: int) -> None:
    whole = Tokenizer(replace(mixed.model, ignore_merges=True))
    batch = ["", text, "low" + text]
    expected = [plainly(mixed, text, dropout, seed, stream) for stream, text in enumerate(batch)]
    for tok in (mixed, whole):
        if dropout or tok is mixed:
            assert tok.encode_batch(batch, 2, dropout=dropout, seed=seed).tolist() == expected


@pytest.mark.parametrize("dropout", [0.1, 0.6])
def test_threads_neighbours_and_form_change_nothing(mixed: Tokenizer, dropout: float) -> None:
    one = mixed.encode_batch(TEXTS, 1, dropout=dropout, seed=7).tolist()
    assert one != mixed.encode_batch(TEXTS, 1, dropout=dropout, seed=8).tolist()
    assert one == mixed.encode_batch(TEXTS, 4, dropout=dropout, seed=7).tolist()
    assert one == mixed.encode_batch(pa.array(TEXTS), 3, dropout=dropout, seed=7).tolist()
    assert one == by_regex(mixed).encode_batch(TEXTS, dropout=dropout, seed=7).tolist()
    assert one[0] == mixed.encode(TEXTS[0], dropout=dropout, seed=7)
    assert one[:3] == mixed.encode_batch(TEXTS[:3], dropout=dropout, seed=7).tolist()
    assert one[3] != one[8]  # the same text, with another stream


def test_a_whole_token_is_taken_apart(mixed: Tokenizer) -> None:
    tok = Tokenizer(replace(mixed.model, ignore_merges=True))
    assert tok.encode(" lower", dropout=1.0, seed=0) == list(b" lower")


def paper(symbols: list[str], merges: list[tuple[str, str]], dropout: float, draw: random.Random) -> list[str]:
    """Algorithm 1 of Provilkov et al. (2020), step by step, one occurrence at a time."""
    while True:
        possible = [
            (merges.index(pair), i) for i, pair in enumerate(zip(symbols, symbols[1:], strict=False)) if pair in merges
        ]
        possible = [merge for merge in possible if draw.random() >= dropout]
        if not possible:
            return symbols
        _, i = min(possible)
        symbols = [*symbols[:i], symbols[i] + symbols[i + 1], *symbols[i + 2 :]]


@pytest.mark.parametrize("dropout", [0.1, 0.5])
def test_pieces_are_as_frequent_as_the_paper_has_them(dropout: float) -> None:
    tok = learn_bpe(PretokenCounts.from_words({"unrelated": 5, "related": 4, "rated": 3, "ate": 2}), 1000, unit="char")
    merges = [tuple(tok.token_bytes(id).decode() for id in pair) for pair in tok.merges]
    runs = 20_000
    draw = random.Random(1)
    theirs = Counter(tuple(paper(list("unrelated"), merges, dropout, draw)) for _ in range(runs))  # type: ignore[arg-type]
    batch = tok.encode_batch(["unrelated"] * runs, 2, dropout=dropout, seed=1)
    ours = Counter(tuple(tok.token_bytes(id).decode() for id in ids) for ids in batch.tolist())
    for pieces, count in theirs.most_common(8):
        expected = count / runs
        error = (2 * expected * (1 - expected) / runs) ** 0.5
        assert ours[pieces] / runs == pytest.approx(expected, abs=5 * error), pieces


def test_special_tokens_and_problems(mixed: Tokenizer, low_lower: Tokenizer) -> None:
    assert mixed.encode("<s>lower", allowed_special="all", dropout=1.0, seed=0) == [257, *b"lower"]
    with pytest.raises(SpecialTokenError, match="text 1 holds the special token '<s>'"):
        mixed.encode_batch(["a", "<s>"], dropout=0.1, seed=0)
    with pytest.raises(EncodingError, match="byte 3 of text 1"):
        low_lower.encode_batch(["low", "lowx"], dropout=0.1, seed=0)
    with pytest.raises(EncodingError, match=r"dropout=0.1 with seed=None; give a seed"):
        mixed.encode("low", dropout=0.1)
    with pytest.raises(EncodingError, match=r"dropout=1.5 is not a probability"):
        mixed.encode("low", dropout=1.5, seed=0)
    with pytest.raises(EncodingError, match="seed=-1"):
        mixed.encode("low", dropout=0.5, seed=-1)


def test_a_long_word_takes_no_time() -> None:
    tok = learn_bpe(PretokenCounts.from_words({"aaaa": 5, "aa": 9}), 260)
    text = "a" * 200_000
    assert tok.decode(tok.encode(text, dropout=0.1, seed=0)) == text
