"""subword-nmt's codes with a vocabulary and a threshold: merges whose token is not in it are undone, as by its apply-bpe."""

from __future__ import annotations

import copy
import json
import pickle
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.errors import BpeTransformerError, DecodingError, FormatError
from bpe_transformer.tokenizer.encoding import reference
from bpe_transformer.tokenizer.vocabulary.model import BpeModel

# "lowe" and "lower</w>" are made twice, one pair is there twice, "est</w>" is a step on the way to "west</w>"
MERGES = """l o
e r</w>
lo w
s t</w>
e st</w>
w est</w>
n e
ne west</w>
low e
lo we
w e
lowe r</w>
low er</w>
lo we
a a
aa aa
aaaa a</w>
람 쥐</w>
다 람쥐</w>"""
VOCABULARY = """low@@ 90
er 80
n@@ 60
e@@ 55
w@@ 50
est 45
newest 40
lo@@ 31
l@@ 30
o@@ 30
s@@ 20
t 19
a@@ 18
a 17
r 16
aa@@ 15
다람쥐 12
다@@ 11
람@@ 9
쥐 8
lower 5
lowe@@ 5"""
THRESHOLDS = (0, 9, 15, 18, 30, 50, 85)
WORDS = st.lists(
    st.one_of(
        st.sampled_from(
            ["low", "lower", "lowest", "newest", "newer", "aaaaa", "aaaa", "다람쥐", "쥐", "lowelowe", "t", "q"]
        ),
        st.text("lowernsta다람쥐q.", min_size=1, max_size=9),
        st.lists(st.sampled_from(["low", "lowe", "est", "er", "we", "aa", "다", "람쥐", "ne"]), max_size=5).map(
            "".join
        ),
    ),
    max_size=8,
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("subword-nmt")
    (folder / "codes.txt").write_text(f"#version: 0.2\n{MERGES}\n", encoding="utf-8")
    (folder / "vocabulary.txt").write_text(f"{VOCABULARY}\n", encoding="utf-8")
    return folder / "codes.txt", folder / "vocabulary.txt"


@pytest.fixture(scope="module")
def read(files: tuple[Path, Path]) -> Callable[[int], Tokenizer]:
    found = {threshold: Tokenizer.from_subword_nmt(*files, threshold=threshold) for threshold in THRESHOLDS}
    return found.__getitem__


def lines_kept(threshold: int) -> list[str]:
    return [line.split()[0] for line in VOCABULARY.split("\n") if int(line.split()[1]) >= threshold]


def expected_pieces(word: str, kept: set[str]) -> list[str]:
    """What `subword-nmt apply-bpe` writes for a word, in the plainest way: merge all, then split again from the top."""
    pairs = [tuple(line.split()) for line in MERGES.split("\n")]
    rank = {pair: pairs.index(pair) for pair in pairs}
    symbols = [*word[:-1], f"{word[-1]}</w>"]
    while found := [pair for pair in zip(symbols, symbols[1:], strict=False) if pair in rank]:
        symbols = merged(symbols, min(found, key=rank.__getitem__))
    # of several pairs that make one token the first counts, and a pair stands where it is listed last
    last = {pair: len(pairs) - 1 - pairs[::-1].index(pair) for pair in pairs}
    sides = {"".join(pair): pair for pair in sorted(last, key=last.__getitem__, reverse=True)}

    def written(symbol: str) -> str:
        return symbol.removesuffix("</w>") if symbol.endswith("</w>") else f"{symbol}@@"

    def split(symbol: str) -> list[str]:
        if written(symbol) in kept or symbol not in sides:
            return [written(symbol)]
        return [piece for side in sides[symbol] for piece in split(side)]

    return [piece for symbol in symbols for piece in split(symbol)]


def merged(symbols: list[str], pair: tuple[str, ...]) -> list[str]:
    out: list[str] = []
    at = 0
    while at < len(symbols):
        both = tuple(symbols[at : at + 2]) == pair
        out.append("".join(pair) if both else symbols[at])
        at += 2 if both else 1
    return out


def expected_ids(text: str, threshold: int) -> list[int]:
    kept = lines_kept(threshold)
    ids = {piece: id for id, piece in enumerate(kept)}
    return [ids.get(piece, len(kept)) for word in text.split() for piece in expected_pieces(word, {*kept})]


@pytest.mark.parametrize(
    ("threshold", "text", "pieces"),  # as subword-nmt 0.3.8 writes them
    [
        (0, "lower lowest newest aaaaa 다람쥐 low", "lower low@@ est newest aa@@ aa@@ a 다람쥐 lo@@ w"),
        (15, "newer lowelowe 다람쥐", "n@@ e@@ w@@ er low@@ e@@ low@@ e 다@@ 람@@ 쥐"),
        (30, "lower lowest newest aaaaa t q", "low@@ e@@ r low@@ est newest a@@ a@@ a@@ a@@ a t q"),
        (85, "lower newest lowly", "low@@ e@@ r n@@ e@@ w@@ e@@ s@@ t low@@ l@@ y"),
    ],
)
def test_what_the_package_writes(read: Callable[[int], Tokenizer], threshold: int, text: str, pieces: str) -> None:
    ids = {piece: id for id, piece in enumerate(lines_kept(threshold))}
    expected = [ids.get(piece, len(ids)) for piece in pieces.split()]
    assert read(threshold).encode(text) == expected == expected_ids(text, threshold)


@given(words=WORDS, threshold=st.sampled_from(THRESHOLDS))
@settings(max_examples=100, deadline=None)
def test_every_way_of_encoding_gives_those_ids(
    read: Callable[[int], Tokenizer], words: list[str], threshold: int
) -> None:
    tok, text = read(threshold), " ".join(words)
    expected = expected_ids(text, threshold)
    assert tok.encode(text) == expected
    assert tok.encode(text) == expected, "from the cache"
    assert [row.tolist() for row in tok.encode_batch([text, *words, text])] == [
        expected,
        *(expected_ids(word, threshold) for word in words),
        expected,
    ]
    assert tok.count(text) == len(expected)
    places = reference.encode(tok.model, text)
    ids, offsets = tok.encode_offsets(text)
    assert [(id, *span) for id, span in zip(ids, offsets.tolist(), strict=True)] == places
    assert [id for id, _, _ in places] == expected
    rows, offsets = tok.encode_offsets_batch([text], "char")
    assert rows.ids.tolist() == expected
    unknown = tok.special_tokens["<unk>"]
    for id, (start, stop) in zip(expected, offsets.tolist(), strict=True):
        piece = tok.token_bytes(id).decode().removesuffix("</w>")
        assert stop - start == 1 if id == unknown else text[start:stop] == piece
    if unknown not in expected:
        assert tok.decode(expected) == " ".join(text.split())


def test_a_word_too_long_for_the_cache(read: Callable[[int], Tokenizer]) -> None:
    word = "lowernewest" * 2000
    assert read(18).encode(f"{word} low {word}") == expected_ids(f"{word} low {word}", 18)


def test_the_package_agrees_on_random_words(files: tuple[Path, Path], read: Callable[[int], Tokenizer]) -> None:
    apply_bpe = pytest.importorskip("subword_nmt.apply_bpe")
    random.seed(3)
    words = ["".join(random.choices("lowernsta다람쥐q.", k=random.randint(1, 9))) for _ in range(500)]
    for threshold in THRESHOLDS:
        with open(files[0], encoding="utf-8") as codes, open(files[1], encoding="utf-8") as vocabulary:
            theirs = apply_bpe.BPE(codes, vocab=apply_bpe.read_vocabulary(vocabulary, threshold))
        ids = {piece: id for id, piece in enumerate(lines_kept(threshold))}
        expected = [ids.get(piece, len(ids)) for piece in theirs.segment(" ".join(words)).split()]
        assert read(threshold).encode(" ".join(words)) == expected


def test_ids_are_the_lines_that_are_kept(read: Callable[[int], Tokenizer]) -> None:
    tok = read(18)
    assert len(lines_kept(18)) == 13
    assert (tok.vocab_size, tok.special_tokens, tok.unk_token) == (14, {"<unk>": 13}, "<unk>")
    names = [tok.token_bytes(id).decode() for id in range(13)]
    assert [n.removesuffix("</w>") if n.endswith("</w>") else f"{n}@@" for n in names] == lines_kept(18)
    with pytest.raises(DecodingError, match="ids 0 to 13"):
        tok.decode([14])
    with pytest.raises(DecodingError, match="ids 0 to 13"):
        tok.decode_batch([[0], [14]])
    undone = tok.id_of("lowe")
    assert undone >= tok.vocab_size
    assert [tok.token_bytes(id) for id in tok.model.undone[undone]] == [b"low", b"e"]


def test_dropout_leaves_out_merges_before_tokens_are_undone(read: Callable[[int], Tokenizer]) -> None:
    text = "lower lowest newest aaaaa 다람쥐 low newer lowelowe " * 40 + "lowernewest" * 30
    for threshold in THRESHOLDS:
        tok = read(threshold)
        assert tok.encode(text, dropout=1e-12, seed=1) == tok.encode(text)
        pieces = expected_ids(" ".join(text.replace(" ", "  ").split()), threshold)
        assert tok.encode(text) == pieces
        rows = [tok.encode(text, dropout=0.3, seed=seed) for seed in range(3)]
        assert all(max(row) < tok.vocab_size for row in rows)
        assert rows[0] == tok.encode_batch([text], dropout=0.3, seed=0).ids.tolist()
        if threshold < 85:
            assert rows[0] != rows[1]
        known = [tok.token_bytes(id) for id in range(tok.vocab_size)]
        assert all(len({*map(known.__getitem__, row)}) > 1 for row in rows)
        symbols = [id for word in text.split() for id in expected_ids_without_merges(word, threshold)]
        assert tok.encode(text, dropout=1.0, seed=5) == symbols


def expected_ids_without_merges(word: str, threshold: int) -> list[int]:
    kept = lines_kept(threshold)
    ids = {piece: id for id, piece in enumerate(kept)}
    return [ids.get(piece, len(kept)) for piece in (*(f"{character}@@" for character in word[:-1]), word[-1])]


def test_use_of_tokens_in_counts(read: Callable[[int], Tokenizer]) -> None:
    from bpe_transformer.tokenizer.resizing import token_usage

    tok, text = read(18), "lower lowest newest aaaaa 다람쥐 low q low"
    used = token_usage(tok.codec, PretokenCounts.from_iterator([text], "whitespace"))
    assert used.counts.tolist() == np.bincount(tok.encode(text), minlength=14).tolist()
    assert used.in_words == used.total == len(tok.encode(text))


def test_saved_and_loaded(tmp_path: Path, read: Callable[[int], Tokenizer]) -> None:
    tok = read(18)
    tok.save(tmp_path / "tok")
    loaded = Tokenizer.load(tmp_path / "tok")
    assert (loaded.digest, loaded.vocab_size, loaded.merges) == (tok.digest, 14, tok.merges)
    assert loaded.model.undone == tok.model.undone
    assert Tokenizer.from_file(tmp_path / "tok", verify=True).encode("lowest newer q") == tok.encode("lowest newer q")
    loaded.save(tmp_path / "again")
    assert (tmp_path / "again/tokenizer.json").read_bytes() == (tmp_path / "tok/tokenizer.json").read_bytes()
    copied = pickle.loads(pickle.dumps(tok))
    assert (copied.digest, copied.encode("lowest 다람쥐")) == (tok.digest, tok.encode("lowest 다람쥐"))
    assert len({read(threshold).digest for threshold in THRESHOLDS}) == len(THRESHOLDS)


def test_other_programs_refuse_the_saved_file(tmp_path: Path, read: Callable[[int], Tokenizer]) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    read(18).save(tmp_path)
    with pytest.raises(Exception, match="variant|expected"):
        tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))


