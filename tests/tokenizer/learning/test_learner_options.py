"""The options of learning, one by one and by hand: limits, coverage, fallback, protected words, normal forms, Ctrl-C."""

from __future__ import annotations

import inspect
from dataclasses import fields
from typing import Any

import pytest

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.errors import EncodingError, LearningError
from bpe_transformer.tokenizer import LearningInterrupted
from bpe_transformer.tokenizer.learning.options import LearnKeywords, LearnOptions
from bpe_transformer.tokenizer.splitting.pretokenizer import Pretokenizer

WORDS = {"low": 5, "lower": 2, "newest": 6, "widest": 3}


def tokens(tok: Tokenizer, text: str) -> list[bytes]:
    return [tok.token_bytes(id) for id in tok.encode(text)]


def test_no_token_is_longer_than_asked() -> None:
    tok = learn_bpe(PretokenCounts.from_words(WORDS), 1000, max_token_bytes=3)
    assert max(map(len, tok.model.tokens)) == 3
    assert tok.trace is not None
    assert [tok.token_bytes(step.new_id) for step in tok.trace][:4] == [b"es", b"est", b"lo", b"low"]
    assert tokens(tok, "newest") == [b"new", b"est"]
    assert learn_bpe(PretokenCounts.from_words(WORDS), 1000, max_token_bytes=1).merges == []


def test_a_limit_in_bytes_holds_for_characters_and_marks() -> None:
    counts = PretokenCounts.from_words({"한한": 3, "abab": 2})
    assert learn_bpe(counts, 100, unit="char", max_token_bytes=5).merges == [(0, 1), (3, 3)]  # "한한" takes 6 bytes
    marked = learn_bpe(counts, 100, unit="char", end_of_word="</w>", max_token_bytes=6)
    assert {b"ab", b"ab</w>"} <= set(marked.model.tokens)
    assert b"abab</w>" not in marked.model.tokens


def test_coverage_leaves_out_what_is_rare() -> None:
    # l 7, o 7, w 16, e 17, r 2, n 6, s 9, t 9, i 3, d 3: 79 in all
    counts = PretokenCounts.from_words(WORDS)
    tok = learn_bpe(counts, 100, unit="char", unk_token="<unk>", character_coverage=0.89)
    assert {tok.token_bytes(id) for id in tok.model.base_ids} == {*map(str.encode, "lowenst")}
    assert tok.trace is not None
    assert (tok.trace.characters_left_out, tok.trace.occurrences_left_out) == (3, 3 + 3 + 2)
    assert tokens(tok, "widest") == [b"w", b"<unk>", b"<unk>", b"est"]
    unk = tok.special_tokens["<unk>"]
    assert all(unk not in pair for pair in tok.merges)  # "ide" occurs, but no merge takes an unknown character
    with pytest.raises(
        LearningError, match=r'character_coverage=0.89 leaves 3 characters without a token.*unk_token="<unk>" or byte'
    ):
        learn_bpe(counts, 100, unit="char", character_coverage=0.89)


def test_equal_characters_are_kept_by_code_point() -> None:
    counts = PretokenCounts.from_words({"cbad": 1})
    tok = learn_bpe(counts, 4, unit="char", unk_token="<unk>", character_coverage=0.75)
    assert tok.model.tokens == (b"a", b"b", b"c", b"<unk>")


def test_required_characters_are_in_the_alphabet_unseen_or_rare() -> None:
    counts = PretokenCounts.from_words(WORDS)
    tok = learn_bpe(counts, 100, unit="char", unk_token="<unk>", character_coverage=0.5, required_characters="dz")
    assert tokens(tok, "zd") == [b"z", b"d"]
    marked = learn_bpe(counts, 100, unit="char", end_of_word="</w>", required_characters=["z"])
    assert tokens(marked, "zz") == [b"z", b"z</w>"]


