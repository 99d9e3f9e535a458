"""Formats that are only read (tekken.json, ranks in JSON, CLIP's merges), and files that are not vocabularies of merges."""

from __future__ import annotations

import base64
import gzip
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.errors import FormatError
from bpe_transformer.tokenizer.splitting.byte_level import CHAR_OF_BYTE, gpt2_byte_order, name_of
from bpe_transformer.tokenizer.splitting.patterns import PATTERNS

TEXT = "The lower the newest, the widest: 1,234 low prices! 다람쥐 헌 쳇바퀴에\n\n"


@pytest.fixture(scope="module")
def learned() -> Tokenizer:
    return learn_bpe(PretokenCounts.from_iterator([TEXT] * 9, "gpt2"), 300)


def tekken(tok: Tokenizer, **changes: Any) -> dict[str, Any]:
    tokens = [tok.token_bytes(id) for id in range(tok.vocab_size)]
    vocab = [
        {"rank": rank, "token_bytes": base64.b64encode(token).decode(), "token_str": None}
        for rank, token in enumerate(tokens)
    ]
    config = {
        "pattern": PATTERNS["gpt2"],
        "num_vocab_tokens": len(vocab),
        "default_vocab_size": 310,
        "default_num_special_tokens": 30,
    }
    return {"config": config | changes.pop("config", {}), "vocab": vocab} | changes


def ranks_json(tok: Tokenizer, **changes: Any) -> dict[str, Any]:
    tokens = [base64.b64encode(tok.token_bytes(id)).decode() for id in range(tok.vocab_size)]
    lines = [f"! 2 {' '.join(tokens[:100])}", f"! 102 {' '.join(tokens[100:])}"]
    document = {"pat_str": PATTERNS["gpt2"], "special_tokens": {"<EOT>": 0, "<META>": 1}, "bpe_ranks": "\n".join(lines)}
    return document | changes


def load(folder: Path, name: str, content: object) -> Tokenizer:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return Tokenizer.from_file(path)


def test_tekken_has_special_tokens_first_and_only_so_many_ranks(learned: Tokenizer, tmp_path: Path) -> None:
    read = load(tmp_path, "tekken.json", tekken(learned))
    shorter = learned.truncate(280)
    assert read.encode(TEXT) == [id + 30 for id in shorter.encode(TEXT)]
    assert read.decode(read.encode(TEXT)) == TEXT
    assert read.vocab_size == 310
    assert (read.special_tokens["<s>"], read.special_tokens["<pad>"], read.special_tokens["<SPECIAL_29>"]) == (
        1,
        11,
        29,
    )
    assert Tokenizer.from_file(tmp_path).digest == read.digest
    named = load(
        tmp_path, "other.json", tekken(learned, special_tokens=[{"rank": 2, "token_str": "<end>", "is_control": True}])
    )
    assert (named.special_tokens["<end>"], named.special_tokens["<SPECIAL_0>"]) == (2, 0)


def test_ranks_in_json(learned: Tokenizer, tmp_path: Path) -> None:
    read = load(tmp_path, "claude.json", ranks_json(learned))
    assert read.encode(TEXT) == [id + 2 for id in learned.encode(TEXT)]
    assert read.special_tokens == {"<EOT>": 0, "<META>": 1}