def test_a_damaged_table_is_refused(tmp_path: Path, read: Callable[[int], Tokenizer]) -> None:
    read(18).save(tmp_path)
    whole = json.loads((tmp_path / "tokenizer.json").read_text(encoding="utf-8"))

    def refused(change: Callable[[dict[str, object]], object], message: str) -> None:
        document = copy.deepcopy(whole)
        change(document["model"])
        (tmp_path / "changed.json").write_text(json.dumps(document), encoding="utf-8")
        with pytest.raises(FormatError, match=message):
            Tokenizer.from_file(tmp_path / "changed.json")

    table = whole["model"]["undone"]
    refused(lambda model: model.update(type="BPE"), "goes with model.type")
    refused(lambda model: model.pop("undone"), "goes with model.type")
    refused(lambda model: model.update(undone={**table, "lowe": ["low"]}), "'lowe' does not become")
    refused(lambda model: model.update(undone={**table, "lowe": ["low", "nothing"]}), "'nothing' is no token")
    refused(lambda model: model.update(undone={**table, "lowe": ["low", "we"]}), "'lowe' does not become")
    refused(lambda model: model.update(undone={**table, "lowe": 3}), "is no token")
    refused(lambda model: model.update(undone={"lowe": ["low", "e"]}), "do not have the last ids")
    refused(lambda model: model.update(undone=[]), "undone")


