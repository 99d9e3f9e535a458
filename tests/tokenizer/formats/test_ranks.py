"""Vocabularies given as ranks: merges recovered from them, `.tiktoken`, `vocab.json` with `merges.txt`, nanochat's pickle."""

from __future__ import annotations

import base64
import codecs
import pickle
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.errors import FormatError

tiktoken = pytest.importorskip("tiktoken")

TEXT = "the lower the newest, 다람쥐 헌 쳇바퀴 it's 123 abcabcabd  \n  and so on aaaa aaaaaaa\t naïve" * 3


def bytes_ranks(*tokens: bytes) -> dict[bytes, int]:
    return {**{bytes([i]): i for i in range(256)}, **{token: 256 + i for i, token in enumerate(tokens)}}


def reference_of(ranks: dict[bytes, int], pattern: str = r"(?s:.+)") -> Any:
    return tiktoken.Encoding("test", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})


def test_merges_are_recovered_as_they_were_learned(mixed: Tokenizer) -> None:
    ranks = {mixed.token_bytes(id): id for id in range(mixed.vocab_size) if id not in mixed.special_tokens.values()}
    read = Tokenizer.from_ranks(ranks, mixed.pattern, mixed.special_tokens)
    assert read.merges == mixed.merges
    assert read.digest == mixed.digest


def test_pairs_as_rustbpe_gives_them() -> None:
    ranks = bytes_ranks(b"ab", b"abc")
    assert Tokenizer.from_ranks(list(ranks.items()), "none").encode("abcab") == [257, 256]


def test_a_token_that_merges_do_not_lead_to_is_taken_as_a_whole() -> None:
    tok = Tokenizer.from_ranks(bytes_ranks(b"abc", b"ab", b"bcd"), "whitespace")  # bcd: no bc, no cd
    assert tok.model.ignore_merges
    assert tok.encode("bcd") == [258]
    assert tok.encode("bcde") == [*b"bcde"]


def test_a_token_that_a_later_one_leads_to() -> None:
    # alone, abc comes from ab, whose rank is higher: merging in the order of ranks alone would never find it
    tok = Tokenizer.from_ranks(bytes_ranks(b"abc", b"ab"), "none")
    assert tok.encode("xabc") == [120, 256] == reference_of(bytes_ranks(b"abc", b"ab")).encode("xabc")


TOKENS = st.lists(st.text("ab", min_size=2, max_size=6).map(str.encode), unique=True, max_size=25)


@given(tokens=TOKENS, text=st.text("abc", max_size=40))
@settings(max_examples=150, deadline=None)
def test_any_ranks_encode_as_in_tiktoken(tokens: list[bytes], text: str) -> None:
    ranks = bytes_ranks(*tokens)
    assert Tokenizer.from_ranks(ranks, "none").encode(text) == reference_of(ranks).encode(text)


def test_any_ranks_on_long_words() -> None:
    rng = random.Random(7)
    for _ in range(20):
        pieces = {bytes(rng.choices(b"ab", k=rng.randint(2, 120))) for _ in range(40)}
        ranks = bytes_ranks(*rng.sample(sorted(pieces), len(pieces)))
        text = "".join(rng.choices("ab", k=400))
        assert Tokenizer.from_ranks(ranks, "none").encode(text) == reference_of(ranks).encode(text)


def test_tiktoken_round_trip(tmp_path: Path, mixed: Tokenizer) -> None:
    mixed.export(tmp_path / "mixed.tiktoken", "tiktoken")
    read = Tokenizer.from_tiktoken(tmp_path / "mixed.tiktoken", mixed.pattern, mixed.special_tokens)
    assert read.digest == mixed.digest
    detected = Tokenizer.from_file(
        tmp_path / "mixed.tiktoken", pattern=mixed.pattern, special_tokens=mixed.special_tokens
    )
    assert detected.digest == mixed.digest
    theirs = mixed.as_tiktoken()
    assert theirs.encode(TEXT, disallowed_special=()) == mixed.encode_ordinary(TEXT)
    assert theirs.encode("a<s>b", allowed_special="all") == mixed.encode("a<s>b", allowed_special="all")


def test_ranks_without_a_pattern_say_what_is_missing(tmp_path: Path, mixed: Tokenizer) -> None:
    mixed.export(tmp_path / "mine.tiktoken", "tiktoken")
    with pytest.raises(FormatError, match="name the pattern"):
        Tokenizer.from_file(tmp_path / "mine.tiktoken")
    (tmp_path / "mine.tiktoken").rename(tmp_path / "cl100k_base.tiktoken")
    assert Tokenizer.from_file(tmp_path / "cl100k_base.tiktoken").pattern == "cl100k"


def test_gpt2_round_trip(tmp_path: Path) -> None:
    counts = PretokenCounts.from_iterator([TEXT], "gpt2")
    tok = learn_bpe(counts, 300, special_tokens=["<|endoftext|>"], alphabet_order="gpt2")
    tok.export(tmp_path / "out", "gpt2")
    roles = ["special_tokens_map.json", "tokenizer_config.json"]
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["manifest.json", "merges.txt", *roles, "vocab.json"]
    assert Tokenizer.from_file(tmp_path / "out").digest == tok.digest
    assert Tokenizer.from_gpt2(tmp_path / "out/vocab.json", tmp_path / "out/merges.txt").digest == tok.digest
    tokenizers = pytest.importorskip("tokenizers")
    theirs = tokenizers.ByteLevelBPETokenizer(str(tmp_path / "out/vocab.json"), str(tmp_path / "out/merges.txt"))
    assert theirs.encode(TEXT).ids == tok.encode(TEXT)