def test_byte_fallback_stands_for_what_is_left_out() -> None:
    counts = PretokenCounts.from_words({"가나": 8, "가다": 1})
    tok = learn_bpe(counts, 300, unit="char", byte_fallback=True, character_coverage=0.9)
    assert tok.model.tokens[:2] == (b"<0x00>", b"<0x01>")
    assert tok.model.tokens[256:] == ("가".encode(), "나".encode(), "가나".encode())
    assert tok.encode("가다") == [256, *"다".encode()]
    assert tok.decode(tok.encode("가나다 새 낱말\0")) == "가나다 새 낱말\0"
    assert tok.decode_bytes(tok.encode(b"\xff\xfe")) == b"\xff\xfe"
    assert tok.trace is not None
    assert (tok.trace.tokens_at_start, tok.trace.occurrences_left_out) == (8 * 2 + 1 + 3, 1)


def test_protected_words_are_never_cut_nor_joined() -> None:
    split = Pretokenizer("whitespace", protected=(r"C\+\+", r"\d+-\d+"))
    counts = PretokenCounts.from_iterator(["aC++b aC++b 10-20 10-20ab"] * 9, split)
    tok = learn_bpe(counts, 300)
    assert tokens(tok, "aC++b 10-20ab") == [b"a", b"C++", b"b", b" ", b"10-20", b"ab"]
    assert all(b"C++" not in token or token == b"C++" for token in tok.model.tokens)


def test_protected_literals_get_an_id_of_their_own() -> None:
    split = Pretokenizer("whitespace", protected=(r"C\+\+", r"\d+-\d+", "C"))
    counts = PretokenCounts.from_iterator(["aC++b aC++b 10-20"] * 9, split)
    tok = learn_bpe(counts, 300, protected_tokens=True, special_tokens=["<s>"])
    assert tok.model.added_tokens == {"C++": 256, "C": 257}
    assert tok.special_tokens == {"<s>": 258}
    assert tok.first_merge_id == 259
    assert tok.encode("aC++b") == [ord("a"), 256, ord("b")]
    assert tok.decode(tok.encode("aC++b C")) == "aC++b C"
    assert tok.trace is not None
    # "C++" is one token from the start, and what its letters have in common with other words is not merged for it
    assert tok.trace.tokens_at_start == 9 * (2 * 3 + 2 + 5)
    assert all(b"+" not in tok.token_bytes(step.new_id) for step in tok.trace)
    more = learn_bpe(counts, 310, base=tok, protected_tokens=True)
    assert more.model.added_tokens == tok.model.added_tokens
    with pytest.raises(LearningError, match="no protected expression of the counts is a literal"):
        learn_bpe(PretokenCounts.from_words(WORDS), 300, protected_tokens=True)


def test_a_protected_literal_is_found_in_its_normal_form() -> None:
    split = Pretokenizer("whitespace", "NFC", ("é",))
    tok = learn_bpe(PretokenCounts.from_iterator(["aéb"], split), 300, protected_tokens=True)
    assert tok.encode("ae\u0301b") == tok.encode("aéb") == [ord("a"), 256, ord("b")]


@pytest.mark.parametrize(("form", "expected"), [(None, 4), ("NFC", 3), ("NFD", 4), ("NFKC", 2), ("NFKD", 3)])
def test_counts_in_a_normal_form_are_learned_in_it(form: Any, expected: int) -> None:
    # U+FB01 is "fi" in the compatibility forms; e and an acute accent are one character in the composed ones
    words = PretokenCounts.from_iterator(["e\u0301", "é", "\ufb01", "fi"], Pretokenizer("whitespace", form))
    tok = learn_bpe(words, 100, unit="char")
    assert len({text for text, _ in words.items()}) == {None: 4, "NFC": 3, "NFD": 3, "NFKC": 2, "NFKD": 2}[form]
    assert tok.encode("e\u0301") == tok.encode("e\u0301")
    assert (tok.encode("é") == tok.encode("e\u0301")) == (form is not None)
    assert (tok.encode("\ufb01") == tok.encode("fi")) == (form in ("NFKC", "NFKD"))


