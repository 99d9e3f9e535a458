"""Texts as lists, NumPy and Arrow arrays, and columns: all the same ids."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpe_transformer import Tokenizer
from bpe_transformer.errors import EncodingError, SpecialTokenError
from bpe_transformer.tokenizer.encoding.inputs import Rows, texts_of

TEXTS = ["low lower", "", "한국어 문장", "newest\n\nwidest", "😀 e\u0301", "x" * 50]
ARROW = {
    "string": pa.string(), "large_string": pa.large_string(), "binary": pa.binary(), "large_binary": pa.large_binary(),
    "string_view": pa.string_view(), "dictionary": pa.dictionary(pa.int8(), pa.string()),
}  # fmt: skip


def arrow_column(kind: str) -> pa.Array:
    if kind == "dictionary":
        return pa.array(TEXTS).dictionary_encode()
    return pa.array([text.encode() for text in TEXTS] if "binary" in kind else TEXTS, ARROW[kind])


def forms() -> dict[str, Any]:
    array = pa.array(["skipped", *TEXTS, "left out"])
    return {
        "tuple": tuple(TEXTS),
        "generator": (text for text in TEXTS),
        "bytes": [text.encode() for text in TEXTS],
        "numpy U": np.array(TEXTS),
        "numpy U of the other order": np.array(TEXTS).astype(np.array(TEXTS).dtype.newbyteorder(">")),
        "numpy U with steps": np.repeat(np.array(TEXTS), 2)[::2],
        "numpy S": np.array([text.encode() for text in TEXTS]),
        "numpy objects": np.array(TEXTS, object),
        "numpy reversed": np.array(TEXTS[::-1])[::-1],
        "numpy field": np.array([(text, 1) for text in TEXTS], [("text", "U50"), ("n", "i4")])["text"],
        **({"numpy StringDType": np.array(TEXTS, np.dtypes.StringDType())} if hasattr(np.dtypes, "StringDType") else {}),
        "arrow runs": pc.run_end_encode(pa.array(TEXTS)),
        "arrow extension": pa.ExtensionArray.from_storage(pa.json_(), pa.array(TEXTS)),
        **{f"arrow {kind}": arrow_column(kind) for kind in ARROW},
        "arrow slice": array.slice(1, len(TEXTS)),
        "arrow chunks": pa.chunked_array([array.slice(1, 2), pa.array([], pa.string()), array.slice(3, len(TEXTS) - 2)]),
        "arrow chunks of two kinds": pa.chunked_array([pa.array(TEXTS, pa.large_string()).slice(0, 3), pa.array(TEXTS[3:], pa.large_string())]),
        "arrow table column": pa.table({"text": TEXTS})["text"],
    }  # fmt: skip


@pytest.mark.parametrize("form", forms())
@pytest.mark.parametrize("by_regex", [False, True])
def test_every_form_gives_the_same(mixed: Tokenizer, form: str, by_regex: bool) -> None:
    from dataclasses import replace

    from bpe_transformer.tokenizer.splitting.pretokenizer import Pretokenizer

    tok = Tokenizer(replace(mixed.model, pretokenizer=Pretokenizer(r"\w+|\W"))) if by_regex else mixed
    expected = [tok.encode(text) for text in TEXTS]
    assert tok.encode_batch(forms()[form], 2).tolist() == expected
    assert tok.count_batch(forms()[form]).tolist() == [len(ids) for ids in expected]


def test_arrow_is_read_in_place() -> None:
    column = pa.array(["skipped", *TEXTS]).slice(1)
    rows = texts_of(column)
    assert isinstance(rows, Rows)
    assert list(rows) == [rows[i] for i in range(len(rows))] == [text.encode() for text in TEXTS]
    ((buffer, starts, _),) = rows.chunks
    assert buffer.address == column.buffers()[2].address
    assert starts.ctypes.data == column.buffers()[1].address + 4


def test_columns_of_datasets(mixed: Tokenizer, tmp_path: Path) -> None:
    datasets.Dataset.from_dict({"text": TEXTS * 3, "n": list(range(18))}).save_to_disk(str(tmp_path))
    stored = datasets.load_from_disk(str(tmp_path))
    expected = [mixed.encode(text) for text in TEXTS] * 3
    assert isinstance(texts_of(stored["text"]), Rows)
    assert mixed.encode_batch(stored["text"]).tolist() == expected
    shuffled = stored.select([5, 0, 7])
    assert mixed.encode_batch(shuffled["text"]).tolist() == [expected[i] for i in (5, 0, 7)]
    assert mixed.encode_batch(stored[2:4]["text"]).tolist() == expected[2:4]


def test_what_exports_arrow(mixed: Tokenizer) -> None:
    class Series:
        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            return pa.chunked_array([TEXTS]).__arrow_c_stream__(requested_schema)

    assert mixed.encode_batch(Series()).tolist() == [mixed.encode(text) for text in TEXTS]  # type: ignore[arg-type]


@given(st.lists(st.binary(max_size=12), max_size=8), st.integers(0, 3), st.integers(0, 3), st.integers(1, 3))
@settings(max_examples=80, deadline=None)
def test_slices_of_any_bytes(mixed: Tokenizer, texts: list[bytes], skip: int, drop: int, threads: int) -> None:
    for kind in (pa.binary(), pa.large_binary()):
        column = pa.array(texts, kind).slice(skip, max(len(texts) - skip - drop, 0))
        kept = column.to_pylist()
        assert mixed.encode_batch(column, threads).tolist() == [mixed.encode_ordinary(text) for text in kept]


def test_empty_columns(mixed: Tokenizer) -> None:
    empty: Any
    for empty in (
        [],
        np.array([], "U5"),
        pa.array([], pa.string()),
        pa.chunked_array([], pa.string()),
        np.array([""])[:0],
    ):
        assert mixed.encode_batch(empty).tolist() == []
    assert mixed.encode_batch(np.array([""])).tolist() == [[]]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (pa.array(["a", None, "b"]), r"text 1 is null \(1 are\); drop them with column.drop_null\(\)"),
        (pa.chunked_array([["a"], [None, None]]), r"text 1 is null \(2 are\)"),
        (pa.DictionaryArray.from_arrays([0, 1], ["a", None]), r"text 1 is null \(1 are\)"),
        (pc.run_end_encode(pa.array(["a", None])), "text 1 is null"),
        (np.ma.array(["a", "b"], mask=[False, True]), "text 1 is masked"),
        ([None], "the text is NoneType; encode takes str or bytes"),
        (pa.array([1, 2]), "the column holds int64, not text"),
        (pa.array([["a"]]), "the column holds list<"),
        ("low", "texts is a single str; put it into a list, or call encode"),
        (b"low", "texts is a single bytes"),
        (5, "texts is int; give a list"),
        (None, "texts is NoneType"),
        (np.array([["a"]]), r"shape \(1, 1\); give one dimension"),
        (np.array([1, 2]), "text 0 is int; encode takes str or bytes"),
        (np.array(["a", None], object), "text 1 is NoneType"),
        (np.array(["a", "b\ud800"]), r"character 1 of text 1 is a lone surrogate"),
    ],
)
def test_what_holds_no_texts(mixed: Tokenizer, texts: Any, message: str) -> None:
    with pytest.raises(EncodingError, match=message):
        mixed.encode_batch(texts)


def test_problems_name_the_row(mixed: Tokenizer, low_lower: Tokenizer) -> None:
    with pytest.raises(SpecialTokenError, match=r"text 2 holds the special token '<s>' \(byte 1\)"):
        mixed.encode_batch(pa.array(["a", "b", "c<s>"]), 2)
    with pytest.raises(EncodingError, match=r"'x' \(U\+0078\) at byte 1 of text 1"):
        low_lower.encode_batch(pa.array(["low", "lx"]))


def test_texts_that_need_python_among_others_that_do_not(mixed: Tokenizer) -> None:
    split = replace(mixed.model.pretokenizer, normalization="NFC")
    tok = Tokenizer(replace(mixed.model, pretokenizer=split, token_flags={"<pad>": ("lstrip",)}))
    texts: list[str | bytes] = [
        "the lower",
        "e\u0301 cafe\u0301",
        "",
        "숲 <pad>",
        b"low \xff",
        "\u1112\u1161\u11ab",
        "newest",
    ]
    expected = [tok.encode(text, allowed_special="all") for text in texts]
    assert tok.encode_batch(texts, allowed_special="all").tolist() == expected
    assert expected[1] == mixed.encode("é café")
    assert expected[3] == [*mixed.encode("숲"), mixed.special_tokens["<pad>"]]
    with pytest.raises(SpecialTokenError, match="text 3 holds the special token '<pad>'"):
        tok.encode_batch(texts)
    with pytest.raises(EncodingError, match="text 1 is int"):
        tok.encode_batch(["e\u0301", 5])  # type: ignore[list-item]
