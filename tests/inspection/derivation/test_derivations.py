"""Derivations: worked by hand on `low-lower`, and replayed from what they say until they give the encoder's ids."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.errors import DecodingError, EncodingError, SpecialTokenError
from bpe_transformer.inspection import derive_text, derive_token
from bpe_transformer.inspection.derivation.token_lookup import find_token, similar_tokens
from bpe_transformer.tokenizer.splitting.pretokenizer import Pretokenizer
from bpe_transformer.tokenizer.vocabulary.model import BpeModel

WORDS = {"low": 5, "lower": 2, "newest": 6, "widest": 3}
TEXTS = ["세 마리 고양이가 책을 읽었다.", "three cats read books; aaaa aaa aaaaab", "<s>newest</s> lower"]
KINDS = ["bytes", "characters", "marked"]


@cache
def learned(kind: str) -> Tokenizer:
    if kind == "bytes":
        return learn_bpe(PretokenCounts.from_iterator(TEXTS), 320, special_tokens=["<s>", "</s>"])
    counts = PretokenCounts.from_iterator(TEXTS, "whitespace")
    mark = "</w>" if kind == "marked" else None
    return learn_bpe(counts, 90, unit="char", unk_token="<unk>", end_of_word=mark)


def imported(
    merges: list[tuple[str, str]], alphabet: str = "abcd", specials: tuple[str, ...] = (), **facts: Any
) -> Tokenizer:
    """A vocabulary as others may write it: merges in any order, tokens made in several ways."""
    tokens = list(alphabet)
    for left, right in merges:
        if left + right not in tokens:
            tokens.append(left + right)
    tokens += specials
    id_of = {token: id for id, token in enumerate(tokens)}
    columns = np.array([(id_of[a], id_of[b], id_of[a + b]) for a, b in merges], np.uint32).reshape(-1, 3).T
    model = BpeModel(
        unit="char",
        pretokenizer=Pretokenizer("whitespace"),
        tokens=tuple(token.encode() for token in tokens),
        left=columns[0].copy(),
        right=columns[1].copy(),
        merged_ids=columns[2].copy(),
        special_tokens={name: id_of[name] for name in specials},
        **facts,
    )
    return Tokenizer(model)


def replayed(facts: dict[str, Any]) -> list[int]:
    """The ids that the merges of a text's JSON give, fired as it says. Knows nothing of the tokenizer."""
    ids: list[int] = []
    for piece in facts["pieces"]:
        if piece["kind"] != "merged":
            ids += piece["ids"]
            continue
        spans = {place: (place + 1, id) for place, id in enumerate(piece["base_ids"])}
        for firing in piece["firings"]:
            middle, left = spans[firing["start"]]
            end, right = spans.pop(firing["middle"])
            assert (middle, end, [left, right]) == (firing["middle"], firing["end"], firing["ids"])
            spans[firing["start"]] = (end, firing["new_id"])
        ids += [spans[place][1] for place in sorted(spans)]
    return ids


def holds(tokenizer: Tokenizer, text: str) -> None:
    facts = json.loads(json.dumps(derive_text(tokenizer, text, disallowed_special=()).as_dict()))
    assert replayed(facts) == facts["ids"] == tokenizer.encode_ordinary(text)
    rank_of: dict[tuple[int, int], int] = {}
    for rank, pair in enumerate(tokenizer.merges):
        rank_of.setdefault(pair, rank)
    for piece in facts["pieces"]:
        for firing in piece["firings"]:
            assert rank_of[tuple(firing["ids"])] == firing["rank"]
            assert int(tokenizer.model.merged_ids[firing["rank"]]) == firing["new_id"]
    assert [border["ids"] for border in facts["borders"]] == [list(pair) for pair in pairwise(facts["ids"])]
    for border in facts["borders"]:
        if border["cause"] in ("no merge", "taken"):
            assert tuple(border["ids"]) not in rank_of
        assert (border["cause"] == "taken") == bool(border["missed"])
        for missed in border["missed"]:
            taker = missed["taken_by"]
            assert rank_of[tuple(missed["ids"])] == missed["rank"]
            side = missed["taken"] == "right"
            assert taker["ids"][not side] == missed["ids"][side]
            assert missed["rank"] >= taker["rank"] or not missed["met"]


