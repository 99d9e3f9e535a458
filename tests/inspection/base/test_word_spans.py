"""Words: by hand, and against the definition written as a plain loop."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpe_transformer.inspection.base.word_spans import word_spans


def words(text: str) -> list[str]:
    raw = text.encode()
    return [raw[start:end].decode() for start, end in word_spans(text).tolist()]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        (" \n", []),
        ("low lower", ["low", "lower"]),
        ("don't low-lower, 3rd x_1!", ["don", "t", "low", "lower", "3rd", "x", "1"]),
        ("고양이가 책을 읽었다.", ["고양이가", "책을", "읽었다"]),
        ("東京は café", ["東", "京", "は", "café"]),
        ("cafe\u0301 x", ["cafe\u0301", "x"]),
        ("カタ", ["カ", "タ"]),
        ("ที่ a", ["ที่", "a"]),  # a consonant with two marks
        ("の\u0301a", ["の\u0301", "a"]),
        ("AI가 3월", ["AI가", "3월"]),
        ("\u0301a b", ["\u0301a", "b"]),
        (". \u0301", ["\u0301"]),
        ("שלום עולם", ["שלום", "עולם"]),
        ("한 글", ["한", "글"]),
        ("👍🏽 ok", ["ok"]),
    ],
)
def test_by_hand(text: str, found: list[str]) -> None:
    assert words(text) == found


def _by_loop(text: str) -> list[str]:
    def without_spaces(char: str) -> bool:
        return char in "東京はのカタที"

    found: list[str] = []
    current = last = ""  # of the word at hand: its characters, and its last that is no mark
    for char in text:
        category = unicodedata.category(char)[0]
        if category not in "LMN":
            found += [current] if current else []
            current = last = ""
        elif category == "M":
            current += char
        elif current and (without_spaces(char) or (last and without_spaces(last))):
            found.append(current)
            current = last = char
        else:
            current += char
            last = char
    return found + ([current] if current else [])


@given(st.text(alphabet="ab1 東京はのカタที\u0301\u0e48한글.-'\n😀é", max_size=30))
@settings(max_examples=300, deadline=None)
def test_as_the_definition_reads(text: str) -> None:
    assert words(text) == _by_loop(text)
