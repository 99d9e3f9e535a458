"""Everything in a written token can be seen, and is what it seems."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from bpe_transformer.inspection import visible
from bpe_transformer.inspection.base.visible import MARKS, SEPARATOR, isolated


@pytest.mark.parametrize(
    ("token", "written"),
    [
        (b" low", "·low"),
        (b"\n\t\r", "↵⇥␍"),
        ("세".encode(), "세"),
        ("한".encode()[:2], "⟨ed 95⟩"),
        ("한".encode()[2:], "⟨9c⟩"),
        (b"a\xed\x95b", "a⟨ed 95⟩b"),
        ("가".encode() + b"\xff", "가⟨ff⟩"),
        (b"\x00\x7f", "⟨U+0000⟩⟨U+007F⟩"),
        ("\u200d", "⟨U+200D⟩"),
        ("❤\ufe0f", "❤⟨U+FE0F⟩"),
        ("\u3000", "⟨U+3000⟩"),
        ("\u0301", "◌\u0301"),
        ("e\u0301", "e\u0301"),
        ("\u1161", "◌\u1161"),
        ("\ud7b0", "◌\ud7b0"),
        ("\u3164", "⟨U+3164⟩"),
        ("👍🏽", "👍⟨U+1F3FD⟩"),
        ("🇰", "⟨U+1F1F0⟩"),
        ("👩\u200d💻", "👩⟨U+200D⟩💻"),
        ("שלום", "שלום"),
        ("·", "⟨U+00B7⟩"),
        ("⟨ed⟩", "⟨U+27E8⟩ed⟨U+27E9⟩"),
        ("\ud800", "⟨U+D800⟩"),
        (b"", ""),
    ],
)
def test_writes_what_is_there(token: bytes | str, written: str) -> None:
    assert visible(token) == written


@given(st.text())
def test_text_and_its_bytes_are_written_alike(text: str) -> None:
    assert visible(text.encode()) == visible(text)


@given(st.binary(), st.binary())
def test_different_bytes_are_written_differently(one: bytes, other: bytes) -> None:
    assert (visible(one) == visible(other)) == (one == other)


@given(st.binary())
def test_nothing_is_invisible_or_breaks_a_line(token: bytes) -> None:
    written = visible(token)
    assert written.isprintable()
    assert not set(written) & {"\n", "\t", "\r", SEPARATOR}
    assert not token or cell_len(written) > 0


def test_marks_are_one_cell_wide() -> None:
    assert [cell_len(mark) for mark in MARKS.values()] == [1] * len(MARKS)


@pytest.mark.parametrize("token", ["שלום", " سلام", "abc שלום", "٣"])
def test_right_to_left_is_kept_apart(token: str) -> None:
    written = isolated(visible(token))
    assert written == f"\u2068{visible(token)}\u2069"
    assert cell_len(written) == cell_len(visible(token))
    assert isolated(visible("한국 low")) == "한국·low"


@given(st.text())
def test_a_written_token_takes_the_cells_of_its_parts(token: str) -> None:
    """Nothing joins with what a view puts before it, so that columns line up."""
    written = visible(token)
    assert cell_len("x" + written) == 1 + cell_len(written)
    assert cell_len("한" + written) == 2 + cell_len(written)