def test_nanochat_round_trip(tmp_path: Path, mixed: Tokenizer) -> None:
    mixed.export(tmp_path / "tokenizer.pkl", "nanochat")
    assert Tokenizer.from_file(tmp_path).digest == mixed.digest
    with open(tmp_path / "tokenizer.pkl", "rb") as file:
        assert pickle.load(file).encode_ordinary(TEXT) == mixed.encode_ordinary(TEXT)
    for protocol in (2, 3, 4, 5):
        (tmp_path / "tokenizer.pkl").write_bytes(pickle.dumps(mixed.as_tiktoken("mine"), protocol))
        if protocol > 2:  # which writes bytes as a call of codecs.encode
            assert Tokenizer.from_file(tmp_path).digest == mixed.digest
        else:
            with pytest.raises(FormatError, match="nothing is run"):
                Tokenizer.from_file(tmp_path)


class Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return print, ("this runs",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pickle.dumps(Evil(), 4), "names 'builtins.print'"),
        (pickle.dumps({"a": 1}, 4), "no tiktoken.Encoding"),
        (b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\x00\x00ab", "bytes are claimed"),
        (b"\x80\x04r\xff\xff\xff\xff.", "IndexError|list index|byte"),
        (b"\x80\x04" + b")" + b"\x85" * 100_000 + b"}" + b"h\x00s.", "byte"),
        (b"\x80\x04}(u(u(u" * 1000, "byte"),
        (pickle.dumps([1, 2.5], 4), "instruction"),
    ],
)
def test_hostile_pickles(tmp_path: Path, content: bytes, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tokenizer.pkl").write_bytes(content)
    with pytest.raises(FormatError, match=message):
        Tokenizer.from_file(tmp_path / "tokenizer.pkl")
    assert capsys.readouterr().out == ""


def lines(ranks: dict[bytes, int]) -> bytes:
    return b"".join(base64.b64encode(token) + b" %d\n" % rank for token, rank in ranks.items())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lines({b"a": 0}), "byte 0x00 has no rank"),
        (lines(bytes_ranks(b"ab")) + b"YWI= 300\n", "line 258 gives the token b'ab' a second rank"),
        (lines(bytes_ranks(b"ab")) + b"YWJj 256\n", "id 256 is given to both"),
        (lines(bytes_ranks(b"ab")) + b"YWJj 4000000000\n", "have ids 0 to"),
        (lines(bytes_ranks(b"ab")) + b"YWJj -1\n", "line 258"),
        (lines(bytes_ranks(b"ab")) + b"YWJj nan\n", "line 258"),
        (lines(bytes_ranks(b"ab")) + b"????? 300\n", "line 258"),
        (lines(bytes_ranks(b"ab")) + b"\xff\xfe 300\n", "line 258"),
        (lines(bytes_ranks(b"ab"))[:-3], "id 25? is given|id 2 is given"),
        (b"", "empty file"),
    ],
)
def test_hostile_ranks(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "cl100k_base.tiktoken").write_bytes(content)
    with pytest.raises(FormatError, match=message):
        Tokenizer.from_file(tmp_path / "cl100k_base.tiktoken")


def test_public_files_are_known_by_name(tmp_path: Path) -> None:
    ranks = bytes_ranks() | {bytes([n // 250, n % 250]): 256 + n for n in range(50_000)}
    (tmp_path / "r50k_base.tiktoken").write_bytes(lines(ranks))
    tok = Tokenizer.from_file(tmp_path)
    assert (tok.pattern, tok.special_tokens, tok.vocab_size) == ("gpt2", {"<|endoftext|>": 50256}, 50257)
    assert Tokenizer.from_file(tmp_path, special_tokens={}).special_tokens == {}
    (tmp_path / "r50k_base.tiktoken").write_bytes(lines(dict(list(ranks.items())[:-1])))
    assert Tokenizer.from_file(tmp_path).special_tokens == {}  # another vocabulary of that name


def test_what_the_formats_cannot_hold_is_refused_by_name(
    tmp_path: Path, mixed: Tokenizer, low_lower: Tokenizer
) -> None:
    with pytest.raises(FormatError, match="holds bytes, or characters with '</w>'"):
        low_lower.export(tmp_path / "low", "gpt2")
    with pytest.raises(FormatError, match="characters"):
        low_lower.as_tiktoken()
    with pytest.raises(FormatError, match="no place for a pattern.*'o200k'"):
        mixed.export(tmp_path / "mixed", "gpt2")
    with pytest.raises(FormatError, match="choose one of tokenizer.json"):
        mixed.export(tmp_path / "mixed", "parquet")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("change", [lambda data: codecs.BOM_UTF8 + data, lambda data: data.replace(b"\n", b"\r\n"), lambda data: b"\n" + data,
                                    lambda data: data + b"= 300\n", lambda data: data.removesuffix(b"\n"), lambda data: data.replace(b" ", b"  ", 3),
                                    lambda data: b"".join(reversed(data.splitlines(keepends=True)))])  # fmt: skip
def test_files_of_ranks_in_other_dress(change: Callable[[bytes], bytes], tmp_path: Path) -> None:
    """The usual form is read by the core, others line by line in Python; an empty token, as Whisper's, is left out."""
    bytes_only = learn_bpe(PretokenCounts.from_iterator([TEXT], "gpt2"), 300)
    bytes_only.export(tmp_path / "plain.tiktoken", "tiktoken")
    path = tmp_path / "changed.tiktoken"
    path.write_bytes(change((tmp_path / "plain.tiktoken").read_bytes()))
    assert Tokenizer.from_tiktoken(path, "gpt2").digest == bytes_only.digest
