"""The native core equals the textbook algorithm: merges, trace and ids, on random corpora."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.tokenizer import patterns, reference

# few letters, so that ties, repeats and overlapping pairs ("aaaa") are the rule
_WORD = st.text(st.sampled_from("abc한"), min_size=1, max_size=12)
_WORDS = st.dictionaries(_WORD, st.integers(1, 6), min_size=1, max_size=12)


def base_words(tok: Tokenizer, words: dict[str, int]) -> dict[tuple[int, ...], int]:
    sequences: dict[tuple[int, ...], int] = {}
    for word, count in words.items():
        sequences[tuple(base_ids(tok, word))] = count
    return sequences


def base_ids(tok: Tokenizer, word: str) -> list[int]:
    if tok.unit == "byte":
        return [tok.id_of(bytes([byte])) for byte in word.encode()]
    symbols = list(word)
    if tok.end_of_word:
        symbols[-1] += tok.end_of_word
    return [tok.id_of(symbol) for symbol in symbols]


def steps(tok: Tokenizer, words: dict[str, int], **options: object) -> list[object]:
    return list(
        reference.learn(base_words(tok, words), first_merge_id=tok.first_merge_id, max_merges=1000, **options)  # type: ignore[arg-type]
    )


@given(_WORDS, st.sampled_from([("byte", None), ("char", None), ("char", "</w>")]), st.integers(1, 4))
@example({"aaaaaaa": 3, "aab": 1}, ("byte", None), 1)
@settings(max_examples=300, deadline=None)
def test_merges_and_trace(words: dict[str, int], kind: tuple[str, str | None], min_frequency: int) -> None:
    unit, end_of_word = kind
    counts = PretokenCounts.from_words(words)
    tok = learn_bpe(counts, 2000, unit=unit, end_of_word=end_of_word, min_frequency=min_frequency)
    expected = steps(tok, words, min_frequency=min_frequency)
    assert list(tok.trace) == expected
    assert tok.trace.tokens_at_start == sum(len(w) * n for w, n in base_words(tok, words).items())
    for step in expected:
        assert tok.token_bytes(step.new_id) == tok.token_bytes(step.left) + tok.token_bytes(step.right)


@given(_WORDS, st.sampled_from(["ab", "abc", "aa", "cab"]))
@settings(max_examples=100, deadline=None)
def test_no_merge_makes_a_special_token(words: dict[str, int], special: str) -> None:
    tok = learn_bpe(PretokenCounts.from_words(words), 2000, special_tokens=[special])
    assert tok.model.tokens.count(special.encode()) == 1

    def allowed(left: int, right: int) -> bool:
        made = bytes(tok.model.tokens[left] if left < tok.first_merge_id else made_bytes[left])
        return made + (tok.model.tokens[right] if right < tok.first_merge_id else made_bytes[right]) != special.encode()

    made_bytes = {id: token for id, token in enumerate(tok.model.tokens)}
    assert list(tok.trace) == steps(tok, words, allowed=allowed)


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
    assert list(tok.trace) == steps(tok, words)