@pytest.mark.parametrize("kind", KINDS)
@given(text=st.text(st.sampled_from("세마리 고양threcatsdbook;.newlo<>/ü"), min_size=1, max_size=40))
@settings(deadline=None, max_examples=40)
def test_replay_gives_the_encoders_ids(kind: str, text: str) -> None:
    holds(learned(kind), text)


PAIRS = st.lists(st.tuples(st.text("abc", min_size=1, max_size=3), st.text("abc", min_size=1, max_size=3)), max_size=14)


@given(
    merges=PAIRS, words=st.lists(st.text("abcd", min_size=1, max_size=9), min_size=1, max_size=4), whole=st.booleans()
)
@settings(deadline=None, max_examples=120)
def test_replay_holds_for_merges_in_any_order(merges: list[tuple[str, str]], words: list[str], whole: bool) -> None:
    usable = merges
    while bad := [merge for merge in usable if not set(merge) <= {*"abcd", *(left + right for left, right in usable)}]:
        usable = [merge for merge in usable if merge not in bad]
    tokenizer = imported(usable, ignore_merges=whole)
    holds(tokenizer, " ".join(words).replace(" ", "d"))
    for id in range(tokenizer.vocab_size):
        why = derive_token(tokenizer, id)
        if why.tree is not None:
            assert b"".join(leaf.token for leaf in why.tree.leaves()) == why.token


@pytest.mark.parametrize("kind", KINDS)
def test_smallest_vocabulary_is_the_smallest(kind: str) -> None:
    """Every learned token: in the vocabulary named it is one token, in the next smaller one it is not."""
    tokenizer = learned(kind)
    for rank in range(len(tokenizer.merges)):
        why = derive_token(tokenizer, int(tokenizer.model.merged_ids[rank]))
        assert why.smallest is not None
        assert (why.reached, why.smallest.merges, why.tree is not None) == (True, rank + 1, True)
        assert why.smallest.vocab_size == tokenizer.first_merge_id + rank + 1
    for text in (" cats", "고양이가", "read", "aaaaab"):
        in_text = derive_text(tokenizer, text)
        if in_text.smallest is None:
            assert len(tokenizer.encode(text)) > 1
            continue
        assert in_text.smallest.vocab_size is not None
        assert len(tokenizer.truncate(in_text.smallest.vocab_size).encode(text)) == 1
        assert len(tokenizer.truncate(in_text.smallest.vocab_size - 1).encode(text)) > 1


def test_newest_by_hand(low_lower: Tokenizer) -> None:
    why = derive_token(low_lower, low_lower.id_of("newest"))
    assert why.tree is not None
    assert (why.kind, why.makers, why.reached) == ("merged", (6,), True)
    new, est = why.tree.left, why.tree.right
    assert new is not None
    assert est is not None
    assert [(node.token, node.rank, node.count) for node in (why.tree, new, est)] == [
        (b"newest", 6, 6),
        (b"new", 5, 6),
        (b"est", 1, 9),
    ]
    assert why.smallest is not None
    # 10 letters, <unk>, and the merges of rank 0 to 6
    assert (why.smallest.merges, why.smallest.vocab_size, why.num_uses) == (7, 18, 0)


def test_uses_of_a_token(low_lower: Tokenizer) -> None:
    why = derive_token(low_lower, low_lower.id_of("est"))
    assert [(use.rank, use.token) for use in why.uses] == [(6, b"newest"), (7, b"dest")]


def test_lowest_by_hand(low_lower: Tokenizer) -> None:
    why = derive_text(low_lower, "lowest")
    (pretoken,) = why.pretokens
    assert [(f.rank, f.count, f.tokens, f.start, f.middle, f.end) for f in pretoken.firings] == [
        (0, 9, (b"e", b"s"), 3, 4, 5),
        (1, 9, (b"es", b"t"), 3, 5, 6),
        (2, 7, (b"l", b"o"), 0, 1, 2),
        (3, 7, (b"lo", b"w"), 0, 2, 3),
    ]
    (boundary,) = why.boundaries
    assert (boundary.tokens, boundary.cause, boundary.missed) == ((b"low", b"est"), "no merge", ())
    assert why.smallest is None


