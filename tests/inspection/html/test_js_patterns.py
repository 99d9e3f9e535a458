"""Split patterns in the browser: equal to the `regex` package on generated expressions, and refused where they cannot be."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import Page

from bpe_transformer.errors import PatternError
from bpe_transformer.inspection.html.js_patterns import FIRST_LETTER, translate
from bpe_transformer.tokenizer.splitting import patterns

_ATOMS = [
    "a",
    "b",
    "K",
    "s",
    "1",
    " ",
    r"\n",
    "é",
    "한",
    "🎉",
    ".",
    r"\s",
    r"\S",
    r"\d",
    r"\w",
    r"\W",
    r"\p{L}",
    r"\P{Lu}",
    r"\pN",
]
_SETS = [
    r"[ab]",
    r"[^\s\p{L}]",
    r"[a-c\p{N}]",
    r"[^]a]",
    r"[[:punct:]é]",
    r"[\x41-\x43\u00e9]",
    r"\x61",
    r"\u00e9",
    r"\.",
    r"\-",
]
_LOOKS = [r"(?=b)", r"(?!\s)", r"(?<=a)", r"(?<!\p{L})", r"\b", r"\B", "^", "$", r"\A", r"\Z", "(?m:^)", "(?m:$)"]
_REPEATS = ["", "", "+", "*", "?", "{2}", "{1,3}", "{0,2}", "+?", "*?", "++", "*+", "?+", "{1,2}+"]


def _repeated(part: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(lambda one, times: one + times, part, st.sampled_from(_REPEATS))


def _grown(part: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    opening = st.sampled_from(["(?:", "(", "(?i:", "(?s:", "(?>", "(?P<name>"])
    group = st.builds(
        lambda o, inner, rest: f"{o}{'|'.join([inner, *rest])})", opening, part, st.lists(part, max_size=2)
    )
    return st.one_of(_repeated(group), st.lists(part, min_size=1, max_size=3).map("".join))


_PART = st.recursive(
    st.one_of(_repeated(st.sampled_from(_ATOMS + _SETS)), st.sampled_from(_LOOKS)), _grown, max_leaves=8
)
_EXPRESSION = st.lists(_PART, min_size=1, max_size=3).map("|".join)
_TEXT = st.text(st.sampled_from("aabbABkKsſ1２ \n\té한🎉.-_]\u2028\u0301"), max_size=12)


def _splits(engine: Page, expression: str, texts: list[str]) -> list[list[str]]:
    found = translate(expression)
    pattern: dict[str, Any] = {
        "source": found.source,
        "starts": found.starts.tolist(),
        "kinds": found.kinds.tolist(),
        "space": list(found.space),
        "word": list(found.word),
        "first_letter": FIRST_LETTER,
    }
    splits: list[list[str]] = engine.evaluate(
        """([pattern, texts]) => {
          const splitter = new bpe.Splitter(JSON.parse(pattern));
          return texts.map((text) => { const pieces = []; splitter.each(text, (piece) => pieces.push(piece)); return pieces; });
        }""",
        [json.dumps(pattern), texts],
    )
    return splits


@settings(max_examples=150, deadline=None)
@given(expression=_EXPRESSION, texts=st.lists(_TEXT, min_size=1, max_size=12))
def test_generated_expressions_split_alike(engine: Page, expression: str, texts: list[str]) -> None:
    try:
        regex.compile(expression)
        patterns.compiled(expression)
    except (regex.error, PatternError):
        return
    try:
        translate(expression)
    except PatternError:
        return  # what may be refused is told below
    assert _splits(engine, expression, texts) == [list(patterns.split(expression, text)) for text in texts]


@pytest.mark.parametrize("name", patterns.PATTERNS)
def test_named_patterns_are_translated(name: str) -> None:
    assert translate(patterns.expression(name)).source


def test_kinds_cover_every_character() -> None:
    """`[ab]|\\d` sees three kinds of characters, but white space and word characters are told apart as well."""
    found = translate(r"[ab]|\d")
    assert found.starts[0] == 0
    assert (np.diff(found.starts.astype(int)) > 0).all()
    kind = lambda char: found.kinds[np.searchsorted(found.starts, ord(char), side="right") - 1]  # noqa: E731
    assert kind("a") == kind("b") != kind("c")
    assert kind("1") == kind("٣") != kind("½")
    assert kind(" ") in found.space
    assert kind("c") == kind("한") in found.word


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        (r"(a)\1", r"\\1"),
        (r"\X+", r"\\X"),
        (r"a*", "empty string"),
        (r"(?:a|b?)+", "may be empty is repeated"),
        (r"(?x: a b)", r"\(\?x"),
        (r"(?R)|a", r"\(\?R"),
        (r"(?<=a++)b", "look-behind has a possessive"),
        (r"(?>a(?>b))", "nested"),
        (r"a\Kb", r"\\K"),
    ],
)
def test_what_has_no_counterpart_is_named(expression: str, why: str) -> None:
    with pytest.raises(PatternError, match=f"no exact counterpart in a browser: .*{why}"):
        translate(expression)
