"""tokenizer.json: the `tokenizers` package is the oracle, hostile files the test."""

from __future__ import annotations

import copy
import json
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.errors import FormatError

TEXT = "The lower it's, 한국어 문장 newest\n\n  12345 widest!? <pad> é 👩‍👩‍👧\tx"


@pytest.mark.parametrize("pattern", ["gpt2", "cl100k", "o200k", "whitespace"])
def test_saved_bytes_load_and_encode_alike(tmp_path: Path, pattern: str) -> None:
    counts = PretokenCounts.from_iterator([TEXT, TEXT * 2], pattern)
    tok = learn_bpe(counts, 350, special_tokens=["<pad>", "</s>"])
    tok.save(tmp_path)
    ours, theirs = Tokenizer.load(tmp_path), tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert (ours.digest, ours.trace, ours.pattern, ours.special_tokens) == (
        tok.digest,
        tok.trace,
        pattern,
        tok.special_tokens,
    )
    ids = tok.encode(TEXT, allowed_special="all")
    assert ours.encode(TEXT, allowed_special="all") == theirs.encode(TEXT).ids == ids
    assert theirs.decode(ids, skip_special_tokens=False) == tok.decode(ids) == TEXT
    assert theirs.get_vocab_size() == tok.vocab_size


@pytest.mark.parametrize("end_of_word", [None, "</w>"])
def test_saved_characters_load_and_encode_alike(tmp_path: Path, end_of_word: str | None) -> None:
    counts = PretokenCounts.from_iterator(["low lower  newest", " 한국어 low"], "whitespace")
    tok = learn_bpe(counts, 60, unit="char", end_of_word=end_of_word, unk_token="<unk>", special_tokens=["<pad>"])
    tok.save(tmp_path)
    ours, theirs = Tokenizer.load(tmp_path), tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert ours.digest == tok.digest
    for text in ("low newest", " lower  한x국 low ", "widest\n"):
        ids = tok.encode(text)
        assert ours.encode(text) == theirs.encode(text).ids == ids
        assert theirs.decode(ids, skip_special_tokens=False) == tok.decode(ids)


