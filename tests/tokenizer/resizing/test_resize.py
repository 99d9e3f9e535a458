"""Smaller vocabularies from a learned one, and larger ones with ids kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe, learn_superwords
from bpe_transformer.errors import CorpusError, LearningError
from bpe_transformer.tokenizer.splitting.pretokenizer import Pretokenizer
from bpe_transformer.tokenizer.vocabulary.model import BpeModel

WORDS = {"low": 5, "lower": 2, "newest": 6, "widest": 3}
_WORDS = st.dictionaries(st.text(st.sampled_from("abc한"), min_size=1, max_size=10), st.integers(1, 6), min_size=1)


# --- truncate ----------------------------------------------------------------------------------------------------------


@given(_WORDS, st.integers(0, 40), st.sampled_from([("byte", None), ("char", None), ("char", "</w>")]))
@settings(max_examples=100, deadline=None)
def test_truncated_equals_learned_at_that_size(
    words: dict[str, int], merges: int, kind: tuple[str, str | None]
) -> None:
    counts = PretokenCounts.from_words(words)
    options = {"unit": kind[0], "end_of_word": kind[1], "special_tokens": ["<s>"]}
    large = learn_bpe(counts, 2000, **options)  # type: ignore[arg-type]
    vocab_size = min(large.first_merge_id + merges, large.vocab_size)
    small = learn_bpe(counts, vocab_size, **options)  # type: ignore[arg-type]
    truncated = large.truncate(vocab_size)
    assert truncated.digest == small.digest
    assert truncated.trace == small.trace


def test_truncated_is_saved_with_its_trace(tmp_path: Path, mixed: Tokenizer) -> None:
    mixed.truncate(300).save(tmp_path)
    loaded = Tokenizer.load(tmp_path)
    assert loaded.vocab_size == 300
    assert list(loaded.trace or ()) == mixed.trace[: 300 - mixed.first_merge_id]  # type: ignore[index]


def test_truncating_below_the_base_or_above_the_top(mixed: Tokenizer) -> None:
    assert mixed.truncate(mixed.vocab_size) is mixed
    with pytest.raises(
        LearningError, match=r"vocab_size=258 .*\(256 tokens\) .*\(3\), which all stay; ask for at least 259"
    ):
        mixed.truncate(258)
    assert mixed.truncate(259).merges == []
    with pytest.raises(LearningError, match=r"more than this vocabulary's 403; go on learning .*base=tokenizer"):
        mixed.truncate(501)


def on_top(order: list[int]) -> Tokenizer:
    """a, b, c, then tokens ab, abc, and a special token above a gap, with the merges' ids in `order`."""
    tokens = [b"a", b"b", b"c", b"", b"", b"", b"<end>"]
    tokens[order[0]], tokens[order[1]] = b"ab", b"abc"
    model = BpeModel(
        unit="char",
        pretokenizer=Pretokenizer("whitespace"),
        tokens=tuple(tokens),
        left=np.array([0, order[0]], np.uint32),
        right=np.array([1, 2], np.uint32),
        merged_ids=np.array(order, np.uint32),
        special_tokens={"<end>": 6},
    )
    return Tokenizer(model)


def test_special_tokens_on_top_follow_the_last_merge() -> None:
    small = on_top([3, 4]).truncate(5)
    assert small.special_tokens == {"<end>": 4}
    assert small.encode("abc<end>", allowed_special="all") == [3, 2, 4]
    with pytest.raises(LearningError, match="ask for at least 4"):
        small.truncate(3)


def test_ids_that_do_not_follow_the_merges_are_refused_by_name() -> None:
    with pytest.raises(LearningError, match="merge 1 makes id 3 after 4"):
        on_top([4, 3]).truncate(5)


# --- learning on from a base -------------------------------------------------------------------------------------------

_KINDS: list[dict[str, object]] = [
    {"unit": "byte"},
    {"unit": "byte", "alphabet_order": "gpt2"},
    {"unit": "char"},
    {"unit": "char", "end_of_word": "</w>", "unk_token": "<unk>"},
    {"unit": "char", "character_coverage": 0.8, "unk_token": "<unk>"},
    {"unit": "char", "character_coverage": 0.8, "byte_fallback": True},
]