@pytest.mark.parametrize(
    ("make", "changes", "message"),
    [
        (tekken, {"config": {"default_vocab_size": 10**9}}, "claims 1000000000 tokens"),
        (tekken, {"config": {"default_num_special_tokens": -1}}, "special ones"),
        (tekken, {"config": {"pattern": 3}}, "pattern"),
        (tekken, {"vocab": [{"rank": 0, "token_bytes": "%%"}] * 300}, r"vocab\[0\].token_bytes is '%%', not base64"),
        (tekken, {"vocab": [{"rank": 1, "token_bytes": "AA=="}] * 300}, r"vocab\[0\] is"),
        (tekken, {"special_tokens": [{"rank": 99, "token_str": "<a>"}]}, r"special_tokens\[0\]"),
        (tekken, {"special_tokens": [{"rank": 0, "token_str": "<a>"}, {"rank": 1, "token_str": "<a>"}]}, "one name"),
        (ranks_json, {"bpe_ranks": "! x IQ=="}, "line 1"),
        (ranks_json, {"bpe_ranks": "! 0 IQ== IQ=="}, "two ranks"),
        (ranks_json, {"bpe_ranks": "! 0 IQ"}, "not base64"),
        (ranks_json, {"bpe_ranks": 7}, "bpe_ranks"),
        (ranks_json, {"special_tokens": {"<a>": 10**12}}, "ranks.*; correct the id"),
        (ranks_json, {"special_tokens": {"<a>": -1}}, "the id of '<a>' is -1; .*; correct the id"),
        (ranks_json, {"pat_str": "("}, r"pat_str '\(' does not compile: .*; correct it in the file"),
        (tekken, {"config": {"pattern": "("}}, r"config.pattern '\(' does not compile: .*; correct it in the file"),
    ],
)  # fmt: skip
def test_damaged_files_are_refused(
    learned: Tokenizer, tmp_path: Path, make: Callable[..., Any], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(FormatError, match=message):
        load(tmp_path, "x.json", make(learned, **changes))


def clip_lines() -> list[str]:
    symbols = [CHAR_OF_BYTE[byte] for byte in gpt2_byte_order()]
    pairs = [f"{left} {right}{end}" for end in ("", "</w>") for left in symbols for right in symbols]
    return ['"bpe_simple_vocab_16e6.txt#version: 0.2', "l o", "lo w</w>", *pairs][:60_000]


def test_clips_merges_packed_and_plain(tmp_path: Path) -> None:
    lines = list(dict.fromkeys(clip_lines()))
    content = "\n".join(lines).encode()
    read = load(tmp_path, "bpe_simple_vocab_16e6.txt.gz", gzip.compress(content))
    assert read.digest == load(tmp_path, "bpe_simple_vocab_16e6.txt", content).digest
    assert read.vocab_size == 49_408
    assert read.special_tokens == {"<|startoftext|>": 49_406, "<|endoftext|>": 49_407}
    assert read.encode("LOW  low") == [513, 513]
    for damaged in (
        gzip.compress(content)[:9000],
        gzip.compress("\n".join(lines[:100]).encode()),
        content[:500] + b"\na b c\n",
    ):
        with pytest.raises(FormatError, match="cut off|line"):
            load(tmp_path, "bpe_simple_vocab_16e6.txt.gz", damaged)


@pytest.mark.parametrize("name", ["tokenizer.json", "vocab.json", "tekken.json", "codes"])
def test_a_byte_order_mark_is_no_part_of_the_text(learned: Tokenizer, tmp_path: Path, name: str) -> None:
    names = [name_of(learned.token_bytes(id)) for id in range(learned.vocab_size)]
    lines = [f"{names[left]} {names[right]}" for left, right in learned.merges]
    contents = {
        "vocab.json": json.dumps({name: id for id, name in enumerate(names)}),
        "merges.txt": "\n".join(["#version: 0.2", *lines, ""]),
        "tekken.json": json.dumps(tekken(learned)),
        "codes": "#version: 0.2\ne r</w>\nt h\n",
    }
    learned.export(tmp_path / "tokenizer.json")
    contents["tokenizer.json"] = (tmp_path / "tokenizer.json").read_text(encoding="utf-8")
    digests = []
    for mark in ("", "\ufeff"):
        folder = tmp_path / f"folder{len(mark)}"
        folder.mkdir()
        for file in {name, "merges.txt"} if name == "vocab.json" else {name}:
            (folder / file).write_text(mark + contents[file], encoding="utf-8")
        digests.append(Tokenizer.from_file(folder / name, verify=name != "tekken.json").digest)
    assert digests[0] == digests[1]


def test_codes_in_which_no_merge_ends_a_word(tmp_path: Path) -> None:
    assert load(tmp_path, "codes", b"#version: 0.2\ne r\nt h\n").merges == [(0, 2), (3, 1)]


def test_ranks_with_a_byte_order_mark_and_an_empty_token(learned: Tokenizer, tmp_path: Path) -> None:
    lines = [base64.b64encode(learned.token_bytes(id)) + b" %d\n" % id for id in range(learned.vocab_size)]
    content = b"\xef\xbb\xbf" + b"".join(lines) + b"= 300\n"
    assert load(tmp_path, "multilingual.tiktoken", content).encode(TEXT) == learned.encode(TEXT)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("tokenizer.json", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 7\n", "Git LFS pointer.*git lfs pull"),
        ("tokenizer.model", b"GGUF\x03\0\0\0", "GGUF"),
        ("tokenizer.json", b"\n<!DOCTYPE html>\n<html>", "web page"),
        ("tokenizer.json", b"<html><head>", "web page"),
        ("tokenizer.pkl", b"PK\x03\x04zip", "zip archive"),
        ("vocab.txt", b"[PAD]\n[UNK]\nthe\n", "WordPiece"),
        ("bert.txt", b"[PAD]\n[UNK]\nthe\n##s\n", "WordPiece"),
        ("bpe.model", b"5 2\n9601 1\n97 2\n1 2 3\n", "YouTokenToMe"),
        ("tokenizer.json", b"", "empty file"),
        ("tokenizer.json", b" \n", "empty file"),
        ("merges-of-gpt2.txt", "#version: 0.2\n\u0120 t\nh e\n".encode(), "merges of GPT-2.*call it merges.txt"),
        ("a.json.gz", gzip.compress(b"{}" * 999, mtime=0), "gzip data; unpack it first"),
        ("a.json.gz", gzip.compress(bytes(range(256)), mtime=0)[:-40], "gzip data that is cut off or damaged"),
        ("bpe_simple_vocab_16e6.txt.gz", b"\x1f\x8b\x08broken", "gzip data that is cut off or damaged"),
        ("a.json.zst", pa.compress(b"{}" * 999, codec="zstd", asbytes=True), "zstd data; unpack it first"),
        ("a.json.zst", pa.compress(b"{}" * 999, codec="zstd", asbytes=True)[:-5], "zstd data that is cut off or damaged"),
        ("a.safetensors", b"\x0a\0\0\0\0\0\0\0{\"a\": {}}  ", "weights .safetensors.; give the tokenizer's own file"),
        ("a", b"\x7fELF" + bytes(60), "program; give the tokenizer's own file"),
        ("a.parquet", b"PAR1" + bytes(20), "Parquet table; give the tokenizer's own file"),
        ("a.pkl", pickle.dumps({"a": [1, "x"]}, 0), "pickle of protocol 0 or 1.*; give the tokenizer's own file"),
        ("a.pkl", pickle.dumps([1], 1), "pickle of protocol 0 or 1"),
        ("a.json", "{}".encode("utf-16"), "text in UTF-16; save it as UTF-8"),
        ("a.model", b"\x0a\xff\xff\xff\xff\x7f", "the SentencePiece model: field 1 at byte 0 claims"),
        ("a.model", b"\xf4\x01\xff", "the SentencePiece model: byte 0 has the wire type 4"),
        ("a.json", b"<?xml version='1.0'?>\n<Error><Code>AccessDenied</Code></Error>", r"error of a download \(AccessDenied\).*; check the address"),
        ("a.json", b"Entry not found", r"error of a download \(Entry not found\)"),
        ("a.json", b'{"error": "Repository not found"}', r"error of a download \('Repository not found'\)"),
        ("a.json", b"<?xml version='1.0'?><!DOCTYPE html><html>", "web page"),
        ("a.json", b"<?xml version='1.0'?><a/>", "XML document; give the tokenizer's own file"),
        ("vocab.json", b'{"a": 0}', "merges.txt is not beside it"),
        ("merges.txt", b"#version: 0.2\na b\n", "vocab.json is not beside it"),
        ("null.json", b"null", "the JSON document is null, not an object; name"),
        ("number.json", b" 5\n", "the JSON document is 5, not an object; name"),
        ("text.json", b'"abc"', 'the JSON document is "abc", not an object; name'),
        ("text.txt", b"some words", "not JSON, nor another format"),
        ("codes", b"#version: 0.2\ne r\na b c d\n", "codes: line 3 is 'a b c d', not two symbols"),
        ("codes", b"#version: 9\na b\n", "begins with '#version: 9', not '#version: 0.2'"),
        ("a.tiktoken", b"no!base64 0\n", "line 1 is b'no!base64 0', not a token in base64 and its rank"),
        ("a.tiktoken", b"YQ== x\n", "line 1 is b'YQ== x'"),
        ("a.tiktoken", b"YQ==\n", "line 1 is b'YQ=='"),
        ("ranks", b"Y 0\nYg== 1\nYw== 2\n", "line 1 is b'Y 0'"),
        ("ranks", b"YQ== 0\nYg== 1\nYw== 2\nZA==\n", "line 4 is b'ZA=='"),
    ],
)  # fmt: skip
def test_other_files_are_named_as_what_they_are(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        load(tmp_path, name, content)


def test_the_shown_form_is_short(learned: Tokenizer, tmp_path: Path) -> None:
    assert len(repr(load(tmp_path, "tekken.json", tekken(learned)))) < 300
