"""Codes of subword-nmt, learned here by that package, and ours written for it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.errors import FormatError

TEXT = "the lower the newest low widest, 다람쥐 헌 쳇바퀴에 it's 123 abcabcabd aaaa aaaaaaa naïve e\u0301 newest widest low"
WORDS = st.lists(st.text("abcdelowrstn다람쥐,.é", min_size=1, max_size=12), max_size=8)


@pytest.fixture(scope="module")
def codes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    package = pytest.importorskip("subword_nmt.learn_bpe")
    path = tmp_path_factory.mktemp("codes") / "codes.txt"
    out = io.StringIO()
    package.learn_bpe(io.StringIO(f"{TEXT}\n" * 5), out, 60)
    path.write_text(out.getvalue(), encoding="utf-8")
    return path


def theirs(codes: Path, text: str) -> list[str]:
    from subword_nmt.apply_bpe import BPE

    with open(codes, encoding="utf-8") as file:
        return [str(token) for token in BPE(file, separator="").segment_tokens(text.split(" "))]


def ours(tok: Tokenizer, text: str) -> list[str]:
    return [tok.model.decoded_bytes[id].decode().removesuffix(" ") for id in tok.encode(text)]


@given(words=WORDS)
@settings(max_examples=80, deadline=None)
def test_words_are_cut_as_by_the_package(codes: Path, words: list[str]) -> None:
    tok = Tokenizer.from_subword_nmt(codes, alphabet="abcdelowrstn다람쥐,.é")
    if words:
        assert ours(tok, " ".join(words)) == theirs(codes, " ".join(words))
    assert tok.decode(tok.encode(" ".join(words))) == " ".join(words)


def test_ids_from_a_vocabulary(codes: Path, tmp_path: Path) -> None:
    tokens = theirs(codes, TEXT)
    joined = [*dict.fromkeys(tokens)]
    (tmp_path / "vocab.txt").write_text("".join(f"{token}@@ 3\n" for token in joined[:5]) + "low 2\n", encoding="utf-8")
    tok = Tokenizer.from_subword_nmt(codes, tmp_path / "vocab.txt", alphabet=TEXT.replace(" ", ""))
    assert [tok.token_bytes(id).decode() for id in range(6)] == [*joined[:5], "low</w>"]
    assert ours(tok, TEXT) == tokens
    assert tok.encode("low") == [5]


def test_what_is_not_in_the_alphabet_is_unknown(codes: Path) -> None:
    tok = Tokenizer.from_file(codes)
    assert tok.unk_token == "<unk>"
    assert tok.special_tokens["<unk>"] in tok.encode("Ω")


def test_our_export_round_trip(tmp_path: Path) -> None:
    counts = PretokenCounts.from_iterator([TEXT], "whitespace")
    tok = learn_bpe(counts, 120, unit="char", end_of_word="</w>", unk_token="<unk>")
    tok.export(tmp_path / "my.codes", "subword-nmt")
    pytest.importorskip("subword_nmt")
    read = Tokenizer.from_subword_nmt(tmp_path / "my.codes", alphabet=TEXT.replace(" ", ""))
    assert theirs(tmp_path / "my.codes", TEXT) == ours(tok, TEXT) == ours(read, TEXT)
    assert Tokenizer.from_file(tmp_path).decode(Tokenizer.from_file(tmp_path).encode("low newest")) == "low newest"


def test_what_codes_cannot_hold_is_refused_by_name(tmp_path: Path, mixed: Tokenizer) -> None:
    with pytest.raises(FormatError, match="end_of_word=None"):
        mixed.export(tmp_path / "my.codes", "subword-nmt")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "begins with ''"),
        (b"l o\n", "only codes of version 0.2"),
        (b"#version: 0.1\nl o\n", "only codes of version 0.2"),
        (b"#version: 0.2\nl o w\n", "line 2 is 'l o w'"),
        (b"#version: 0.2\nl\n", "line 2 is 'l'"),
        (b"#version: 0.2\nl </w>\n", "merges make 'l</w>'"),
        (b"#version: 0.2\n\xff\xfe o\n", "not UTF-8"),
    ],
)
def test_hostile_codes(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "codes.txt").write_bytes(content)
    with pytest.raises(FormatError, match=message):
        Tokenizer.from_subword_nmt(tmp_path / "codes.txt")