@given(_WORDS, st.integers(0, 12), st.sampled_from(_KINDS), st.integers(2, 9))
@settings(max_examples=150, deadline=None)
def test_going_on_equals_learning_at_once(
    words: dict[str, int], merges: int, kind: dict[str, object], longest: int
) -> None:
    counts = PretokenCounts.from_words(words)
    options = {"special_tokens": ["<s>"], "max_token_bytes": longest, **kind}
    at_once = learn_bpe(counts, 2000, **options)  # type: ignore[arg-type]
    base = at_once.truncate(min(at_once.first_merge_id + merges, at_once.vocab_size))
    further = learn_bpe(counts, 2000, base=base, **options)  # type: ignore[arg-type]
    assert further.digest == at_once.digest
    assert further.trace is not None
    assert list(further.trace) == at_once.trace[len(base.merges) :]  # type: ignore[index]
    assert further.trace.first_rank == len(base.merges)
    assert further.truncate(base.vocab_size).digest == base.digest


def test_a_base_keeps_ids_and_takes_new_characters_and_special_tokens() -> None:
    base = learn_bpe(PretokenCounts.from_words(WORDS), 14, unit="char", special_tokens=["<s>"])
    more = learn_bpe(PretokenCounts.from_words({"lowly": 3, "yes": 2}), 20, base=base, special_tokens=["<s>", "<end>"])
    assert more.model.tokens[:14] == base.model.tokens
    assert more.merges[: len(base.merges)] == base.merges
    assert more.model.tokens[14:16] == (b"y", b"<end>")  # "y" is no character of the base
    assert more.special_tokens == {"<s>": 10, "<end>": 15}
    assert [more.token_bytes(id) for id in more.encode("lowly")] == [b"lowly"]
    assert more.trace is not None
    assert (more.trace.first_rank, more.trace.first_merge_id) == (len(base.merges), 16)
    assert more.trace[0].rank == len(base.merges)
    with pytest.raises(LearningError, match="ask for at least 16"):
        more.truncate(15)
    with pytest.raises(LearningError, match=r"the base vocabulary \(14 ids \+ 2 new .*ask for at least 16"):
        learn_bpe(PretokenCounts.from_words({"yes": 2}), 15, base=base, special_tokens=["<end>"])


def test_a_base_can_get_an_unknown_token() -> None:
    base = learn_bpe(PretokenCounts.from_words({"ab": 2}), 3, unit="char")
    with pytest.raises(LearningError, match="leaves 1 characters without a token"):
        learn_bpe(PretokenCounts.from_words({"abab": 9, "c": 1}), 5, base=base, character_coverage=0.9)
    more = learn_bpe(
        PretokenCounts.from_words({"abab": 9, "c": 1}), 5, base=base, character_coverage=0.9, unk_token="<unk>"
    )
    assert more.special_tokens == {"<unk>": 3}
    assert more.encode("ababc") == [4, 3]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"unit": "byte"}, "unit='byte', but the base vocabulary has 'char'"),
        ({"end_of_word": "</w>"}, "end_of_word='</w>', but the base vocabulary has None"),
        ({"unk_token": "<none>"}, "unk_token='<none>', but the base vocabulary has '<unk>'"),
        ({"byte_fallback": True}, "byte_fallback=True, but the base vocabulary has False"),
        ({"special_tokens": ["low"]}, r"'low' is an ordinary token of the base vocabulary \(id 14\)"),
    ],
)  # fmt: skip
def test_what_contradicts_a_base_is_refused(options: dict[str, object], message: str) -> None:
    counts = PretokenCounts.from_words(WORDS)
    base = learn_bpe(counts, 15, unit="char", unk_token="<unk>")
    with pytest.raises(LearningError, match=message):
        learn_bpe(counts, 30, base=base, **options)  # type: ignore[arg-type]
    with pytest.raises(LearningError, match="split with 'gpt2', the base vocabulary splits with 'whitespace'"):
        learn_bpe(PretokenCounts.from_words(WORDS, "gpt2"), 30, base=base)
    bytes_base = learn_bpe(counts, 300)
    with pytest.raises(LearningError, match="alphabet_order='gpt2', but the base vocabulary has another order"):
        learn_bpe(counts, 400, base=bytes_base, alphabet_order="gpt2")


# --- superwords --------------------------------------------------------------------------------------------------------

_SENTENCES = st.lists(st.text(st.sampled_from("ab  .\n1한"), max_size=25), min_size=1, max_size=5)


@given(_SENTENCES, st.integers(0, 6), st.sampled_from(["byte", "char"]))
@settings(max_examples=150, deadline=None)
def test_superwords_encode_as_they_were_learned(texts: list[str], transition: int, unit: Any) -> None:
    narrow, wide = (PretokenCounts.from_iterator(texts, pattern) for pattern in ("cl100k", "superword"))
    if len(narrow) == 0:
        return
    alone = learn_bpe(narrow, 1000, unit=unit)
    transition = min(transition, len(alone.merges))
    tok = learn_superwords(narrow, wide, 1000, transition=transition, unit=unit)
    assert tok.merges[:transition] == alone.merges[:transition]
    assert tok.pattern == "superword"
    assert tok.trace is not None
    assert len(tok.trace) == len(tok.merges)
    if tok.merges[transition:]:
        assert sum(len(tok.encode(text)) for text in texts) == tok.trace.tokens_left[-1]
    # all pairs that occur are merged, so every wide pre-token has become one token
    pieces = Pretokenizer("superword")
    assert [len(tok.encode(piece)) for text in texts for piece in pieces.split(text)].count(1) == wide.total


