"""Spans: where each token stands in the text, in bytes and in characters."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.errors import SpecialTokenError
from bpe_transformer.inspection import tokenize_text

TINY = learn_bpe(PretokenCounts.from_iterator(["세 마리, 세 마리", "the three the"]), vocab_size=275)


def places(text: object) -> list[tuple[bytes, int, int, int, int]]:
    spans = text.spans  # type: ignore[attr-defined]
    return [(span.source, span.byte_start, span.byte_end, span.char_start, span.char_end) for span in spans]


def test_characters_by_hand(low_lower: Tokenizer) -> None:
    text = tokenize_text(low_lower, "lowest")
    assert places(text) == [(b"low", 0, 3, 0, 3), (b"est", 3, 6, 3, 6)]
    assert [(span.id, span.rank, span.kind) for span in text.spans] == [(14, 3, "merged"), (12, 1, "merged")]
    assert (text.bytes_per_token, text.num_unknown) == (3.0, 0)


def test_unknown_characters_keep_their_place(low_lower: Tokenizer) -> None:
    text = tokenize_text(low_lower, "d한t")
    assert places(text) == [(b"d", 0, 1, 0, 1), ("한".encode(), 1, 4, 1, 2), (b"t", 4, 5, 2, 3)]
    assert [span.kind for span in text.spans] == ["base", "unknown", "base"]
    assert text.spans[1].token == b"<unk>"


def test_parts_of_a_character_share_its_place() -> None:
    bytes_only = learn_bpe(PretokenCounts.from_words({"x": 1}), vocab_size=256)
    text = tokenize_text(bytes_only, "a한")
    assert places(text) == [
        (b"a", 0, 1, 0, 1),
        (b"\xed", 1, 2, 1, 2),
        (b"\x95", 2, 3, 1, 2),
        (b"\x9c", 3, 4, 1, 2),
    ]


def test_dropped_space_belongs_to_no_token(marked: Tokenizer) -> None:
    text = tokenize_text(marked, "  low  newest ")
    assert places(text) == [(b"low", 2, 5, 2, 5), (b"newest", 7, 13, 7, 13)]
    assert [span.token for span in text.spans] == [b"low</w>", b"newest</w>"]


def test_special_tokens_as_special_and_as_text(korean: Tokenizer) -> None:
    with pytest.raises(SpecialTokenError):
        tokenize_text(korean, "<s>책")
    allowed = tokenize_text(korean, "<s>책", allowed_special={"<s>"})
    assert (allowed.spans[0].kind, allowed.spans[0].id, allowed.spans[0].source) == ("special", 257, b"<s>")
    plain = tokenize_text(korean, "<s>책", disallowed_special=())
    assert "special" not in {span.kind for span in plain.spans}


@given(st.text())
@settings(deadline=None)
def test_spans_cover_the_text_in_order(text: str) -> None:
    shown = tokenize_text(TINY, text)
    raw = text.encode()
    assert b"".join(span.source for span in shown.spans) == raw
    assert shown.ids == TINY.encode(text)
    at = 0
    for span in shown.spans:
        assert (span.byte_start, raw[span.byte_start : span.byte_end]) == (at, span.source)
        at = span.byte_end
        # the characters named are exactly those that the bytes touch
        before, inside = text[: span.char_start].encode(), text[: span.char_end].encode()
        last = text[span.char_end - 1].encode()
        assert len(before) <= span.byte_start < span.byte_end <= len(inside)
        assert span.byte_start < len(before) + len(text[span.char_start].encode())
        assert span.byte_end > len(inside) - len(last)


def test_json(korean: Tokenizer) -> None:
    facts = json.loads(json.dumps(tokenize_text(korean, "책 x").as_dict()))
    assert (facts["num_chars"], facts["num_bytes"], facts["num_tokens"]) == (3, 5, len(facts["spans"]))
    expected = {
        "id",
        "token",
        "source",
        "byte_start",
        "byte_end",
        "char_start",
        "char_end",
        "rank",
        "kind",
        "merge_count",
    }
    assert all(span.keys() == expected for span in facts["spans"])


def test_empty_text(korean: Tokenizer) -> None:
    text = tokenize_text(korean, "")
    assert (text.spans, text.bytes_per_token) == ((), 0.0)
