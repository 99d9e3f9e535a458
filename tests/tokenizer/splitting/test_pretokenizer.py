"""How text becomes pre-tokens, and what a vocabulary may say beyond its merges, by examples worked by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.errors import EncodingError, LearningError, PatternError
from bpe_transformer.tokenizer.splitting.pretokenizer import Pretokenizer
from bpe_transformer.tokenizer.vocabulary.model import BpeModel, fallback_token

GLOSSARY = Pretokenizer("gpt2", protected=(r"C\+\+", r"\w+-\d+"))


def test_a_protected_match_is_one_pretoken() -> None:
    assert list(GLOSSARY.split("see C++11, ab-12!")) == ["see", " ", "C++", "11", ",", " ", "ab-12", "!"]


def test_the_first_expression_wins_where_two_begin() -> None:
    assert list(Pretokenizer("gpt2", protected=("ab", "abc")).split("xabcx")) == ["x", "ab", "cx"]


@settings(max_examples=50, deadline=None)
@given(st.text(alphabet="aC+-1 \né́"))
def test_pretokens_add_up(text: str) -> None:
    assert "".join(GLOSSARY.split(text)) == text


def test_counts_and_encoding_agree_on_normalised_and_protected_text() -> None:
    split = Pretokenizer("gpt2", "NFC", ("e\u0301",))  # cannot match: it is composed before
    counts = PretokenCounts.from_iterator(["caf\u0065\u0301 x"], split)
    assert dict(counts.items()) == {"café".encode(): 1, b" x": 1}
    tok = learn_bpe(
        PretokenCounts.from_iterator(["caf\u0065\u0301 C++"] * 3, replace(split, protected=(r"C\+\+",))), 300
    )
    assert tok.encode("cafe\u0301") == tok.encode("café") == [tok.id_of("café")]
    assert [tok.token_bytes(id) for id in tok.encode("C++C++")] == [b"C++", b"C++"]
    assert tok.encode_batch(["cafe\u0301"]).tolist() == [tok.encode("café")]


def test_special_tokens_are_found_before_normalisation() -> None:
    counts = PretokenCounts.from_words({"end": 1}, Pretokenizer("gpt2", "NFKC"))
    tok = learn_bpe(counts, 300, special_tokens=["<｜end｜>"])
    assert tok.encode("a<｜end｜>", allowed_special="all") == [ord("a"), tok.special_tokens["<｜end｜>"]]


def test_an_error_names_the_byte_behind_protected_spans() -> None:
    counts = PretokenCounts.from_words({"ab C++": 1}, Pretokenizer("gpt2", protected=(r"C\+\+",)))
    with pytest.raises(EncodingError, match="byte 6"):
        learn_bpe(counts, 10, unit="char").encode("ab C++é")


def test_unlike_counts_do_not_add_up() -> None:
    one = PretokenCounts.from_words({"a": 1}, "gpt2")
    with pytest.raises(LearningError, match="'gpt2' and 'gpt2, NFC' do not add up"):
        one + PretokenCounts.from_words({"a": 1}, Pretokenizer("gpt2", "NFC"))


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"normalization": "NFX"}, "normalization='NFX' is unknown"),
        ({"protected": ("a*",)}, "matches the empty text"),
        ({"protected": ("(",)}, "does not compile"),
        ({"pattern": "gpt9"}, "not a known name"),
    ],
)
def test_wrong_facts_are_refused(facts: dict[str, Any], message: str) -> None:
    with pytest.raises(PatternError, match=message):
        Pretokenizer(**facts)


def test_facts_come_back() -> None:
    assert Pretokenizer.from_facts(GLOSSARY.facts()) == GLOSSARY


# --- what a vocabulary may say beyond its merges -------------------------------------------------------------------------


def model(tokens: Sequence[bytes], merges: Sequence[tuple[int, int, int]] = (), **facts: Any) -> Tokenizer:
    left, right, made = (np.array(column, np.uint32) for column in (zip(*merges, strict=True) if merges else ((),) * 3))
    facts = {"unit": "char", "pretokenizer": Pretokenizer("none"), "special_tokens": {}, **facts}
    return Tokenizer(BpeModel(tokens=tuple(tokens), left=left, right=right, merged_ids=made, **facts))


def test_byte_fallback() -> None:
    tok = model([*map(fallback_token, range(256)), b"a", b"b", b"ab"], [(256, 257, 258)], byte_fallback=True)
    assert tok.encode("abé<0x41>") == [258, 0xC3, 0xA9, *b"<0x41>"]
    assert tok.decode(tok.encode("abé 漢")) == "abé 漢"
    assert tok.encode(b"a\xff") == [256, 255]
    assert tok.decode_bytes([256, 255]) == b"a\xff"


def test_neighbouring_unknowns_fuse_if_asked() -> None:
    facts: dict[str, Any] = {"special_tokens": {"<unk>": 0}, "unk_token": "<unk>"}
    assert model([b"<unk>", b"a"], **facts).encode("xya") == [0, 0, 1]
    assert model([b"<unk>", b"a"], fuse_unk=True, **facts).encode("xyaz") == [0, 1, 0]


def test_a_whole_pretoken_takes_its_id_if_merges_are_ignored() -> None:
    tokens = [*(bytes([byte]) for byte in range(256)), b"ab", b"abc"]
    facts: dict[str, Any] = {"unit": "byte", "pretokenizer": Pretokenizer("whitespace")}
    assert model(tokens, [(97, 98, 256)], **facts).encode("abc abc") == [256, 99, 32, 256, 99]
    assert model(tokens, [(97, 98, 256)], ignore_merges=True, **facts).encode("abc abc") == [257, 32, 256, 99]


def test_the_space_mark_stands_for_a_space() -> None:
    tok = model(
        ["▁".encode(), b"a", "▁a".encode()], [(0, 1, 2)], space_mark="▁", pretokenizer=Pretokenizer("metaspace")
    )
    assert tok.encode("a a▁a") == [1, 2, 2]
    assert tok.decode([1, 2, 0, 2]) == "a a  a"


def test_added_tokens_are_always_found() -> None:
    tok = model([b"a", b"b", b"ab"], added_tokens={"ab": 2})
    assert tok.encode("aabb") == tok.encode_ordinary("aabb") == [0, 2, 1]
    assert tok.decode([0, 2, 1]) == "aabb"


def test_every_fact_is_in_the_digest() -> None:
    plain = model([b"a", b"b", "▁".encode(), b"<unk>"], special_tokens={"<unk>": 3}, unk_token="<unk>").model
    others = [
        replace(plain, **change)
        for change in (
            {"fuse_unk": True},
            {"ignore_merges": True},
            {"space_mark": "▁"},
            {"prefix_space": "first"},
            {"bos_token": "<unk>"},
            {"eos_token": "<unk>"},
            {"added_tokens": {"b": 1}},
            {"pretokenizer": Pretokenizer("none", "NFC")},
            {"pretokenizer": Pretokenizer("none", protected=("a",))},
        )
    ]
    assert len({m.digest for m in (plain, *others)}) == len(others) + 1
