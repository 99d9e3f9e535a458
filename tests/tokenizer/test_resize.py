"""Smaller vocabularies from a learned one, and larger ones with ids kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.errors import LearningError
from bpe_transformer.tokenizer.model import BpeModel
from bpe_transformer.tokenizer.pretokenization import PreTokenization

WORDS = {"low": 5, "lower": 2, "newest": 6, "widest": 3}
_WORDS = st.dictionaries(st.text(st.sampled_from("abc한"), min_size=1, max_size=10), st.integers(1, 6), min_size=1)


# --- truncate ----------------------------------------------------------------------------------------------------------


@given(_WORDS, st.integers(0, 40), st.sampled_from([("byte", None), ("char", None), ("char", "</w>")]))
@settings(max_examples=100, deadline=None)
def test_truncated_equals_learned_at_that_size(
    words: dict[str, int], merges: int, kind: tuple[str, str | None]
) -> None:
    counts = PretokenCounts.from_words(words)
    options = {"unit": kind[0], "end_of_word": kind[1], "special_tokens": ["<s>"]}
    large = learn_bpe(counts, 2000, **options)  # type: ignore[arg-type]
    vocab_size = min(large.first_merge_id + merges, large.vocab_size)
    small = learn_bpe(counts, vocab_size, **options)  # type: ignore[arg-type]
    truncated = large.truncate(vocab_size)
    assert truncated.digest == small.digest
    assert truncated.trace == small.trace


def test_truncated_is_saved_with_its_trace(tmp_path: Path, mixed: Tokenizer) -> None:
    mixed.truncate(300).save(tmp_path)
    loaded = Tokenizer.load(tmp_path)
    assert loaded.vocab_size == 300
    assert list(loaded.trace or ()) == mixed.trace[: 300 - mixed.first_merge_id]  # type: ignore[index]


def test_truncating_below_the_base_or_above_the_top(mixed: Tokenizer) -> None:
    assert mixed.truncate(mixed.vocab_size) is mixed
    with pytest.raises(
        LearningError, match=r"vocab_size=258 .*\(256 tokens\) .*\(3\), which all stay; ask for at least 259"
    ):
        mixed.truncate(258)
    assert mixed.truncate(259).merges == []
    with pytest.raises(LearningError, match=r"more than this vocabulary's 402; go on learning .*base=tokenizer"):
        mixed.truncate(501)


def on_top(order: list[int]) -> Tokenizer:
    """a, b, c, then tokens ab, abc, and a special token above a gap, with the merges' ids in `order`."""
    tokens = [b"a", b"b", b"c", b"", b"", b"", b"<end>"]
    tokens[order[0]], tokens[order[1]] = b"ab", b"abc"
    model = BpeModel(
        unit="char",
        pretokenization=PreTokenization("whitespace"),
        tokens=tuple(tokens),
        left=np.array([0, order[0]], np.uint32),
        right=np.array([1, 2], np.uint32),
        made=np.array(order, np.uint32),
        special_tokens={"<end>": 6},
    )
    return Tokenizer(model)


def test_special_tokens_on_top_follow_the_last_merge() -> None:
    small = on_top([3, 4]).truncate(5)
    assert small.special_tokens == {"<end>": 4}
    assert small.encode("abc<end>", allowed_special="all") == [3, 2, 4]
    with pytest.raises(LearningError, match="ask for at least 4"):
        small.truncate(3)


def test_ids_that_do_not_follow_the_merges_are_refused_by_name() -> None:
    with pytest.raises(LearningError, match="merge 1 makes id 3 after 4"):
        on_top([4, 3]).truncate(5)
