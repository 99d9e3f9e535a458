"""Beginning and end of a sequence, and what is cut off a long one."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpe_transformer import Tokenizer
from bpe_transformer.errors import EncodingError, SpecialTokenError, TruncationWarning


@pytest.fixture(scope="module")
def framed(mixed: Tokenizer) -> Tokenizer:
    return Tokenizer(replace(mixed.model, bos_token="<s>", eos_token="</s>"))


def test_bos_and_eos_go_around(framed: Tokenizer) -> None:
    bos, eos = framed.special_tokens["<s>"], framed.special_tokens["</s>"]
    ids = framed.encode("low lower")
    assert framed.encode("low lower", add_bos=True, add_eos=True) == [bos, *ids, eos]
    assert framed.encode("low lower", add_eos=True) == [*ids, eos]
    assert framed.encode("", add_bos=True, add_eos=True) == [bos, eos]


def test_a_cut_is_told(framed: Tokenizer) -> None:
    ids = framed.encode("low lower newest")
    assert len(ids) > 2
    with pytest.warns(TruncationWarning, match=f"max_len=2 cut {len(ids) - 2} of {len(ids)} ids"):
        assert framed.encode("low lower newest", max_len=2) == ids[:2]
    with pytest.warns(TruncationWarning, match=f"cut {len(ids)} of {len(ids) + 2} ids"):
        assert framed.encode("low lower newest", add_bos=True, add_eos=True, max_len=2) == [257, 258]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert framed.encode("low lower newest", max_len=len(ids)) == ids


@given(
    st.lists(st.text("lower 한\n", max_size=20), max_size=6),
    st.booleans(),
    st.booleans(),
    st.none() | st.integers(2, 8),
)
@settings(max_examples=150, deadline=None)
def test_batches_are_framed_like_single_texts(
    framed: Tokenizer, texts: list[str], add_bos: bool, add_eos: bool, max_len: int | None
) -> None:
    batch = framed.encode_batch(texts, add_bos=add_bos, add_eos=add_eos, max_len=max_len)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TruncationWarning)
        assert batch.tolist() == [framed.encode(t, add_bos=add_bos, add_eos=add_eos, max_len=max_len) for t in texts]
    plain = framed.count_batch(texts)
    assert np.array_equal(batch.num_cut, plain + add_bos + add_eos - np.diff(batch.row_starts))
    assert plain.tolist() == [framed.count(text) for text in texts]


def test_what_cannot_be_framed(mixed: Tokenizer, framed: Tokenizer) -> None:
    with pytest.raises(SpecialTokenError, match="has no bos_token; set one"):
        mixed.encode("low", add_bos=True)
    with pytest.raises(SpecialTokenError, match="add_eos=True"):
        mixed.encode_batch(["low"], add_eos=True)
    with pytest.raises(EncodingError, match="max_len=1 has no room for the 2 ids"):
        framed.encode("low", add_bos=True, add_eos=True, max_len=1)
    wrongs: tuple[Any, ...] = (-1, 2.5, "3")
    for wrong in wrongs:
        for encode in (framed.encode, framed.encode_offsets):
            with pytest.raises(
                EncodingError, match=f"max_len={wrong!r} is not a number of ids; give a whole number from 0 on"
            ):
                encode("low", max_len=wrong)
        with pytest.raises(EncodingError, match="is not a number of ids"):
            framed.encode_batch(["low"], max_len=wrong)
