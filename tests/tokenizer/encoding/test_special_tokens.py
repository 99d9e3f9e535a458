"""Which special tokens a text may hold: what tiktoken makes of it, in results and refusals."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from tracemalloc import get_traced_memory, start, stop
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.errors import SpecialTokenError
from bpe_transformer.tokenizer.encoding.special_tokens import _hidden, overlapping

tiktoken = pytest.importorskip("tiktoken")

SPECIALS = ["<s>", "</s>", "s>x", "<|end|>", "end", "|>!", "é>"]  # contained in each other and overlapping
SOME = st.sets(st.sampled_from(SPECIALS), max_size=3)
OTHERS = st.sets(st.sampled_from([*SPECIALS, "low", " ", "<"]), max_size=2)


@pytest.fixture(scope="module")
def with_tiktoken() -> tuple[Tokenizer, object]:
    tok = learn_bpe(PretokenCounts.from_iterator(["low low end <s end"], "gpt2"), 300, special_tokens=SPECIALS)
    return tok, tok.as_tiktoken()


@given(
    st.lists(st.sampled_from([*SPECIALS, "x", "low", " ", "<", "|", ">", "!"]), max_size=6).map("".join),
    st.none() | st.just("all") | SOME | SOME.map(lambda names: names | {"<none>"}),
    st.none() | st.just("all") | st.just(()) | SOME | OTHERS.map(tuple),
)
@settings(max_examples=300, deadline=None)
@example("<s>x", {"<s>"}, None)
@example("<|end|>!", {"<|end|>"}, ("end",))
@example("<|end|>!", "all", ("|>!",))
def test_special_tokens_are_those_of_tiktoken(
    with_tiktoken: tuple[Tokenizer, Any], text: str, allowed: object, disallowed: object
) -> None:
    tok, theirs = with_tiktoken
    options: dict[str, Any] = {"allowed_special": allowed, "disallowed_special": disallowed}
    options = {name: value for name, value in options.items() if value is not None}
    try:
        expected = theirs.encode(text, **options)
    except ValueError:
        for encode in (tok.encode, tok.count, tok.encode_offsets):
            with pytest.raises(ValueError, match="which is not allowed"):
                encode(text, **options)
        for encode_batch in (tok.encode_batch, tok.count_batch, tok.encode_offsets_batch):
            with pytest.raises(ValueError, match="text 1 holds .* which is not allowed"):
                encode_batch(["", text], **options)
        return
    assert tok.encode(text, **options) == expected
    assert tok.count(text, **options) == len(expected)
    assert tok.encode_batch([text, text], **options).tolist() == [expected] * 2
    assert tok.count_batch([text, text], **options).tolist() == [len(expected)] * 2


def test_what_is_always_looked_for_hides_nothing_disallowed(mixed: Tokenizer) -> None:
    model = replace(mixed.model, tokens=(*mixed.model.tokens, b"<<s"), added_tokens={"<<s": 402})
    tok = Tokenizer(model)
    assert tok.encode("<<s") == [402]
    with pytest.raises(SpecialTokenError, match="holds '<s>', which is not allowed"):
        tok.encode("<<s>")
    assert tok.encode_ordinary("<<s>") == [402, ord(">")]


def test_many_threads_with_policies_of_their_own(mixed: Tokenizer) -> None:
    expected = mixed.encode("low lower")

    def encode(number: int) -> bool:
        return mixed.encode("low lower", disallowed_special={f"nowhere {number % 97}"}) == expected

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(encode, range(4000)))


@given(st.lists(st.text("ab<", min_size=1, max_size=6)), st.lists(st.text("ab<", min_size=1, max_size=6)))
def test_tokens_that_can_overlap_others(some: list[str], others: list[str]) -> None:
    def overlaps(one: str, other: str) -> bool:
        """Whether the two stand in some text with a character in common."""
        offsets = range(1 - len(other), len(one))
        return any(
            all(
                (0 <= i - at < len(other) and other[i - at] == one[i]) or not 0 <= i - at < len(other)
                for i in range(len(one))
            )
            for at in offsets
        )

    assert overlapping(some, others) == {one for one in some if any(overlaps(one, other) for other in others)}


def test_a_long_added_token_costs_no_memory_for_each_of_its_ends() -> None:
    taken = ["s" * 20_000 + "<"]
    start()
    try:
        assert _hidden(["<s>", "</s>", "x"], taken) == {"<s>", "</s>"}
        assert get_traced_memory()[1] < 1 << 20
    finally:
        stop()


@given(st.lists(st.text("ab<", min_size=1, max_size=4)), st.lists(st.text("ab<", min_size=1, max_size=9)))
def test_names_that_begin_inside_a_taken_token_are_hidden(names: list[str], taken: list[str]) -> None:
    def begins_inside(name: str, token: str) -> bool:
        ends = (token[at:] for at in range(1, len(token)))
        return any(end.startswith(name) or name.startswith(end) for end in ends)

    wanted = {
        name
        for name in names
        if any(begins_inside(name, token) or (name in token and name != token) for token in taken)
    }
    assert _hidden(names, taken) == wanted