def test_ctrl_c_gives_the_merges_so_far() -> None:
    words = {f"w{i:03d}"[::-1] + "ab" * (i % 7): 1 + i % 5 for i in range(120)}
    counts = PretokenCounts.from_words(words)

    def stop(done: int, wanted: int) -> None:
        if done >= 128:
            raise KeyboardInterrupt

    with pytest.raises(LearningInterrupted, match="after 128 of 744 merges") as stopped:
        learn_bpe(counts, 1000, progress=stop)
    assert isinstance(stopped.value, KeyboardInterrupt)
    assert stopped.value.tokenizer.digest == learn_bpe(counts, 256 + 128).digest


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_token_bytes": 0}, "max_token_bytes=0; ask for at least 1"),
        ({"unit": "char", "character_coverage": 0.0}, "share above 0 and up to 1"),
        ({"unit": "char", "character_coverage": 99.95}, "character_coverage=99.95; give a share"),
        ({"character_coverage": 0.9}, 'goes with unit="char"'),
        ({"byte_fallback": True}, 'goes with unit="char"'),
        ({"required_characters": "ab"}, 'goes with unit="char"'),
        ({"unit": "char", "required_characters": ["ab"]}, "holds 'ab'; name single characters"),
        ({"unit": "char", "byte_fallback": True, "end_of_word": "</w>"}, "a byte cannot carry the mark"),
        ({"unit": "char", "byte_fallback": True, "vocab_size": 260}, r"266 characters \+ 0 special tokens\); ask for at least 266"),
    ],
)  # fmt: skip
def test_options_that_do_not_fit(options: dict[str, Any], message: str) -> None:
    with pytest.raises(LearningError, match=message):
        learn_bpe(PretokenCounts.from_words(WORDS), **{"vocab_size": 300, **options})


def test_a_character_outside_the_alphabet_says_how_to_learn_it() -> None:
    tok = learn_bpe(PretokenCounts.from_words(WORDS), 20, unit="char")
    with pytest.raises(EncodingError, match="is not in this vocabulary's alphabet"):
        tok.encode("x")


def test_counts_beyond_64_bits_are_refused_not_wrapped() -> None:
    largest = 2**64 - 1
    tok = learn_bpe(PretokenCounts.from_words({"a": largest - 4, "bc": 2}), 257)
    assert tok.trace is not None
    assert (tok.trace[0].count, tok.trace.tokens_at_start) == (2, largest)
    words = {"ab": 2**61, "bc": 2**61 + 1, "cd": 2**33, "ce": 2**33 + 1}
    made = learn_bpe(PretokenCounts.from_words(words), 260)
    assert [(made.token_bytes(s.new_id).decode(), s.count) for s in made.trace or ()] == [
        (word, words[word]) for word in ("bc", "ab", "ce", "cd")
    ]
    with pytest.raises(LearningError, match=r"more than 2\^64"):
        learn_bpe(PretokenCounts.from_words({"a": largest, "b": 1}), 300)


@pytest.mark.parametrize(
    "text", ["abcab" * 40_000, "a" * 200_000, "".join(chr(97 + i * i % 7) for i in range(200_000))]
)
def test_a_word_of_any_length_is_learned_and_encoded_alike(text: str) -> None:
    tok = learn_bpe(PretokenCounts.from_iterator([text], "none"), 400)
    assert tok.trace is not None
    assert len(tok.encode(text)) == tok.trace.tokens_left[-1]
    assert tok.decode(tok.encode(text)) == text


def test_defaults_have_one_home() -> None:
    defaults = {field.name: field.default for field in fields(LearnOptions)}
    parameters = inspect.signature(learn_bpe).parameters
    assert {name: parameters[name].default for name in defaults} == defaults
    assert LearnKeywords.__annotations__.keys() == defaults.keys()