def test_a_superword_spans_spaces_and_is_saved(tmp_path: Path) -> None:
    texts = ["by the way", "on the way"] * 3
    narrow, wide = (PretokenCounts.from_iterator(texts, pattern) for pattern in ("cl100k", "superword"))
    tok = learn_superwords(narrow, wide, 280, transition=5)
    assert tok.encode("by the way") == [tok.id_of("by the way")]
    assert learn_bpe(narrow, 280).merges[:5] == tok.merges[:5]
    tok.save(tmp_path)
    loaded = Tokenizer.load(tmp_path)
    assert loaded.digest == tok.digest
    assert loaded.trace == tok.trace
    with pytest.raises(LearningError, match="room for 0 to 24"):
        learn_superwords(narrow, wide, 280, transition=25)
    with pytest.raises(LearningError, match="ends every word"):
        learn_superwords(narrow, wide, 280, transition=5, unit="char", end_of_word="</w>")


# --- prune -------------------------------------------------------------------------------------------------------------


@given(_WORDS, st.lists(st.text(st.sampled_from("abc한 <>s"), max_size=30), max_size=6), st.sampled_from(_KINDS))
@settings(max_examples=150, deadline=None)
def test_a_pruned_vocabulary_encodes_the_corpus_alike(
    words: dict[str, int], texts: list[str], kind: dict[str, object]
) -> None:
    options = {"special_tokens": ["<s>", "<unk>"], **kind}
    if kind["unit"] == "char":
        options["unk_token"] = "<unk>"
    tok = learn_bpe(PretokenCounts.from_words(words), 2000, **options)  # type: ignore[arg-type]
    pruned = tok.prune(texts)
    small = pruned.tokenizer
    for text in texts:
        ids = tok.encode(text, allowed_special="all")
        assert small.encode(text, allowed_special="all") == pruned.new_ids[ids].tolist()
    used = {id for text in texts for id in tok.encode(text, allowed_special="all")}
    assert pruned.corpus_tokens == sum(len(tok.encode(text, allowed_special="all")) for text in texts)
    kept = np.flatnonzero(pruned.new_ids >= 0)
    assert [tok.token_bytes(id) for id in kept.tolist()] == list(small.model.tokens)
    stay = {*tok.model.base_ids, *tok.special_tokens.values()}
    assert pruned.kept_constituents == len(set(kept.tolist()) - used - stay)
    assert pruned.dropped == tok.vocab_size - small.vocab_size
    again = small.prune(texts)
    assert again.dropped == 0
    assert again.tokenizer.digest == small.digest


def test_pruning_by_counts_and_by_texts_is_the_same(mixed: Tokenizer) -> None:
    texts = ["the lower price", "한국어 문장"]
    by_counts = mixed.prune(PretokenCounts.from_iterator(texts, mixed.pattern))
    assert by_counts.tokenizer.digest == mixed.prune(texts).tokenizer.digest
    assert by_counts.dropped > 50
    assert f"{mixed.vocab_size} ids became {by_counts.tokenizer.vocab_size}: {by_counts.dropped} dropped" in str(
        by_counts
    )
    assert by_counts.tokenizer.trace is None
    with pytest.raises(CorpusError, match="is one string"):
        mixed.prune("the lower price")


def test_pruning_keeps_what_tokens_are_made_of_and_drops_what_only_whole_words_reach() -> None:
    tokens = [bytes([byte]) for byte in range(256)] + [b"abc", b"ab", b"abcd", b"xyz"]
    model = BpeModel(
        unit="byte",
        pretokenizer=Pretokenizer("whitespace"),
        tokens=tuple(tokens),
        left=np.array([257, 97], np.uint32),  # abc = ab c stands before ab = a b, as an imported vocabulary may have it
        right=np.array([99, 98], np.uint32),
        merged_ids=np.array([256, 257], np.uint32),
        special_tokens={},
        ignore_merges=True,
    )
    tok = Tokenizer(model)
    pruned = tok.prune(["abc", "abcd"])
    assert pruned.new_ids[256:].tolist() == [256, 257, 258, -1]
    assert pruned.kept_constituents == 1
    assert pruned.tokenizer.encode("abcd abc") == tok.encode("abcd abc") == [258, 32, 256]