def test_merge_that_came_too_late(low_lower: Tokenizer) -> None:
    """l o w i d e s t: low (3) takes the w that w idest (9) is waiting for."""
    (boundary,) = derive_text(low_lower, "lowidest").boundaries
    assert (boundary.tokens, boundary.cause) == ((b"low", b"idest"), "taken")
    (missed,) = boundary.missed
    assert (missed.tokens, missed.rank, missed.met) == ((b"w", b"idest"), 9, False)
    assert (missed.taken_by.rank, missed.taken_by.tokens) == (3, (b"lo", b"w"))


def test_merge_that_was_next_to_come() -> None:
    """b c has a merge (1), and stood side by side until a b (0) took the b."""
    (boundary,) = derive_text(imported([("a", "b"), ("b", "c")]), "abc").boundaries
    (missed,) = boundary.missed
    assert (boundary.tokens, boundary.cause) == ((b"ab", b"c"), "taken")
    assert (missed.tokens, missed.rank, missed.met, missed.taken_by.rank) == ((b"b", b"c"), 1, True, 0)


def test_merge_that_does_not_exist(low_lower: Tokenizer) -> None:
    """n e w e r: e w (4), n ew (5), e r (10); neither w e, nor ew e, new e or new er was ever merged."""
    (boundary,) = derive_text(low_lower, "newer").boundaries
    assert (boundary.tokens, boundary.cause, boundary.missed) == ((b"new", b"er"), "no merge", ())


def test_borders_of_pretokens_and_special_tokens(korean: Tokenizer) -> None:
    why = derive_text(korean, "<s>세 마리", allowed_special={"<s>"})
    assert [pretoken.kind for pretoken in why.pretokens] == ["special", "merged", "merged"]
    assert why.boundaries[0].cause == "special"
    assert why.boundaries[len(why.pretokens[1].ids)].cause == "split"
    with pytest.raises(SpecialTokenError):
        derive_text(korean, "<s>세")


def test_whole_pretokens() -> None:
    """With `ignore_merges` a pre-token that is a token is taken as it is, here one that merges would not reach."""
    merges = [("a", "b"), ("b", "c"), ("a", "bc")]
    assert derive_text(imported(merges), "abc").ids == [4, 2]  # ab takes the b that bc needs
    whole = imported(merges, ignore_merges=True)
    why = derive_text(whole, "abc")
    assert ([pretoken.kind for pretoken in why.pretokens], why.ids) == (["whole"], [6])
    assert why.smallest is not None
    assert why.smallest.merges == 3
    token = derive_token(whole, 6)
    assert (token.kind, token.reached, token.ends_in) == ("merged", False, (b"ab", b"c"))
    assert token.tree is not None
    assert token.tree.right is not None
    assert token.tree.right.token == b"bc"


VARIANTS: list[dict[str, Any]] = [
    {"prefix_space": "always", "space_mark": "▁"},
    {"prefix_space": "first", "space_mark": "▁", "fuse_unk": True},
    {"byte_fallback": True, "unk_token": None},
    {"pretokenizer": Pretokenizer("metaspace", "NFKC"), "space_mark": "▁"},
    {"pretokenizer": Pretokenizer("whitespace", None, ("ab+c",))},
    {"pretokenizer": Pretokenizer("[abc]+|.")},
    {"ignore_merges": True, "prefix_space": "always"},
]


@pytest.mark.parametrize("facts", VARIANTS, ids=lambda facts: " ".join(facts))
@given(text=st.text(st.sampled_from("aabbc ▁ d<x>ﬁ한é"), min_size=1, max_size=16))
@settings(deadline=None, max_examples=25)
def test_replay_holds_for_what_other_vocabularies_do(facts: dict[str, Any], text: str) -> None:
    holds(variant(**facts), text)


