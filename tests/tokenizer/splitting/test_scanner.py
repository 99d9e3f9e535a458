"""The native scanner splits exactly as each pattern's regular expression does, with each vector unit this processor has."""

from __future__ import annotations

import os
import subprocess
import sys
import unicodedata
from collections.abc import Iterator

import pytest
import regex
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bpe_transformer import _core
from bpe_transformer.tokenizer.splitting import patterns

# every class the patterns name, their borders, and what meets in the middle of a contraction or a run of white space
_PIECES = [
    "a", "Z", "é", "ǅ", "ʰ", "한", "字", "ß", "ſ", "\u0301", "\u0903", "1", "٣", "½", "Ⅷ", " ", "  ", "\t", "\n", "\r\n", "\r",
    "\u00a0", "\u3000", "\u2028", "\x85", "\x1c", "!", "/", "'", "'s", "'S", "'ll", "'LL", "'ve", "'re", "'t", "'ſ", "-", "€", "😀", "👩‍👩",
    "\U00010400", "\U00010428", "\U0001d7d8", "\ue000", "\x00", "ab", "AB", "Ab", "aB", "\ufeff", "\u200b", "\u00ad", "▁", "▁ ",
    "“", "’", "。", "あ", "ー", "ア", "ж", "Ж", "×", "䷀", "힣", "ힰ", "12345", "    ", "\n\n", "\n  \n", "!\n/", " the", "'twas", "한국어", "Hello",
]  # fmt: skip
_PIECE = st.one_of(st.sampled_from(_PIECES), st.characters(exclude_categories=["Cs"]))
_TEXT = st.lists(_PIECE, max_size=24).map("".join)
# longer than the 64 bytes that the scanner looks at together, and some longer than the 2048 that it prepares together
_LONG = st.builds(
    lambda fill, at, parts, times: (fill * at + "".join(parts)) * times,
    st.sampled_from(_PIECES),
    st.integers(0, 70),
    st.lists(st.one_of(_PIECE, st.builds(str.__mul__, _PIECE, st.integers(2, 80))), max_size=40),
    st.sampled_from([1, 1, 1, 2, 40]),
)
_LEVELS = _core.simd_levels()


@pytest.fixture(autouse=True)
def keep_level() -> Iterator[None]:
    level = _core.simd_level()
    yield
    _core.set_simd_level(level)


def by_regex(pattern: str, text: str) -> list[bytes]:
    return [piece.encode() for piece in patterns.split(pattern, text)]


def number_of(pattern: str) -> int:
    number = patterns.scanner_number(pattern)
    assert number is not None
    return number


def check(pattern: str, text: str, levels: list[str] = _LEVELS) -> None:
    expected = by_regex(pattern, text)
    for level in levels:
        _core.set_simd_level(level)
        assert _core.split(number_of(pattern), text) == expected, level


@pytest.mark.parametrize("pattern", _core.PATTERNS)
@given(_TEXT)
@example("a  \n  ")
@example("  \n x")
@example("\u0301ABC 's")
@settings(max_examples=300, deadline=None)
def test_scanner_equals_regex(pattern: str, text: str) -> None:
    check(pattern, text)


@pytest.mark.parametrize("pattern", _core.PATTERNS)
@given(_LONG)
@settings(max_examples=200, deadline=None)
def test_scanner_equals_regex_past_a_vector(pattern: str, text: str) -> None:
    check(pattern, text)


@pytest.mark.parametrize("pattern", _core.PATTERNS)
@given(st.binary(max_size=40), st.integers(0, 70))
@settings(max_examples=200, deadline=None)
def test_bytes_that_are_not_utf8_split_as_symbols(pattern: str, data: bytes, before: int) -> None:
    data = b"x" * before + data
    text = data.decode("utf-8", "surrogateescape")
    expected = [piece.encode("utf-8", "surrogateescape") for piece in patterns.split(pattern, text)]
    for level in _LEVELS:
        _core.set_simd_level(level)
        assert _core.split(number_of(pattern), data) == expected, level
    assert b"".join(expected) == data


def examples_of_categories() -> dict[tuple[str, int], list[str]]:
    """By general category and plane, a few characters from its beginning, middle and end."""
    found: dict[tuple[str, int], list[str]] = {}
    for code_point in range(0x110000):
        category = unicodedata.category(chr(code_point))
        if category != "Cs":
            found.setdefault((category, code_point >> 16), []).append(chr(code_point))
    return {key: sorted({c[0], c[len(c) // 2], c[-1]}) for key, c in found.items()}


@pytest.mark.parametrize("pattern", _core.PATTERNS)
def test_every_category_of_every_plane_at_the_edges_of_a_vector(pattern: str) -> None:
    kinds = examples_of_categories()
    assert {plane for _, plane in kinds} == set(range(17))
    assert len({category for category, _ in kinds}) == 29  # all but surrogates
    for before in range(58, 66):
        for after in ("a", " ", "'s", "1\n"):
            check(pattern, "".join(f"\n{'x' * (before - 1)}{c}{after}" for chars in kinds.values() for c in chars))


def test_every_code_point_has_the_classes_of_regex() -> None:
    # one scan of all code points, each between letters: any class that differs moves a border
    text = "".join(f"a{chr(c)}" for c in range(0x110000) if not 0xD800 <= c < 0xE000)
    for pattern in _core.PATTERNS:
        check(pattern, text, _LEVELS if pattern in ("cl100k", "o200k") else _LEVELS[-1:])


def test_level_can_be_chosen_before_the_start() -> None:
    for level in _LEVELS:
        code = "from bpe_transformer import _core; print(_core.simd_level())"
        environment = {**os.environ, "BPE_TRANSFORMER_SIMD": level}
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
        assert done.stdout.strip() == level
    with pytest.raises(ValueError, match="simd_levels"):
        _core.set_simd_level("abacus")


TIKTOKEN = {  # as tiktoken 0.14 has them (tiktoken_ext/openai_public.py): ours must mean the same
    "gpt2": r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s""",
    "cl100k": r"""'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s""",
}


@pytest.mark.parametrize("pattern", TIKTOKEN)
@given(_TEXT)
@settings(max_examples=300, deadline=None)
def test_patterns_split_as_tiktoken(pattern: str, text: str) -> None:
    assert list(patterns.split(pattern, text)) == regex.findall(TIKTOKEN[pattern], text)
