"""Sequences of pre-tokenizers of any length split as the `tokenizers` package does, in the core."""

from __future__ import annotations

import json
import random
import unicodedata
from collections.abc import Callable
from typing import Any

import pytest

from bpe_transformer import _core
from bpe_transformer.errors import FormatError
from bpe_transformer.io import Node
from bpe_transformer.tokenizer.formats.tokenizer_json import splitting
from bpe_transformer.tokenizer.splitting.byte_level import name_of
from tests.tokenizer.splitting.test_compiled_patterns import texts

pytest.importorskip("tokenizers")
from tokenizers import Regex, pre_tokenizers

EXPRESSIONS = (
    "ab",
    r"\d+",
    r"\s+(?!\S)",
    "e|é",
    "Ġ",
    r"[\p{L}\p{N}]",
    r"\p{Lu}\p{Ll}+",
    "[^a-z]",
    "'s|'t",
    "한국?",
    "Ã©",
    r"(?i:the)",
    "aa?",
)
BEHAVIORS = ("isolated", "removed", "merged_with_previous", "merged_with_next", "contiguous")


def is_old(char: str) -> bool:
    """Whether every version of Unicode that is in use says the same of a character: the package's is old."""
    return unicodedata.ucd_3_2_0.category(char) == unicodedata.category(char)


def random_chain(draw: random.Random) -> list[Any]:
    """Pre-tokenizers of the `tokenizers` package, with one step of bytes at most; nothing is removed after it."""
    chain: list[Any] = []
    by_byte = draw.random() < 0.7
    steps = draw.choice((1, 2, 3, 5, 12))
    position = draw.randrange(steps) if by_byte else steps
    for i in range(steps):
        if i == position:
            chain.append(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=draw.random() < 0.5))
            continue
        behaviors = BEHAVIORS if i < position else (BEHAVIORS[0], *BEHAVIORS[2:])
        makers: list[Callable[[str], Any]] = [
            lambda behavior: pre_tokenizers.Digits(draw.random() < 0.5),
            pre_tokenizers.Punctuation,
            *[lambda behavior: pre_tokenizers.Split(
                Regex(draw.choice(EXPRESSIONS)), behavior, invert=draw.random() < 0.3
            )] * 4,
        ]  # fmt: skip
        if i < position:
            makers += [lambda behavior: pre_tokenizers.Whitespace(), lambda behavior: pre_tokenizers.WhitespaceSplit()]
        chain.append(draw.choice(makers)(draw.choice(behaviors)))
    return chain


def check_chains(seed: int, count: int) -> int:
    """Compares `count` random sequences with the `tokenizers` package and the reference; how many the core takes."""
    draw, taken = random.Random(seed), 0
    for _ in range(count):
        chain = pre_tokenizers.Sequence(random_chain(draw))
        document = Node({"pre_tokenizer": json.loads(chain.__getstate__())})
        try:
            found = splitting.read(document, None)
            split = found.pretokenizer([], [], False)
        except FormatError as refusal:
            assert "supported" in str(refusal)  # noqa: PT017
            continue
        native = split.splitter
        taken += isinstance(native, _core.CompiledPattern)
        generated = ("".join(filter(is_old, text)) for text in texts(draw, 8, 20))
        for text in (*generated, "The 12 ab's  abab café 한국 e1\nTheAB"):
            theirs = [word for word, _ in chain.pre_tokenize_str(text)] if text else []
            ours = _core.split(native, text)
            names = [name_of(word) if found.unit == "byte" else word.decode() for word in ours]
            assert names == theirs, (document.value, text)
            assert ours == [text.encode()[start:stop] for start, stop, _ in split.byte_spans(text)]
    return taken


def test_sequences_split_as_the_package_does() -> None:
    assert check_chains(1, 60) > 35


@pytest.mark.soak
def test_many_sequences_split_as_the_package_does() -> None:
    assert check_chains(2, 6_000) > 3_600