def variant(**facts: Any) -> Tokenizer:
    """a b c and a space or its mark, a few merges, <unk>, and the added token <x>."""
    space = facts.get("space_mark") or " "
    fallback = [f"<0x{byte:02X}>" for byte in range(256)] if facts.get("byte_fallback") else []
    alphabet = [*fallback, *"abc", space]
    merges = [("a", "b"), (space, "a"), ("ab", "c"), ("a", "a"), (space + "a", "b"), ("b", "c")]
    made = [left + right for left, right in merges]
    tokens = [*alphabet, *made, "<unk>", "<x>"]
    id_of = {token: id for id, token in enumerate(tokens)}
    columns = np.array([(id_of[a], id_of[b], id_of[a + b]) for a, b in merges], np.uint32).T
    plain: dict[str, Any] = {"pretokenizer": Pretokenizer("none"), "unk_token": "<unk>"}
    model = BpeModel(
        unit="char",
        tokens=tuple(token.encode() for token in tokens),
        left=columns[0].copy(),
        right=columns[1].copy(),
        merged_ids=columns[2].copy(),
        special_tokens={"<unk>": id_of["<unk>"]},
        added_tokens={"<x>": id_of["<x>"]},
        **(plain | facts),
    )
    return Tokenizer(model)


def test_token_that_no_merge_makes() -> None:
    lonely = imported([("a", "b")], specials=("xyz",))
    model = replace(lonely.model, special_tokens={}, ignore_merges=True)
    why = derive_token(Tokenizer(model), lonely.id_of("xyz"))
    assert (why.kind, why.tree, why.smallest) == ("whole", None, None)


def test_several_merges_make_one_token() -> None:
    """As in vocabularies converted from SentencePiece; ids out of the order of merges leave no truncation."""
    tokenizer = imported([("b", "c"), ("a", "b"), ("ab", "c"), ("a", "bc")], specials=("<x>",))
    why = derive_token(tokenizer, tokenizer.id_of("abc"))
    assert (why.makers, why.reached) == ((2, 3), True)
    assert why.tree is not None
    assert (why.tree.rank, why.smallest is not None and why.smallest.vocab_size) == (3, 8)
    shuffled = imported([("a", "b"), ("b", "c"), ("a", "b"), ("ab", "c")])
    found = derive_text(shuffled, "abc").smallest
    assert found is not None
    assert (found.merges, found.vocab_size) == (4, None)


def test_without_a_trace(low_lower: Tokenizer) -> None:
    why = derive_token(Tokenizer(low_lower.model), low_lower.id_of("es"))
    assert why.tree is not None
    assert (why.has_trace, why.tree.rank, why.tree.count) == (False, 0, None)


def test_what_cannot_be_explained(low_lower: Tokenizer) -> None:
    with pytest.raises(EncodingError, match="the text is empty"):
        derive_text(low_lower, "")
    with pytest.raises(DecodingError, match="id 23 is out of range"):
        derive_token(low_lower, 23)


def test_tokens_are_found_as_they_are_shown(korean: Tokenizer) -> None:
    assert find_token(korean, "·읽었다") == find_token(korean, " 읽었다") == korean.id_of(" 읽었다")
    assert find_token(korean, "·") == korean.id_of(" ")
    assert find_token(korean, "⟨ec⟩") == korean.id_of(b"\xec")
    assert find_token(korean, "</s>") == korean.id_of("</s>")


def test_near_tokens(low_lower: Tokenizer, marked: Tokenizer) -> None:
    assert similar_tokens(low_lower, "newst")[0] == b"newest"
    assert similar_tokens(low_lower, "LOW")[0] == b"low"
    assert b"newest</w>" in similar_tokens(marked, "newest")
    with pytest.raises(EncodingError, match=r"'newst' is not a token of this vocabulary; near it: newest .*text=…"):
        find_token(low_lower, "newst")
    with pytest.raises(EncodingError, match="the token is empty"):
        find_token(low_lower, "")