def test_merges_and_ids_equal_tokenizers_on_real_text(tmp_path: Path) -> None:
    # a real text that lies on every machine, and no special token, so that both count ids alike
    source = Path(sysconfig.get_paths()["stdlib"], "argparse.py").read_text(encoding="utf-8")
    file = tmp_path / "text.txt"
    file.write_text(source + TEXT * 50, encoding="utf-8", newline="")
    theirs = tokenizers.Tokenizer(models.BPE())
    theirs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    theirs.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=2000, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    # whole text at once: `train` would cut the file at line ends
    theirs.train_from_iterator([source + TEXT * 50], trainer)
    ours = learn_bpe(PretokenCounts.from_files(file, "gpt2"), 2000, alphabet_order="gpt2")
    ours.save(tmp_path / "ours")
    mine = json.loads((tmp_path / "ours" / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    other = json.loads(theirs.to_str())["model"]
    assert mine["merges"] == other["merges"]
    assert mine["vocab"] == other["vocab"]
    assert ours.encode_ordinary(source) == theirs.encode(source).ids
    theirs.save(str(tmp_path / "tokenizer.json"))
    assert Tokenizer.load(tmp_path / "tokenizer.json").encode_ordinary(source) == ours.encode_ordinary(source)


def test_an_overwritten_tokenizer_leaves_no_trace_behind(tmp_path: Path, mixed: Tokenizer) -> None:
    mixed.save(tmp_path)
    Tokenizer(mixed.model).save(tmp_path)
    assert Tokenizer.load(tmp_path).trace is None
    assert not (tmp_path / "trace.parquet").exists()


def test_a_trace_of_another_tokenizer_is_refused(tmp_path: Path, mixed: Tokenizer, low_lower: Tokenizer) -> None:
    mixed.save(tmp_path)
    low_lower.save(tmp_path / "other")
    (tmp_path / "other" / "trace.parquet").replace(tmp_path / "trace.parquet")
    with pytest.raises(FormatError, match=r"trace.parquet .*manifest.json.*; write .* anew, or remove"):
        Tokenizer.load(tmp_path)
    (tmp_path / "manifest.json").unlink()  # as in a folder of an earlier release
    with pytest.raises(FormatError, match="is the trace of tokenizer"):
        Tokenizer.load(tmp_path)
    (tmp_path / "trace.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(FormatError, match="is not a merge trace"):
        Tokenizer.load(tmp_path)


def test_traces_of_earlier_releases_are_read(tmp_path: Path, mixed: Tokenizer) -> None:
    """They know of no base vocabulary, no characters left out and no interruption."""
    import pyarrow.parquet as pq

    mixed.save(tmp_path)
    (tmp_path / "manifest.json").unlink()
    table = pq.read_table(tmp_path / "trace.parquet")
    kept = {name: table.schema.metadata[name] for name in (b"digest", b"first_merge_id", b"tokens_at_start")}
    pq.write_table(table.replace_schema_metadata(kept), tmp_path / "trace.parquet")
    assert Tokenizer.load(tmp_path).trace == mixed.trace


def test_a_pattern_that_tokenizers_reads_differently_is_refused(tmp_path: Path) -> None:
    tok = learn_bpe(PretokenCounts.from_iterator([TEXT], r"\p{N}{1,3}+|\D"), 260)  # a repeated interval to Oniguruma
    with pytest.raises(FormatError, match="splits differently"):
        tok.save(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_two_tokens_of_one_name_are_refused(tmp_path: Path) -> None:
    tok = learn_bpe(PretokenCounts.from_words({"ba": 1, "a_b": 5, "a_c": 5}), 50, unit="char", end_of_word="_")
    with pytest.raises(FormatError, match="choose another end_of_word"):
        tok.save(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_mark_that_occurs_in_the_corpus_is_told_apart(tmp_path: Path) -> None:
    tok = learn_bpe(PretokenCounts.from_words({"ba": 1, "a_b": 5, "_": 1}), 50, unit="char", end_of_word="_")
    tok.save(tmp_path)
    assert Tokenizer.load(tmp_path).decode(tok.encode("a_b ba _ a_b")) == "a_b ba _ a_b"


def broken(**changes: Any) -> Any:
    tok = learn_bpe(PretokenCounts.from_words({"low": 2}), 258)
    from bpe_transformer.tokenizer.formats.tokenizer_json import to_json

    document = copy.deepcopy(to_json(tok.model))
    for path, value in changes.items():
        node = document
        *parents, last = path.split("__")
        for parent in parents:
            node = node[parent]
        node[last] = value
    return document


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "the document is \\[\\], not an object"),
        ({}, "model is missing"),
        ({"model": None}, "model is missing"),
        ({"model": {"type": "Unigram"}}, "only BPE"),
        (broken(model__merges=[["l", "o"], ["lo", "x"]]), "merge 1 .*needs the token 'lox'"),
        (broken(model__merges=[["l"]]), "model.merges: merge 0 is .*, not two names"),
        (broken(model__merges=[["l", ["o"]]]), "model.merges: merge 0 is .*, not two names"),
        (broken(model__merges="low"), "model.merges is 'low', not a list"),
        (broken(model__vocab={"a": 0, "b": 0}), "id 0 is given to both"),
        (broken(model__vocab={"a": 0, "b": 4_000_000_000}), "have ids 0 to"),
        (broken(model__vocab={"a": 0, "b": -1}), "have ids 0 to"),
        (broken(model__vocab={"a": float("nan")}), "not a whole number"),
        (broken(model__vocab={"a": 1.0}), "not a whole number"),
        (broken(model__vocab={"a": True}), "not a whole number"),
        (broken(model__vocab={"a": "x"}), "not a whole number"),
        (broken(model__vocab={"\u3042": 0}, model__merges=[]), "stands for no byte"),
        (broken(model__vocab={"\ud800": 0}, model__merges=[]), "stands for no byte"),
        (broken(model__vocab={}, model__merges=[]), "holds no token"),
        (broken(model__dropout="much"), "model.dropout is 'much', not a probability"),
        (broken(model__continuing_subword_prefix="##"), "model.continuing_subword_prefix"),
        (broken(normalizer={"type": "Uppercase"}), "normalizer is Uppercase, which is not supported"),
        (broken(normalizer={"type": "Sequence", "normalizers": [3]}), r"normalizer.normalizers\[0\] is 3"),
        (broken(pre_tokenizer={"type": "Metaspace"}), "pre_tokenizer.replacement is missing"),
        (broken(pre_tokenizer={"type": "UnicodeScripts"}), "pre_tokenizer is .*UnicodeScripts.* not supported"),
        (
            broken(pre_tokenizer={"type": "Split", "pattern": {"Regex": "("}}),
            "pre_tokenizer.behavior is missing|does not compile",
        ),
        (
            broken(post_processor={"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>"}}]}),
            "not a special token",
        ),
        (
            broken(
                post_processor={"type": "RobertaProcessing", "cls": ["<s>", 7], "sep": ["<s>", 300]},
                added_tokens=[{"id": 300, "content": "<s>", "special": True}],
            ),
            r"cls adds the ids \[7\] to a text for '<s>', which has id 300",
        ),
        (broken(added_tokens=[{"id": 0, "content": "<s>", "special": True}]), "id 0 is given to both"),
        (broken(added_tokens=[{"id": 1 << 40, "content": "<s>", "special": True}]), "have ids 0 to"),
        (broken(added_tokens=[{"id": 300, "content": ""}]), r"added_tokens\[0\].content is empty"),
        (broken(model__byte_fallback="yes"), "model.byte_fallback is 'yes', not true or false"),
    ],
)
def test_hostile_files(tmp_path: Path, document: Any, message: str) -> None:
    file = tmp_path / "tokenizer.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(FormatError, match=message):
        Tokenizer.load(file)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"model": 1e999}'])
def test_files_that_are_no_json(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "tokenizer.json"
    file.write_bytes(content)
    with pytest.raises(FormatError, match="tokenizer.json"):
        Tokenizer.load(file)
    with pytest.raises(FormatError, match="cannot be read"):
        Tokenizer.load(tmp_path / "nowhere")
