"""Patterns that would take for ever end with an error that names them; all others match as the `regex` package does."""

from __future__ import annotations

import time

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from bpe_transformer import PretokenCounts, Pretokenizer, learn_bpe
from bpe_transformer.errors import PatternError
from bpe_transformer.tokenizer.splitting import time_limit
from bpe_transformer.tokenizer.splitting.patterns import CLIP_WORDS, PATTERNS
from bpe_transformer.tokenizer.splitting.time_limit import find_matches, is_simple

HANGS = "a" * 60 + "b"
ENDLESS = "(a|aa)+(?=[cd][cd])"  # which the core cannot compile


@pytest.fixture
def short_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_limit, "SECONDS", 0.1)


@pytest.mark.usefixtures("short_limit")
@pytest.mark.parametrize("split", [Pretokenizer(ENDLESS), Pretokenizer(protected=(ENDLESS,))])
def test_a_pattern_without_end_is_refused(split: Pretokenizer) -> None:
    with pytest.raises(
        PatternError, match=r"\(a\|aa\)\+\(.* takes more than 0 s .* from character 0 on, in a text of 61; write"
    ):
        PretokenCounts.from_iterator([HANGS], pattern=split)
    tokenizer = learn_bpe(PretokenCounts.from_iterator(["aab"], pattern=split), 258)
    with pytest.raises(PatternError, match=r"\(a\|aa\)"):
        tokenizer.encode(HANGS)
    with pytest.raises(PatternError, match=r"\(a\|aa\)"):
        tokenizer.encode_batch(["aab", HANGS])


def test_a_compiled_pattern_takes_no_longer_in_any_text() -> None:
    assert PretokenCounts.from_iterator([HANGS], pattern=Pretokenizer("(a|aa)+$")).total == 1


@pytest.mark.usefixtures("short_limit")
def test_a_normalisation_without_end_is_refused() -> None:
    split = Pretokenizer("gpt2", rewriting=(("replace", ENDLESS, "x"),))
    with pytest.raises(PatternError, match=r"\(a\|aa\)"):
        split.normalize(HANGS)


@pytest.mark.usefixtures("short_limit")
def test_time_spent_elsewhere_does_not_count() -> None:
    pattern, text = regex.compile("(?:a)+"), "ab" * 40
    seen = []
    for match in find_matches(pattern, text):
        seen.append(match.span())
        until = time.thread_time() + 0.01
        while time.thread_time() < until:
            pass
    assert seen == [match.span() for match in pattern.finditer(text)]


@given(st.text("ab 1\n"), st.sampled_from(["(?:a|b)+", "a*", "(a|aa)+$", "(?=b)", r"\b", "(?<=a)b*", CLIP_WORDS]))
def test_matches_are_those_of_the_package(text: str, expression: str) -> None:
    pattern = regex.compile(expression)
    text = text[:12]
    assert [m.span() for m in find_matches(pattern, text)] == [m.span() for m in pattern.finditer(text)]


def test_usual_patterns_need_no_limit_in_short_texts() -> None:
    named = {name for name, expression in PATTERNS.items() if not is_simple(expression)}
    assert named <= {"o200k", "superword"}
    assert is_simple(CLIP_WORDS)
    for expression in ("(a+)+", "(?:a|aa){2,}b", r"\w*\w*\w*x", r"(a)\1", "(?R)?"):
        assert not is_simple(expression), expression