@pytest.mark.parametrize("form", ["tokenizer.json", "tiktoken", "gpt2", "sentencepiece", "subword-nmt", "nanochat"])
def test_no_other_format_holds_it(tmp_path: Path, read: Callable[[int], Tokenizer], form: str) -> None:
    with pytest.raises(FormatError, match="cannot hold a vocabulary of subword-nmt with a threshold, .* 16 tokens"):
        read(18).export(tmp_path / "out", form)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_done_with_it_is_refused_in_one_line(read: Callable[[int], Tokenizer]) -> None:
    tok = read(18)
    counts = PretokenCounts.from_iterator(["low lower newest"] * 3, "whitespace")
    for attempt in (
        lambda: tok.truncate(13),
        lambda: tok.prune(counts),
        lambda: tok.prune(["low"]),
        lambda: learn_bpe(counts, 100, base=tok),
        tok.as_transformers,
        tok.as_tiktoken,
    ):
        with pytest.raises(BpeTransformerError) as problem:
            attempt()
        assert "\n" not in str(problem.value)
        assert "16 tokens are undone; read the codes without threshold" in str(problem.value)


@pytest.mark.parametrize(
    ("vocabulary", "options", "message"),
    [
        ("low@@\n", {}, "line 1 is 'low@@', without a count"),
        ("low@@ 3\ner x\n", {}, "line 2 is 'er x', without a count"),
        ("low@@ 3\nlow@@ 4\n", {}, "occurs on an earlier line"),
        ("low@@ 3\ner 17\n", {}, "no count reaches the threshold 18; the highest is 17"),
        ("low@@ 30\n", {"unk_token": None}, "give unk_token"),
        ("low@@ 30\n", {"alphabet": "xyz"}, "leave alphabet out"),
        ("low@@ 30\n", {"unk_token": "low"}, "have a token 'low' already"),
    ],
)
def test_hostile_vocabularies(
    tmp_path: Path, files: tuple[Path, Path], vocabulary: str, options: dict[str, Any], message: str
) -> None:
    (tmp_path / "v.txt").write_text(vocabulary, encoding="utf-8")
    with pytest.raises(FormatError, match=message):
        Tokenizer.from_subword_nmt(files[0], tmp_path / "v.txt", threshold=18, **options)


def test_a_threshold_needs_a_vocabulary(files: tuple[Path, Path]) -> None:
    with pytest.raises(FormatError, match="threshold=3 is for the counts of a vocabulary"):
        Tokenizer.from_subword_nmt(files[0], threshold=3)


def test_a_long_chain_of_merges(tmp_path: Path) -> None:
    """Two thousand merges, each one letter longer, of which the vocabulary has the first alone."""
    lines = [f"{'a' * n} a" for n in range(1, 2001)]
    (tmp_path / "codes").write_text("\n".join(["#version: 0.2", *lines, ""]), encoding="utf-8")
    (tmp_path / "vocabulary").write_text("aa@@ 9\na@@ 8\na 7\n", encoding="utf-8")
    tok = Tokenizer.from_subword_nmt(tmp_path / "codes", tmp_path / "vocabulary", threshold=1)
    assert tok.decode(tok.encode("a" * 1500)) == "a" * 1500
    assert isinstance(tok.model, BpeModel)
    assert tok.vocab_size == 4
