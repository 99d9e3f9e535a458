"""The native core equals the textbook algorithm: merges, trace and ids, on random corpora."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from bpe_transformer import PretokenCounts, Tokenizer, _core, learn_bpe
from bpe_transformer.tokenizer.encoding.reference import merge_pair
from bpe_transformer.tokenizer.learning import reference
from bpe_transformer.tokenizer.splitting import patterns

# few letters, so that ties, repeats and overlapping pairs ("aaaa") are the rule
_WORD = st.text(st.sampled_from("abc한\0"), min_size=1, max_size=12)
_WORDS = st.dictionaries(_WORD, st.integers(1, 6), min_size=1, max_size=12)
_KINDS: list[dict[str, Any]] = [
    {"unit": "byte"},
    {"unit": "byte", "alphabet_order": "gpt2"},
    {"unit": "char"},
    {"unit": "char", "end_of_word": "</w>"},
    {"unit": "char", "required_characters": "zb"},
    {"unit": "char", "unk_token": "<unk>", "character_coverage": 0.7},
    {"unit": "char", "unk_token": "<unk>", "character_coverage": 0.7, "end_of_word": "</w>"},
    {"unit": "char", "byte_fallback": True, "character_coverage": 0.7},
]
_LIMITS = st.fixed_dictionaries({}, optional={"min_frequency": st.integers(1, 4), "max_token_bytes": st.integers(1, 9)})


def base_words(tok: Tokenizer, words: dict[str, int]) -> list[tuple[tuple[int, ...], int]]:
    return [(tuple(base_ids(tok, word)), count) for word, count in words.items()]


def base_ids(tok: Tokenizer, word: str) -> list[int]:
    if tok.unit == "byte":
        return [tok.id_of(bytes([byte])) for byte in word.encode()]
    symbols = list(word)
    if tok.end_of_word:
        symbols[-1] += tok.end_of_word
    ids: list[int] = []
    for symbol, character in zip(symbols, word, strict=True):
        id = tok.model.id_of.get(symbol.encode())
        if id is not None and id in tok.model.base_ids:
            ids.append(id)
        elif tok.model.byte_fallback:
            ids += [tok.model.fallback_ids[byte] for byte in character.encode()]
        else:
            ids.append(tok.special_tokens[tok.unk_token or ""])
    return ids


def rule(tok: Tokenizer, max_token_bytes: int = 10**9) -> Callable[[int, int], bool]:
    """Which pairs may merge: none with a special token or a byte of fallback, and none that is too long or special."""
    apart = {*tok.special_tokens.values(), *tok.model.fallback_ids}
    never = {tok.token_bytes(id) for id in apart}

    def allowed(left: int, right: int) -> bool:
        made = tok.model.tokens[left] + tok.model.tokens[right]
        return apart.isdisjoint((left, right)) and made not in never and len(made) <= max_token_bytes

    return allowed


def steps(tok: Tokenizer, words: dict[str, int], max_token_bytes: int = 10**9, min_frequency: int = 1) -> list[object]:
    return list(
        reference.learn(
            base_words(tok, words),
            first_merge_id=tok.first_merge_id,
            max_merges=1000,
            min_frequency=min_frequency,
            allowed=rule(tok, max_token_bytes),
        )
    )


@given(_WORDS, st.sampled_from(_KINDS), _LIMITS, st.lists(st.sampled_from(["<s>", "ab", "aa", "cab"]), unique=True))
@example({"aaaaaaa": 3, "aab": 1}, _KINDS[0], {}, [])
@example({"aab": 3, "b한b": 1}, _KINDS[7], {}, [])
@settings(max_examples=400, deadline=None)
def test_merges_and_trace(
    words: dict[str, int], kind: dict[str, Any], limits: dict[str, Any], special_tokens: list[str]
) -> None:
    tok = learn_bpe(PretokenCounts.from_words(words), 2000, special_tokens=special_tokens, **kind, **limits)
    expected = steps(tok, words, **limits)
    assert tok.trace is not None
    assert list(tok.trace) == expected
    assert tok.trace.tokens_at_start == sum(len(w) * n for w, n in base_words(tok, words))
    assert tok.trace.ties == sum(step.tied for step in tok.trace)
    assert len(set(tok.model.tokens)) == tok.vocab_size
    for step in tok.trace:
        assert tok.token_bytes(step.new_id) == tok.token_bytes(step.left) + tok.token_bytes(step.right)


@given(
    st.lists(st.text(st.sampled_from("ab한 \n.1\0'"), max_size=25), max_size=5),
    st.sampled_from([*patterns.PATTERNS, r"\w+|\s"]),
    st.sampled_from(_KINDS),
    st.integers(1, 3),
)
@example(["", "\0\0 \0\0", ""], "cl100k", _KINDS[7], 1)
@settings(max_examples=100, deadline=None)
def test_documents(texts: list[str], pattern: str, kind: dict[str, Any], num_threads: int) -> None:
    pieces = [piece for text in texts for piece in patterns.split(pattern, text)]
    words = Counter(piece.strip() for piece in pieces) if "end_of_word" in kind else Counter(pieces)
    del words[""]
    if not words:
        return
    tok = learn_bpe(PretokenCounts.from_iterator(texts, pattern, num_threads), 2000, **kind)
    assert list(tok.trace or ()) == steps(tok, words)
    assert sum(len(tok.encode(text)) for text in texts) == sum(len(tok.encode(word)) * n for word, n in words.items())


@given(_WORDS, st.sampled_from([0.5, 0.9, 0.99, 1.0]), st.sampled_from([None, "</w>"]))
@settings(max_examples=100, deadline=None)
def test_coverage(words: dict[str, int], coverage: float, end_of_word: str | None) -> None:
    options = {"unit": "char", "unk_token": "<unk>", "end_of_word": end_of_word, "character_coverage": coverage}
    tok = learn_bpe(PretokenCounts.from_words(words), 2000, **options)  # type: ignore[arg-type]
    seen: Counter[str] = Counter()
    for word, count in words.items():
        seen.update({character: n * count for character, n in Counter(word).items()})
    kept: list[str] = []
    for character in sorted(seen, key=lambda c: (-seen[c], c)):
        if sum(seen[c] for c in kept) < coverage * seen.total():
            kept.append(character)
    base = {tok.token_bytes(id).decode().removesuffix(end_of_word or "") for id in tok.model.base_ids}
    assert base == set(kept)
    assert tok.trace is not None
    assert tok.trace.characters_left_out == len(seen) - len(kept)
    assert tok.trace.occurrences_left_out == seen.total() - sum(seen[c] for c in kept)


@given(_WORDS, st.integers(0, 8), st.sampled_from(_KINDS))
@settings(max_examples=100, deadline=None)
def test_going_on_with_other_counts(words: dict[str, int], merges: int, kind: dict[str, Any]) -> None:
    # the words of the base and others, so that segmentation has to follow the base's merges
    other = {word[::-1] + "ab": count + 1 for word, count in words.items()}
    options = {**kind, "required_characters": "abc한\0"} if kind["unit"] == "char" else kind
    first = learn_bpe(PretokenCounts.from_words(words), 2000, **options)
    base = first.truncate(min(first.first_merge_id + merges, first.vocab_size))
    tok = learn_bpe(PretokenCounts.from_words(other), 3000, base=base, **kind)
    made = dict(zip(tok.merges[: len(base.merges)], tok.model.merged_ids.tolist(), strict=False))
    corpus = []
    for word, count in other.items():
        ids = tuple(base_ids(tok, word))
        for pair, new_id in made.items():
            ids = merge_pair(ids, pair, new_id)
        corpus.append((ids, count))
    first_id = base.vocab_size if tok.trace is None else tok.trace.first_merge_id
    expected = list(reference.learn(corpus, first_merge_id=first_id, max_merges=1000, allowed=rule(tok)))
    assert tok.trace is not None
    assert [(s.left, s.right, s.new_id, s.count, s.runner_up, s.words_touched, s.tokens_left) for s in tok.trace] == [
        (s.left, s.right, s.new_id, s.count, s.runner_up, s.words_touched, s.tokens_left) for s in expected
    ]


@given(st.integers(1, 3000), st.integers(1, 5))
@settings(max_examples=40, deadline=None)
def test_one_character_repeated(length: int, count: int) -> None:
    words = {"a" * length: count}
    tok = learn_bpe(PretokenCounts.from_words(words), 300)
    assert list(tok.trace or ()) == steps(tok, words)


@given(_WORDS, st.sampled_from(_KINDS), _LIMITS)
@settings(max_examples=60, deadline=None)
def test_merges_do_not_depend_on_recording(words: dict[str, int], kind: dict[str, Any], limits: dict[str, Any]) -> None:
    counts = PretokenCounts.from_words(words)
    tok = learn_bpe(counts, 2000, **kind, **limits)
    model = learn_bpe(counts, tok.first_merge_id, **kind, **limits).model
    native = _core.Learner(
        counts._native if tok.end_of_word is None else counts._native.trimmed(),
        model.alphabet(),
        None,
        list(model.tokens),
        1000,
        limits.get("min_frequency", 1),
        limits.get("max_token_bytes", 10**9),
        [],
        [*model.special_tokens.values(), *model.fallback_ids],
        False,
    )
    left, right, *_ = native.run(1000)
    assert list(zip(left.tolist(), right.tolist(), strict=True)) == tok.merges


@given(_WORDS, st.text(st.sampled_from("abc한 d"), max_size=80), st.integers(0, 60))
@settings(max_examples=300, deadline=None)
def test_encoding(words: dict[str, int], text: str, merges: int) -> None:
    tok = learn_bpe(PretokenCounts.from_words(words), 256 + merges)
    expected = [
        id
        for piece in patterns.split(tok.pattern, text)
        for id in reference.encode(base_ids(tok, piece), tok.merges, tok.first_merge_id)
    ]
    assert tok.encode(text) == expected
    assert tok.encode_batch([text, "", text]).tolist() == [expected, [], expected]


@given(st.text(st.sampled_from("ab"), min_size=65, max_size=400))
@settings(max_examples=60, deadline=None)
def test_encoding_of_long_words(word: str) -> None:
    tok = learn_bpe(PretokenCounts.from_words({"abab": 3, "aaab": 2, "bbba": 2, word[:80]: 1}), 300)
    assert tok.encode(word) == reference.encode(base_ids(tok, word), tok.merges, tok.first_merge_id)


def test_thresholds_are_crossed_exactly() -> None:
    # one frequent word sets the first threshold high; all the others wait below it until scans find them
    words = {"zz" * 3: 2**40, **{f"w{i:03d}"[::-1] + "ab" * (i % 7): 1 + i % 5 for i in range(120)}}
    tok = learn_bpe(PretokenCounts.from_words(words), 1500)
    assert list(tok.trace or ()) == steps(tok, words)
