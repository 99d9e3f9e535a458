"""The native encoder on merges that no learner would make, on words of any length, and with caches too small for its words."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpe_transformer import PretokenCounts, _core, learn_bpe
from bpe_transformer.errors import EncodingError
from bpe_transformer.tokenizer.encoding import reference

Merges = list[tuple[int, int, int]]
CL100K, NONE = 1, 7  # patterns: of cl100k_base, and the one that splits nothing
# characters that share bytes, so that merges across their borders are likely
_CHARACTERS = ["가", "각", "간", "관", "나", "é", "è", "ж", "a", "b", "c", " ", "😀", "\udc80"]


def encoder(merges: Merges) -> _core.Encoder:
    left, right, made = (np.array([m[i] for m in merges], np.uint32) for i in range(3))
    return _core.Encoder(_core.Alphabet.of_bytes(list(range(256))), left, right, made, [], [], 0, b" ", None, 0, [])


def slowly(data: bytes, merges: Merges) -> list[int]:
    """One merge at a time: of the lowest rank, and the leftmost of these."""
    rank: dict[tuple[int, int], int] = {}
    for number, (left, right, _) in enumerate(merges):
        rank.setdefault((left, right), number)
    ids = list(data)
    while True:
        best = min(((rank[pair], i) for i, pair in enumerate(zip(ids, ids[1:])) if pair in rank), default=None)  # noqa: B905
        if best is None:
            return ids
        ids[best[1] : best[1] + 2] = [merges[best[0]][2]]


def by_rank(data: bytes, merges: Merges) -> list[int]:
    """The same for merges of which none makes what an earlier one uses."""
    ids: tuple[int, ...] = tuple(data)
    for left, right, made in merges:
        ids = reference.merge_pair(ids, (left, right), made)
    return list(ids)


def merges_of(text: bytes, count: int, choice: random.Random) -> Merges:
    """Merges of what occurs in `text`, in an order that no counts have to do with."""
    merges: Merges = []
    ids = list(text)
    for made in range(256, 256 + count):
        if len(ids) < 2:
            break
        at = choice.randrange(len(ids) - 1)
        pair = (ids[at], ids[at + 1])
        merges.append((*pair, made))
        i = 0
        while i + 1 < len(ids):  # often, so that later merges are made of earlier ones
            if (ids[i], ids[i + 1]) == pair:
                ids[i : i + 2] = [made]
            i += 1
    return merges


def any_merges(letters: bytes, count: int, choice: random.Random) -> Merges:
    """Merges of any two tokens, many of which their own bytes do not lead to."""
    merges: Merges = []
    ids = sorted(set(letters))
    for made in range(256, 256 + count):
        pair = (choice.choice(ids), choice.choice(ids))
        if pair not in {merge[:2] for merge in merges}:
            merges.append((*pair, made))
            ids.append(made)
    return merges


@st.composite
def random_merges(draw: st.DrawFn, text: bytes, ordered: bool) -> Merges:
    choice = random.Random(draw(st.integers(0, 2**32)))
    merges = merges_of(text, draw(st.integers(0, 60)), choice)
    if not ordered:
        choice.shuffle(merges)
        merges += [(left, right, 300 + i) for i, (left, right, _) in enumerate(merges[:2])]
        merges += [(right, left, made) for left, right, made in merges[:3]]
    return merges


@given(st.data(), st.lists(st.sampled_from(_CHARACTERS), min_size=2, max_size=40), st.booleans())
@settings(max_examples=250, deadline=None)
def test_any_merges_in_any_text(data: st.DataObject, characters: list[str], ordered: bool) -> None:
    text = "".join(characters).encode("utf-8", "surrogateescape")
    merges = data.draw(random_merges(text, ordered))
    native = encoder(merges)
    for part in (text, text[1:], text[: len(text) // 2], b" " + text, text[:7]):
        assert native.encode_pretokens([part]) == slowly(part, merges)
        if ordered:
            assert by_rank(part, merges) == slowly(part, merges)


@contextmanager
def at_level(level: str) -> Iterator[None]:
    before = _core.simd_level()
    _core.set_simd_level(level)
    try:
        yield
    finally:
        _core.set_simd_level(before)


@pytest.mark.parametrize("level", _core.simd_levels())
@given(
    st.data(),
    st.lists(st.sampled_from(_CHARACTERS), min_size=1, max_size=6),
    st.lists(st.sampled_from(_CHARACTERS), min_size=100, max_size=160),
)
@settings(max_examples=10, deadline=None)
def test_long_words(level: str, data: st.DataObject, unit: list[str], characters: list[str]) -> None:
    with at_level(level):
        for symbols in (unit * (1500 // len(unit)), characters * 6):  # more than two windows of the native core
            text = "".join(symbols).encode("utf-8", "surrogateescape")
            merges = data.draw(random_merges(text[:300], True))
            assert encoder(merges).encode_pretokens([text]) == by_rank(text, merges)


@pytest.mark.parametrize("level", _core.simd_levels())
@pytest.mark.parametrize("characters", ["ab", "abc é", "가각간나 ", "abcdefghij", "é😀a", "a"])
def test_words_longer_than_what_the_core_splits_at_once(level: str, characters: str) -> None:
    choice = random.Random(characters)
    text = "".join(choice.choices(characters, k=90_000 // len(characters[0].encode()))).encode()
    for seed, data in enumerate((text, text[:3000] * 30, text[:40_000] + b"\xff" + text[:40_000])):
        merges = merges_of(text[:2000], 30, random.Random(seed))
        with at_level(level):
            assert encoder(merges).encode_pretokens([data]) == by_rank(data, merges)


@pytest.mark.parametrize("level", _core.simd_levels())
def test_long_words_between_whose_symbols_no_border_is_seen(level: str) -> None:
    """Any of them could be taken by what begins with x or by what ends with y."""
    units = [b"ab", b"cd", b"ef"]
    merges: Merges = [(*unit, 256 + i) for i, unit in enumerate(units)]
    made = [made for *_, made in merges]
    for first in made:
        merges.append((ord("x"), first, 256 + len(merges)))
        merges += [(merges[-1][2], second, 256 + len(merges) + i) for i, second in enumerate(made)]
        merges.append((first, ord("y"), 256 + len(merges)))
        merges += [(second, merges[-1][2], 256 + len(merges) + i) for i, second in enumerate(made)]
    choice = random.Random(1)
    text = b"".join(choice.choices([*units, b"x", b"y"], weights=[3000, 3000, 3000, 1, 1], k=40_000))
    with at_level(level):
        for data in (text, b"x" + text[:30_000].replace(b"x", b"").replace(b"y", b"") + b"y" + text[:500]):
            assert encoder(merges).encode_pretokens([data]) == by_rank(data, merges)


@pytest.mark.parametrize("level", _core.simd_levels())
def test_long_words_that_repeat_themselves_here_and_there(level: str) -> None:
    choice = random.Random(2)
    text = "".join(choice.choices("abcdefgh", k=30_000)).encode()
    runs = [
        b"a" * 9000,
        text[:9000],
        b"ab" * 4500,
        text[:100],
        b"abcdef" * 3000,
        text[:20_000],
        b"a" * 9001,
        b"abc" * 30,
    ]
    for seed in range(3):
        merges = merges_of(b"".join(run[:300] for run in runs), 120, random.Random(seed))
        with at_level(level):
            for data in (b"".join(runs), b"".join(reversed(runs)), b"".join(runs[:1]), b"".join(runs[2:5])):
                assert encoder(merges).encode_pretokens([data]) == by_rank(data, merges)


@pytest.mark.parametrize("level", _core.simd_levels())
def test_runs_that_end_where_a_part_does(level: str) -> None:
    merges: Merges = [(ord("a"), ord("a"), 256), (256, 256, 257), (256, ord("a"), 258)]
    native = encoder(merges)
    with at_level(level):
        for size in (size for end in (4096, 8192, 12_288) for size in range(end - 3, end + 3)):
            for data in (b"b" + b"a" * size, b"a" * size + b"b", b"ba" * 30 + b"a" * (size - 60)):
                assert native.encode_pretokens([data]) == by_rank(data, merges)


@pytest.mark.parametrize("level", _core.simd_levels())
@pytest.mark.parametrize("more", [0, 1, (1 << 18) - 400, (1 << 21) - 400, 1 << 21])
def test_long_words_and_large_ids(level: str, more: int) -> None:
    """Ids in any order, up to and past what tables of pairs have room for."""
    text = "".join(random.Random(3).choices("abcde", k=20_000)).encode()
    merges = merges_of(text[:2000], 130, random.Random(4))
    new_ids = (
        random.Random(5).sample(range(256, 600), len(merges))
        if more == 1
        else range(256 + more, 256 + more + len(merges))
    )
    new_id = dict(zip((made for *_, made in merges), new_ids, strict=True))
    merges = [tuple(new_id.get(id, id) for id in merge) for merge in merges]  # type: ignore[misc]
    with at_level(level):
        assert encoder(merges).encode_pretokens([text]) == by_rank(text, merges)


@pytest.mark.parametrize("level", _core.simd_levels())
def test_bytes_that_are_no_text(level: str) -> None:
    """Most words of random bytes are just their bytes; then text again, whose words are not."""
    choice = random.Random(1)
    text = " ".join(words(2000, 2)).encode()
    merges = merges_of(choice.randbytes(300) + text[:3000], 150, choice)
    data = b"".join(
        (choice.randbytes(15_000), text, choice.randbytes(3000), b"\x80" * 3000, text[:5000], choice.randbytes(40))
    )
    with at_level(level):
        expected = [id for piece in _core.split(CL100K, data) for id in by_rank(piece, merges)]
        ids, _ = encoder(merges).encode_batch(CL100K, (data,), b"", 1)
    assert ids.tolist() == expected


@pytest.mark.parametrize("unit", ["간è", "ж각", "b관가b", "😀나간é각"])
def test_windows_that_never_agree_come_to_an_end(unit: str) -> None:
    text = (unit * 800).encode()  # eight ids are more than a window, so that going back undoes it
    for seed in range(10):
        merges = merges_of(text[:300], 40, random.Random(seed))
        assert encoder(merges).encode_pretokens([text]) == by_rank(text, merges)


@pytest.mark.parametrize("characters", ["ab", "abc ", "abcdef", "aébc", "가각 a"])
def test_tokens_that_a_cache_is_told_of(characters: str) -> None:
    """Once a cache has seen many words it is told the tokens, of which some are not what their own bytes lead to."""
    unreached = 0
    for seed in range(30):
        choice = random.Random(seed)
        merges = any_merges(characters.encode(), 60, choice)
        token_of = {i: bytes([i]) for i in range(256)}
        for left, right, made in merges:
            token_of[made] = token_of[left] + token_of[right]
        tokens = [token_of[made] for _, _, made in merges]
        many = tuple(b"%d" % i for i in range(1500)) * 2
        ids, offsets = encoder(merges).encode_batch(NONE, (*many, *tokens), b"", 1)
        for at, token in enumerate(tokens, len(many)):
            expected = by_rank(token, merges)
            assert ids[offsets[at] : offsets[at + 1]].tolist() == expected
            unreached += len(expected) > 1
    assert unreached


def test_a_token_longer_than_a_window() -> None:
    merges = [(97, 97, 256), *((256 + i, 256 + i, 257 + i) for i in range(11))]  # a, aa, aaaa, … 4096 times a
    for n in (1023, 1024, 1025, 3000, 5000):
        assert encoder(merges).encode_pretokens([b"a" * n]) == by_rank(b"a" * n, merges)


def words(count: int, seed: int) -> list[str]:
    choice = random.Random(seed)
    return ["".join(choice.choices("abcdefgh한국어", k=choice.randint(1, 60))) for _ in range(count)]


def test_a_cache_that_is_too_small_changes_no_id() -> None:
    corpus = words(3000, 1)
    tok = learn_bpe(PretokenCounts.from_iterator(corpus), 600)
    text = " ".join(words(30_000, 2) + corpus)  # far more words than a small cache holds
    expected = tok.encode(text)
    assert tok.cache_bytes == 64 << 20
    for limit in (0, 1 << 20, 1 << 30):
        tok.cache_bytes = limit
        assert tok.cache_bytes == limit
        assert tok.encode(text) == expected  # new to the cache
        assert tok.encode(text) == expected  # then known, or given up for others
    assert tok.decode(expected) == text
    with pytest.raises(EncodingError, match="cache_bytes=-1"):
        tok.cache_bytes = -1


def test_words_of_every_length_are_remembered_as_they_are() -> None:
    tok = learn_bpe(PretokenCounts.from_iterator(words(2000, 3)), 500)
    for size in range(1, 300):
        for letter in ("a", "한", "ab", "\x00"):
            word = (letter * size)[:size]
            first = tok.encode(word)
            assert tok.encode(word) == tok.encode_batch([word, word])[1].tolist() == first
            assert tok.decode(first) == word
    zeros = [("a" + "\x00" * n) for n in range(20)]  # keys are filled up with zeros
    assert [tok.decode(ids) for ids in tok.encode_batch(zeros * 2)] == zeros * 2


@pytest.mark.parametrize("num_threads", [2, 3, 7])
def test_threads_join_their_parts_in_order(num_threads: int) -> None:
    tok = learn_bpe(PretokenCounts.from_iterator(words(2000, 4)), 500)
    choice = random.Random(5)
    texts = [" ".join(choice.choices(words(500, 6), k=choice.choice([0, 1, 30, 3000]))) for _ in range(120)]
    one, many = tok.encode_batch(texts, 1), tok.encode_batch(texts, num_threads)
    assert np.array_equal(one.ids, many.ids)
    assert np.array_equal(one.row_starts, many.row_starts)
    assert [tok.decode(ids) for ids in many] == texts
