"""Words that are cut where no merge joins two characters: the same ids as merging them whole."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpe_transformer import PretokenCounts, _core, learn_bpe
from bpe_transformer.errors import EncodingError
from bpe_transformer.tokenizer.encoding import reference

SPACE_MARK = "▁"
# letters and signs, a character of three bytes, what stands for a space, and characters that have no id
_KNOWN = "abcdxyz,.;:19é가" + SPACE_MARK
_TEXT = [*_KNOWN, *"abc,.", " ", "Q", "R", "ж", "\x00", "😀"]
FIRST = 300  # the ids of characters; those before are of bytes and of <unk>
UNKNOWN = 256

Merges = list[tuple[int, int, int]]


def alphabet_ids() -> dict[str, int]:
    ids = {character: FIRST + i for i, character in enumerate(_KNOWN)}
    return {**ids, " ": ids[SPACE_MARK]}


def encoder(merges: Merges, fallback: bool, fuse: bool) -> _core.Encoder:
    inner = {ord(character): id for character, id in alphabet_ids().items()}
    alphabet = _core.Alphabet.of_characters(inner, {}, False, UNKNOWN, list(range(256)) if fallback else [], fuse)
    left, right, made = (np.array([merge[i] for merge in merges], np.uint32) for i in range(3))
    return _core.Encoder(alphabet, left, right, made, [], [], 0, b" ", None, 0, [])


def symbols(word: str, fallback: bool, fuse: bool) -> list[int]:
    ids: list[int] = []
    known = alphabet_ids()
    for i, character in enumerate(word):
        if character in known:
            ids.append(known[character])
        elif fallback:
            ids += character.encode()
        elif not (fuse and i and word[i - 1] not in known):
            ids.append(UNKNOWN)
    return ids


def merged(ids: list[int], merges: Merges) -> list[int]:
    """One merge at a time: of the lowest rank, and the leftmost of these."""
    rank: dict[tuple[int, int], int] = {}
    for number, (left, right, _) in enumerate(merges):
        rank.setdefault((left, right), number)
    while True:
        best = min(((rank[pair], i) for i, pair in enumerate(zip(ids, ids[1:])) if pair in rank), default=None)  # noqa: B905
        if best is None:
            return ids
        ids = [*ids[: best[1]], merges[best[0]][2], *ids[best[1] + 2 :]]


def random_merges(choice: random.Random, kind: str) -> Merges:
    """Merges that join some characters and not others; `kind` says in which order, and of what."""
    known = alphabet_ids()
    groups = [[known[c] for c in group] for group in ("abcd" + SPACE_MARK, ",.;:", "19", "é가", "xyz,")]
    merges: Merges = []
    for made in range(400, 400 + choice.randrange(40)):
        group = choice.choice(groups)
        left, right = choice.choice(group), choice.choice(group)
        if (left, right) not in {merge[:2] for merge in merges}:
            merges.append((left, right, made))
            group.append(made)
    if kind == "any order":
        choice.shuffle(merges)
    if kind == "backwards":
        merges.reverse()
    if kind == "one token made twice" and merges:
        merges += [(right, left, made) for left, right, made in choices_of(choice, merges)]
    if kind == "unknown" and merges:
        merges += [(UNKNOWN, choice.choice([*known.values()]), 500), (65, known["a"], 501), (500, 501, 502)]
    return merges


def choices_of(choice: random.Random, merges: Merges) -> Merges:
    return choice.sample(merges, min(3, len(merges)))


@pytest.mark.parametrize("kind", ["in order", "any order", "backwards", "one token made twice", "unknown"])
@given(st.integers(0, 2**32), st.lists(st.sampled_from(_TEXT), min_size=1, max_size=90), st.booleans(), st.booleans())
@settings(max_examples=120, deadline=None)
def test_words_of_characters(kind: str, seed: int, characters: list[str], fallback: bool, fuse: bool) -> None:
    merges = random_merges(random.Random(seed), kind)
    native, text = encoder(merges, fallback, fuse), "".join(characters)
    for word in (
        text,
        text[1:],
        text[: len(text) // 2],
        text,
        text[:7],
    ):  # once more from the cache, whole and in parts
        if word:
            assert native.encode_pretokens([word.encode()]) == merged(symbols(word, fallback, fuse), merges)


def test_a_long_word_of_many_parts() -> None:
    known = alphabet_ids()
    merges = [(known["a"], known["b"], 400), (400, known["c"], 401), (known[","], known[","], 402)]
    word = "abc,abab,,ca" * 20_000
    assert encoder(merges, False, False).encode_pretokens([word.encode()]) == merged_by_rank(word, merges)


def merged_by_rank(word: str, merges: Merges) -> list[int]:
    ids = tuple(symbols(word, False, False))
    for left, right, made in merges:
        ids = reference.merge_pair(ids, (left, right), made)
    return list(ids)


def test_where_a_character_without_an_id_stands_is_told_from_the_texts_beginning() -> None:
    tokenizer = learn_bpe(PretokenCounts.from_iterator(["ab,ab,abc"], "none"), 10, unit="char")
    with pytest.raises(EncodingError, match=r"'Z' \(U\+005A\) at byte 4 "):
        tokenizer.encode("ab,cZ")
