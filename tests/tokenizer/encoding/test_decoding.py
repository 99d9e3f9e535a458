"""Ids back to text: at once, in batches, and as they come."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bpe_transformer import Encodings, PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.errors import DecodingError

IDS = st.lists(st.integers(0, 401), max_size=40)


@pytest.fixture(scope="module")
def marked() -> Tokenizer:
    return learn_bpe(
        PretokenCounts.from_words({"low": 5, "lower": 2, "한국": 3}), 100, unit="char", end_of_word="</w>",
        special_tokens=["<s>"],
    )  # fmt: skip


@given(IDS, st.booleans())
@settings(max_examples=150, deadline=None)
@example([237, 149, 237, 149, 156, 237], False)
def test_a_stream_adds_up_to_decode(mixed: Tokenizer, ids: list[int], skip: bool) -> None:
    pieces = list(mixed.decode_stream(ids, skip_special_tokens=skip))
    assert "".join(pieces) == mixed.decode(ids, skip_special_tokens=skip)
    assert all(pieces)
    stream = mixed.decode_stream(skip_special_tokens=skip)
    assert "".join(stream.push(id) for id in ids) + stream.finish() == "".join(pieces)
    assert stream.push(np.asarray(ids, np.uint32)) + stream.finish() == "".join(pieces)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
@settings(max_examples=100, deadline=None)
def test_a_stream_of_whole_text_has_no_half_characters(mixed: Tokenizer, text: str) -> None:
    stream = mixed.decode_stream(errors="strict")
    pieces = [stream.push(id) for id in mixed.encode_ordinary(text)]
    assert "".join(pieces) == text
    assert stream.finish() == ""


def test_a_stream_holds_back_the_space_after_the_last_word(marked: Tokenizer) -> None:
    ids = marked.encode("low  lower 한국<s>", allowed_special="all")
    assert marked.decode(ids) == "low lower 한국 <s>"
    assert "".join(marked.decode_stream(ids)) == marked.decode(ids)
    assert "".join(marked.decode_stream(ids[:-1])) == "low lower 한국" == marked.decode(ids[:-1])
    assert "".join(marked.decode_stream(ids, skip_special_tokens=True)) == marked.decode(ids, skip_special_tokens=True)


def test_a_stream_tells_what_is_wrong(mixed: Tokenizer) -> None:
    stream = mixed.decode_stream(errors="strict")
    stream.push(mixed.encode("low"))
    with pytest.raises(DecodingError, match="byte 0xff after 3 bytes .* errors="):
        stream.push(255)
    with pytest.raises(DecodingError, match="id 403 is out of range"):
        mixed.decode_stream().push([403])
    for none in ("a", b"a", 1.5, None):
        with pytest.raises(DecodingError, match=f"ids is {type(none).__name__}; give an id"):
            mixed.decode_stream().push(none)  # type: ignore[arg-type]
    with pytest.raises(DecodingError, match="1.5 is not an id; give whole numbers from 0 to 402"):
        mixed.decode_stream().push([97, 1.5])  # type: ignore[list-item]
    assert list(mixed.decode_stream(np.array(row) for row in (97, [98], [99, 100]))) == ["a", "b", "cd"]  # type: ignore[misc]
    half = mixed.decode_stream(errors="strict")
    assert half.push(237) == ""
    with pytest.raises(DecodingError, match="byte 0xed"):
        half.finish()


@given(st.lists(IDS, max_size=6), st.booleans())
@settings(max_examples=100, deadline=None)
def test_batches_are_decode_of_each(mixed: Tokenizer, rows: list[list[int]], skip: bool) -> None:
    expected = [mixed.decode(row, skip_special_tokens=skip) for row in rows]
    for dtype in (np.uint16, np.int32, np.uint32, np.int64, np.uint64):
        assert mixed.decode_batch([np.array(row, dtype) for row in rows], skip_special_tokens=skip) == expected
    assert mixed.decode_batch(rows, skip_special_tokens=skip) == expected
    assert mixed.decode_batch((tuple(row) for row in rows), skip_special_tokens=skip) == expected


def test_encodings_decode_in_place(mixed: Tokenizer) -> None:
    texts = ["low lower", "", "한국어 문장", "newest " * 50]
    assert mixed.decode_batch(mixed.encode_batch(texts)) == texts
    assert mixed.decode_batch(mixed.encode_batch([])) == []


def test_arrow_lists_decode(mixed: Tokenizer) -> None:
    texts = ["low lower", "", "한국어 문장", "newest"]
    lists = mixed.encode_batch(texts).to_arrow()
    assert Encodings.from_arrow(lists).tolist() == lists.to_pylist()
    for column in (lists, pa.array(lists.to_pylist(), pa.list_(pa.int16())), pa.chunked_array([lists[:1], lists[1:]])):
        assert mixed.decode_batch(column) == texts
    assert mixed.decode_batch(lists[1:3]) == texts[1:3]
    assert mixed.decode_batch(pa.array([], pa.list_(pa.int32()))) == []
    for wrong in (pa.array([1, 2]), pa.array([["a"]]), pa.array([[1], None]), pa.array([[1, None]])):
        with pytest.raises(DecodingError, match="the column holds"):
            mixed.decode_batch(wrong)


def test_lists_of_other_integers(mixed: Tokenizer) -> None:
    ids = mixed.encode("low 한국어")
    assert mixed.decode([np.int64(id) for id in ids]) == "low 한국어"  # type: ignore[misc]
    assert mixed.decode(np.array(ids)[::-1][::-1]) == "low 한국어"
    assert mixed.decode(np.array(ids, np.int8 if max(ids) < 128 else np.int16)) == "low 한국어"


@pytest.mark.parametrize("row", [[403], [-1], [2**70], [1.5], ["a"], [[1]], [True], np.array([0.5]), None])
def test_rows_that_are_no_ids_are_named(mixed: Tokenizer, row: list[int]) -> None:
    with pytest.raises(DecodingError, match="row 1: "):
        mixed.decode_batch([[1], row])
    with pytest.raises(DecodingError):
        mixed.decode_bytes(row)


def test_problems_name_what_was_given(mixed: Tokenizer) -> None:
    for huge in ([5, 2**63], [5, 10**30], np.array([5, 2**63], np.uint64)):
        with pytest.raises(DecodingError, match=f"id {int(huge[1])} at position 1 is out of range"):
            mixed.decode(huge)
    for none in (None, 5, iter([1])):
        with pytest.raises(DecodingError, match=f"ids is {type(none).__name__}; give a flat sequence"):
            mixed.decode(none)  # type: ignore[arg-type]
    with pytest.raises(DecodingError, match="rows is int; give rows of ids"):
        mixed.decode_batch(5)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        mixed.token_bytes("low")  # type: ignore[arg-type]
    with pytest.raises(KeyError):
        mixed.id_of("\ud800")


def test_strict_decoding(mixed: Tokenizer) -> None:
    with pytest.raises(DecodingError, match=r"byte 0xed at position 3 .*errors=.replace."):
        mixed.decode([*mixed.encode("low"), 237], errors="strict")
    with pytest.raises(DecodingError, match="row 1: the ids are not UTF-8"):
        mixed.decode_batch([[97], [237]], errors="strict")
    assert mixed.decode([97, 237], errors="ignore") == "a"
    assert mixed.decode_bytes([97, 237, 256], skip_special_tokens=True) == b"a\xed"
