"""`vocab.json` and `merges.txt` as GPT-2, RoBERTa, CLIP, GPT and XLM have them, against the package that reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bpe_transformer import Tokenizer
from bpe_transformer.errors import FormatError

tokenizers = pytest.importorskip("tokenizers")

TEXTS = [
    "The lower, the newest: it's 1,234 low-lower prices!\n\n  ½ naïve  café 다람쥐 헌 쳇바퀴 ΣΟΦΟΣ 👩‍👩‍👧\t x²\n",
    "low lower",
    "",
    " ",
    "\n",
    "A",
] * 3
SPECIALS = ["<s>", "</s>", "<unk>"]


def files(tmp_path: Path, tok: Any, suffix: str = "", alphabet: list[str] | None = None, column: str = "") -> Any:
    """Trains `tok` and writes the two files; CLIP's hold all bytes twice."""
    options: dict[str, Any] = {"end_of_word_suffix": suffix} if suffix else {}
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=400, special_tokens=SPECIALS, initial_alphabet=alphabet or [], show_progress=False, **options
    )
    tok.train_from_iterator(TEXTS, trainer)
    model = json.loads(tok.to_str())["model"]
    vocab = model["vocab"]
    for letter in (alphabet or []) if suffix else []:
        vocab.setdefault(letter + suffix, len(vocab))
    merges = ["#version: 0.2", *(" ".join(merge) + column for merge in model["merges"]), ""]
    (tmp_path / "vocab.json").write_text(json.dumps(vocab), encoding="utf-8")
    (tmp_path / "merges.txt").write_text("\n".join(merges), encoding="utf-8")
    if suffix:
        options["unk_token"] = "<unk>"
    tok.model = tokenizers.models.BPE(vocab, [tuple(merge) for merge in model["merges"]], **options)
    return tok


BYTES = tokenizers.pre_tokenizers.ByteLevel.alphabet()


def gpt2(tmp_path: Path) -> Any:
    return files(tmp_path, tokenizers.ByteLevelBPETokenizer()._tokenizer, alphabet=BYTES)


def clip(tmp_path: Path) -> Any:
    from tokenizers import Regex, normalizers, pre_tokenizers

    tok = tokenizers.Tokenizer(tokenizers.models.BPE())
    tok.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    words = Regex(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tok.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(words, "removed", invert=True), byte_level])
    return files(tmp_path, tok, "</w>", BYTES)


def gpt(tmp_path: Path) -> Any:
    tok = tokenizers.Tokenizer(tokenizers.models.BPE(unk_token="<unk>"))
    tok.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    return files(tmp_path, tok, "</w>", [*map(chr, range(ord("a"), ord("z") + 1))], column=" 12")


@pytest.mark.parametrize("kind", [gpt2, clip, gpt])
def test_ids_are_those_of_the_package(kind: Any, tmp_path: Path) -> None:
    theirs = kind(tmp_path)
    ours = Tokenizer.from_file(tmp_path, verify=True)
    assert set(ours.special_tokens) == set(SPECIALS)
    for text in [*TEXTS, "widest 숲 ½½ \u00a0x"]:
        assert ours.encode(text) == theirs.encode(text).ids
    ours.export(tmp_path / "again", "gpt2")
    assert Tokenizer.from_file(tmp_path / "again").digest == ours.digest
    ours.save(tmp_path / "saved")
    assert Tokenizer.load(tmp_path / "saved").encode_batch(TEXTS).tolist() == ours.encode_batch(TEXTS).tolist()


def test_words_come_back_with_one_space_between_them(tmp_path: Path) -> None:
    clip(tmp_path)
    tok = Tokenizer.from_file(tmp_path)
    assert tok.decode(tok.encode("The  LOW er's\n숲 2²")) == "the low er 's 숲 2 ²"
    ids, offsets = tok.encode_offsets("The  LOW", "char")
    assert offsets[0].tolist()[0] == 0
    assert offsets[-1].tolist()[1] == 8
    assert len(ids) == len(offsets)


def test_bytes_may_be_missing(tmp_path: Path) -> None:
    files(
        tmp_path, tokenizers.ByteLevelBPETokenizer()._tokenizer, alphabet=[letter for letter in BYTES if letter != "z"]
    )
    tok = Tokenizer.from_file(tmp_path)
    assert tok.decode(tok.encode("low lower 숲"[:9])) == "low lower"
    with pytest.raises(Exception, match="0x7A at byte 4 is a byte without a token"):
        tok.encode("low z")


def test_lines_that_are_no_merge_are_named(tmp_path: Path) -> None:
    gpt2(tmp_path)
    (tmp_path / "merges.txt").write_text("#version: 0.2\nt h\nt h x\n", encoding="utf-8")
    with pytest.raises(FormatError, match="line 3 is 't h x'"):
        Tokenizer.from_file(tmp_path)
