"""The native scanner splits exactly as each pattern's regular expression does."""

from __future__ import annotations

import pytest
import regex
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bpe_transformer import _core
from bpe_transformer.tokenizer import patterns

# every class the patterns name, their borders, and what meets in the middle of a contraction or a run of white space
_PIECES = [
    "a", "Z", "é", "ǅ", "ʰ", "한", "字", "ß", "ſ", "\u0301", "\u0903", "1", "٣", "½", "Ⅷ", " ", "  ", "\t", "\n", "\r\n", "\r",
    "\u00a0", "\u3000", "\u2028", "\x85", "\x1c", "!", "/", "'", "'s", "'S", "'ll", "'LL", "'ve", "'re", "'t", "'ſ", "-", "€", "😀", "👩‍👩",
    "\U00010400", "\U00010428", "\U0001d7d8", "\ue000", "\x00", "ab", "AB", "Ab", "aB", "\ufeff", "\u200b", "\u00ad",
]  # fmt: skip
_TEXT = st.lists(st.one_of(st.sampled_from(_PIECES), st.characters(exclude_categories=["Cs"])), max_size=24).map(
    "".join
)


def by_regex(pattern: str, text: str) -> list[bytes]:
    return [piece.encode() for piece in patterns.split(pattern, text)]


@pytest.mark.parametrize("pattern", _core.PATTERNS)
@given(_TEXT)
@example("a  \n  ")
@example("  \n x")
@example("\u0301ABC 's")
@settings(max_examples=500, deadline=None)
def test_scanner_equals_regex(pattern: str, text: str) -> None:
    assert _core.split(patterns.scanner_number(pattern), text) == by_regex(pattern, text)


@pytest.mark.parametrize("pattern", _core.PATTERNS)
@given(st.binary(max_size=40))
@settings(max_examples=300, deadline=None)
def test_bytes_that_are_not_utf8_split_as_symbols(pattern: str, data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    expected = [piece.encode("utf-8", "surrogateescape") for piece in patterns.split(pattern, text)]
    assert _core.split(patterns.scanner_number(pattern), data) == expected
    assert b"".join(expected) == data


def test_every_code_point_has_the_classes_of_regex() -> None:
    # one scan of all code points, each between letters: any class that differs moves a border
    text = "".join(f"a{chr(c)}" for c in range(0x110000) if not 0xD800 <= c < 0xE000)
    for pattern in _core.PATTERNS:
        assert _core.split(patterns.scanner_number(pattern), text) == by_regex(pattern, text)


TIKTOKEN = {  # as tiktoken 0.14 has them (tiktoken_ext/openai_public.py): ours must mean the same
    "gpt2": r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s""",
    "cl100k": r"""'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s""",
}


@pytest.mark.parametrize("pattern", TIKTOKEN)
@given(_TEXT)
@settings(max_examples=300, deadline=None)
def test_patterns_split_as_tiktoken(pattern: str, text: str) -> None:
    assert list(patterns.split(pattern, text)) == regex.findall(TIKTOKEN[pattern], text)
