"""Texts that lie one behind the other in memory are counted together, and yet each by itself."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bpe_transformer import PretokenCounter, _core
from bpe_transformer.tokenizer.splitting import patterns

_PIECES = [
    "a", "Z", "é", "ʰ", "한국어", "字", "ſ", "\u0301", "1", "12345", "½", " ", "  ", "\t", "\n", "\r\n", "\u00a0", "\u3000", "!", "/", "'",
    "'s", "'LL", "'ve", "€", "😀", "▁", "ж", "Ж", "\n\n", "!\n/", " the", "Hello", "HELLOworld", "    ", "low lower lowest ",
]  # fmt: skip
_PIECE = st.one_of(st.sampled_from(_PIECES), st.characters(exclude_categories=["Cs"]))
_TEXTS = st.lists(st.lists(_PIECE, max_size=14).map("".join), max_size=24)
# what lies between two texts is nobody's: it need not be UTF-8
_BETWEEN = st.one_of(
    st.just(b""), st.sampled_from([b"\n", b"\r\n", b"\xe5", b"\x80\x80", b"'", b"a", b" "]), st.binary(max_size=90)
)


@pytest.mark.parametrize("pattern", _core.PATTERNS)
@given(texts=_TEXTS, between=st.lists(_BETWEEN, min_size=1, max_size=5), backwards=st.booleans())
@example(texts=["it's", "'s", "foo'", "s", "a  ", "\n b", "low\u0301", "\u0301"], between=[b""], backwards=False)
@example(texts=["low lower"] * 300 + ["x" * 3000, " y"] + ["ab "] * 40, between=[b"\n"], backwards=False)
@settings(max_examples=40, deadline=None)
def test_each_text_is_split_by_itself(pattern: str, texts: list[str], between: list[bytes], backwards: bool) -> None:
    buffer = bytearray()
    starts, stops = [], []
    for number, text in enumerate(texts):
        buffer += between[number % len(between)]
        starts.append(len(buffer))
        buffer += text.encode()
        stops.append(len(buffer))
    rows = (bytes(buffer), np.array(starts, np.int64), np.array(stops, np.int64))
    if backwards:
        rows = (rows[0], rows[1][::-1].copy(), rows[2][::-1].copy())
    grammar = patterns.scanner_number(pattern)
    assert grammar is not None
    for are_utf8 in (False, True):
        counter = PretokenCounter("gpt2", 1)
        counter._native.add_rows(grammar, [rows], are_utf8)
        expected = Counter(word.encode() for text in texts for word in patterns.split(pattern, text))
        assert dict(counter._native.take().items()) == expected
        assert counter.num_bytes == sum(len(text.encode()) for text in texts)


@pytest.mark.parametrize(
    ("data", "bounds", "place"),
    [
        (b"low\xe5lower", [(0, 3), (3, 9)], (1, 0)),
        ("lé".encode(), [(0, 2), (2, 3)], (0, 1)),  # a character that is cut is none, whatever stands behind it
        ("é".encode() * 3, [(0, 2), (1, 3)], (1, 0)),
        (b"low\nlow\xff", [(4, 8), (0, 3)], (0, 3)),
        (b"\xfflow", [(1, 4)], None),
    ],
)
def test_a_text_that_is_not_utf8_is_found(
    data: bytes, bounds: list[tuple[int, int]], place: tuple[int, int] | None
) -> None:
    starts, stops = (np.array(places, np.int64) for places in zip(*bounds, strict=True))
    counter = PretokenCounter("gpt2", 1)
    if place is None:
        counter._native.add_rows(0, [(data, starts, stops)], False)
        return
    with pytest.raises(_core.InvalidUtf8) as problem:
        counter._native.add_rows(0, [(data, starts, stops)], False)
    assert problem.value.args[:2] == place
