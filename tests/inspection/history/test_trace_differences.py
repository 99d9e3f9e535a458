"""Two merge histories side by side, worked by hand on `low-lower`."""

from __future__ import annotations

import json
from importlib.resources import files

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.errors import LearningError
from bpe_transformer.inspection import TraceDiff, trace_diff

WORDS = {"low": 5, "lower": 2, "newest": 6, "widest": 3}
SCHEMA = json.loads((files("bpe_transformer.inspection") / "schemas/trace_diff.json").read_text())


def diff_of(a: Tokenizer, b: Tokenizer) -> TraceDiff:
    diff = trace_diff(a, b)
    jsonschema.validate(json.loads(json.dumps(diff.as_dict())), SCHEMA)
    return diff


@pytest.fixture(scope="module")
def more_wide() -> Tokenizer:
    """widest 30 times more often: s t 9 → 36 with e s, then d est 33, which `low-lower` has at rank 7.

    e s 36, es t 36, d est 30, i dest, w idest, then as before: l o, lo w, e w, n ew, new est, e r, low er.
    """
    words = {**WORDS, "widest": 30}
    return learn_bpe(PretokenCounts.from_words(words), vocab_size=23, unit="char", unk_token="<unk>")


def test_worked_by_hand(low_lower: Tokenizer, more_wide: Tokenizer) -> None:
    diff = diff_of(low_lower, more_wide)
    assert (diff.same_merges, diff.shared_tokens, diff.shared_pairs, diff.overlap) == (2, 12, 12, 1.0)
    assert diff.first_a is not None
    assert diff.first_b is not None
    assert (diff.first_a.tokens, diff.first_a.count) == ((b"l", b"o"), 7)
    assert (diff.first_b.tokens, diff.first_b.count) == ((b"d", b"est"), 30)
    # est rank 1 in both; dest, idest, widest move from 7, 8, 9 to 2, 3, 4; lo low ew new newest from 2-6 to 5-9
    assert [(token.token, token.rank_a, token.rank_b) for token in diff.moved[:3]] == [
        (b"dest", 7, 2),
        (b"idest", 8, 3),
        (b"lo", 2, 5),
    ]
    assert diff.moved[0].factor == pytest.approx(8 / 3)
    assert (diff.median_shift, diff.largest_shift) == (3.0, 5)
    assert (diff.only_a, diff.only_b, diff.options) == ((), (), ())
    assert [(depth.merges, depth.shared) for depth in diff.by_depth] == [(12, 12)]


def test_a_run_that_ends_sooner(low_lower: Tokenizer) -> None:
    diff = diff_of(low_lower.truncate(15), low_lower)
    assert (diff.same_merges, diff.first_a, diff.first_b is not None and diff.first_b.rank) == (4, None, 4)
    assert (diff.shared_tokens, diff.tokens_a, diff.tokens_b) == (4, 4, 12)
    assert diff.overlap == pytest.approx(4 / 12)
    assert [token.token for token in diff.only_b][:2] == [b"ew", b"new"]
    assert diff.moved == ()


def test_the_same_has_no_difference(low_lower: Tokenizer) -> None:
    diff = diff_of(low_lower, Tokenizer(low_lower.model))
    assert (diff.first_a, diff.first_b, diff.same_merges) == (None, None, 12)


def test_ids_and_units_do_not_matter(low_lower: Tokenizer) -> None:
    """The same words in bytes, with special tokens in front of the merges: other ids, the same tokens."""
    words = PretokenCounts.from_words(WORDS)
    in_bytes = learn_bpe(words, vocab_size=256 + 2 + 12, special_tokens=["<s>", "</s>"], alphabet_order="gpt2")
    diff = diff_of(low_lower, in_bytes)
    assert (diff.shared_tokens, diff.overlap) == (12, 1.0)
    assert {option.name for option in diff.options} == {"unit", "unk token", "special tokens", "base alphabet"}


def test_no_merges(low_lower: Tokenizer) -> None:
    with pytest.raises(LearningError, match="has no merges"):
        trace_diff(low_lower, low_lower.truncate(11))


@given(
    one=st.dictionaries(st.text("abc한", min_size=2, max_size=6), st.integers(1, 9), min_size=1, max_size=6),
    other=st.dictionaries(st.text("abc한", min_size=2, max_size=6), st.integers(1, 9), min_size=1, max_size=6),
)
@settings(deadline=None, max_examples=40)
def test_it_is_the_same_from_the_other_side(one: dict[str, int], other: dict[str, int]) -> None:
    a, b = (learn_bpe(PretokenCounts.from_words(words), 300) for words in (one, other))
    there, back = diff_of(a, b), diff_of(b, a)
    made_a, made_b = ({tok.token_bytes(id) for id in tok.model.merged_ids.tolist()} for tok in (a, b))
    assert there.shared_tokens == back.shared_tokens == len(made_a & made_b)
    assert (there.only_a, there.same_merges, there.overlap) == (back.only_b, back.same_merges, back.overlap)
    assert {token.token for token in there.only_a} <= made_a - made_b
