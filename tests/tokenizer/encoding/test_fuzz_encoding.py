"""Any bytes, through every kind of tokenizer and every way to encode and decode; the fuzzer of `make fuzz` goes on from here."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

TARGET = runpy.run_path(str(Path(__file__).parents[2] / "fuzz" / "encode_decode.py"), run_name="fuzz")
SPICE = [
    b"<s>",
    b"</s>",
    b"\n\n",
    b" ",
    b"\xff",
    b"\xed\xa0\x80",
    "é".encode(),
    "e\u0301".encode(),
    "한".encode(),
    b"'s",
    b"123",
    b"lower",
]
BYTES = st.lists(st.one_of(st.sampled_from(SPICE), st.binary(max_size=8)), max_size=10).map(b"".join)


@pytest.mark.parametrize("kind", TARGET["KINDS"])
@given(BYTES)
@settings(max_examples=25, deadline=None)
@example(b"")
@example(b"<s><s><s></s>\n\n\n")
@example("e\u0301 \u1112\u1161\u11ab ﬁ\u0323".encode())
@example(b"a\xf0\x9f\x98 \xc3")
def test_every_way_agrees(kind: str, data: bytes) -> None:
    TARGET["attempt"](kind, data)


@pytest.mark.parametrize("kind", ["cl100k", "marked", "fallback", "spaced"])
@given(st.binary(max_size=40))
@settings(max_examples=40, deadline=None)
def test_any_numbers(kind: str, data: bytes) -> None:
    TARGET["attempt_ids"](kind, data)
