"""Learning beside the `tokenizers` package: equal where it is exact, and its own faults where it is not.

The same on whole corpora, with rustbpe as well, is what `tests/benchmarks/learning.py` checks before it times anything.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpe_transformer import PretokenCounts, learn_bpe
from bpe_transformer.tokenizer.formats.tokenizer_json import to_json
from bpe_transformer.tokenizer.splitting import patterns

tokenizers = pytest.importorskip("tokenizers")

_TEXTS = st.lists(st.text(st.sampled_from("abc한 \n.1"), min_size=1, max_size=40), min_size=1, max_size=5)


def theirs(texts: list[str], pre_tokenizer: Any, **options: Any) -> list[tuple[str, str]]:
    """The merges of `tokenizers`, as pairs of token names."""
    tok = tokenizers.Tokenizer(tokenizers.models.BPE())
    tok.pre_tokenizer = pre_tokenizer
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=600, show_progress=False, **options)
    tok.train_from_iterator(texts, trainer)
    return [tuple(merge) for merge in json.loads(tok.to_str())["model"]["merges"]]


def ours(counts: PretokenCounts, **options: Any) -> list[tuple[str, str]]:
    tok = learn_bpe(counts, 600, **options)
    return [tuple(merge) for merge in to_json(tok.model)["model"]["merges"]]


@given(_TEXTS)
@settings(max_examples=100, deadline=None)
def test_merges_of_bytes_are_equal(texts: list[str]) -> None:
    byte_level = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    expected = theirs(texts, byte_level, initial_alphabet=byte_level.alphabet())
    assert ours(PretokenCounts.from_iterator(texts, "gpt2"), alphabet_order="gpt2") == expected


@given(_TEXTS, st.integers(1, 3))
@settings(max_examples=100, deadline=None)
def test_merges_of_characters_are_equal(texts: list[str], min_frequency: int) -> None:
    split = tokenizers.pre_tokenizers.Split(tokenizers.Regex(patterns.expression("gpt2")), "isolated")
    expected = theirs(texts, split, min_frequency=min_frequency)
    assert ours(PretokenCounts.from_iterator(texts, "gpt2"), unit="char", min_frequency=min_frequency) == expected


def test_with_an_end_of_word_theirs_change_from_run_to_run() -> None:
    # "b"+"b</w>" and "b"+"a</w>" both occur once: their ids decide, which tokenizers gives out in the order of a hash map
    words = ["bbbb", "ab", "aaba"]
    by_white_space = tokenizers.pre_tokenizers.WhitespaceSplit()
    runs = {tuple(theirs(words, by_white_space, end_of_word_suffix="</w>")) for _ in range(60)}
    assert len(runs) > 1
    same = {tuple(ours(PretokenCounts.from_words(Counter(words)), unit="char", end_of_word="</w>")) for _ in range(60)}
    assert len(same) == 1
    assert same < runs


def test_with_a_length_limit_theirs_stop_one_short() -> None:
    # a limit of 2 lets them make "ab", but one of 3 does not let them make "abb": the limit is included only at first
    by_white_space = tokenizers.pre_tokenizers.WhitespaceSplit()
    assert theirs(["ab"], by_white_space, max_token_length=2) == [("a", "b")]
    assert theirs(["abb"], by_white_space, max_token_length=3) == [("a", "b")]
    assert ours(PretokenCounts.from_words({"abb": 1}), unit="char", max_token_bytes=3) == [("a", "b"), ("ab", "b")]
