"""Local corpora on the command line: which task and columns are read is said, and every remedy names an option that exists."""

from __future__ import annotations

import inspect
from pathlib import Path

import click
import datasets
import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from safetensors.torch import load_file

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.cli import cli
from bpe_transformer.errors import DataLossError

_TINY = (
    *("--d-model", "8", "--n-layers", "1", "--n-heads", "2", "--d-ff", "8", "--max-len", "16"),
    *("--epochs", "1", "--eval-tokens", "50", "--device", "cpu"),
)


@pytest.fixture(autouse=True)
def datasets_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("tokenizer") / "t"
    counts = PretokenCounts.from_iterator(["one two three", "eins zwei drei", "Good film number"])
    learn_bpe(counts, vocab_size=270, special_tokens=["<pad>", "<s>", "</s>"]).save(folder)
    return str(folder)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


def train(corpus: str, tokenizer: str, tmp_path: Path, *more: str) -> Result:
    return run("train", corpus, "-o", str(tmp_path / "run"), "--overwrite", "--tokenizer", tokenizer, *_TINY, *more)


def test_two_columns_of_text_are_translated_and_said(tokenizer: str, tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("a\tb\n" + "one two three\teins zwei drei\n" * 6)
    result = train(str(pairs), tokenizer, tmp_path)
    assert result.exit_code == 0, result.output
    assert "task: translation, a to b (by their values: a label" not in result.output
    assert "task: translation, a to b" in result.output
    assert "validation: 1 of 6 rows held out, drawn with seed 1" in result.output
    assert "5 of 5 training rows are also validation rows" in result.output
    for options, message in (
        (("--src", "en"), "no column 'en'; its columns are a, b"),
        (("--tgt", "de"), "no column 'de'; its columns are a, b"),
        (("--validation", "train[0%:]"), "takes all 6 rows"),
    ):
        result = train(str(pairs), tokenizer, tmp_path, *options)
        assert result.exit_code == 1
        assert message in str(result.exception)


def test_a_language_model_keeps_line_breaks(tokenizer: str, tmp_path: Path) -> None:
    novel = tmp_path / "novel.txt"
    novel.write_text("one two\nthree\n\n" * 30)
    result = train(str(novel), tokenizer, tmp_path)
    assert result.exit_code == 0, result.output
    assert "task: language model, text" in result.output
    assert "documents: every paragraph is one (--documents line, paragraph or file)" in result.output
    short = tmp_path / "short.txt"  # less than a window
    short.write_text("one two\n")
    assert train(str(short), tokenizer, tmp_path).exit_code == 0
    result = run("evaluate", str(tmp_path / "run"), str(novel))  # the default split of a file is the file
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("train")
    assert "30 documents" in result.stdout


def test_errors_and_unread_files(tokenizer: str, tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.jsonl").write_bytes(b'{"text": "one \xff two"}\n{"text": "three \\ud800"}\n' * 3)
    (folder / "scan.pdf").write_bytes(b"%PDF")
    refused = train(str(folder), tokenizer, tmp_path)
    assert refused.exit_code == 1
    assert "is not UTF-8" in str(refused.exception)
    result = train(str(folder), tokenizer, tmp_path, "--errors", "replace")
    assert result.exit_code == 0, result.output
    assert "holds scan.pdf besides, which is not read" in result.output
    assert "6 characters replaced by U+FFFD" in result.output
    lossy = train(str(folder), tokenizer, tmp_path, "--errors", "replace", "--fail-above", "0.1%")
    assert isinstance(lossy.exception, DataLossError)


def test_a_table_without_a_header_is_told_and_named(tokenizer: str, tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("one two.\teins zwei.\n" * 6)
    assert "looks like a row; read it as one with" in train(str(pairs), tokenizer, tmp_path).output
    result = train(str(pairs), tokenizer, tmp_path, "--columns", "en,de")
    assert result.exit_code == 0, result.output
    assert "task: translation, en to de" in result.output
    assert "validation: 1 of 6 rows" in result.output
    assert "column1" in train(str(pairs), tokenizer, tmp_path, "--no-header").output


def test_commands_that_read_text_have_the_option_that_messages_recommend() -> None:
    readers = ("read_text(", "load_corpus(", "load_with_validation(", "TextLines(", "ScoredCorpora(", "file_text(")
    for name in cli.list_commands(click.Context(cli)):
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        assert command.callback is not None
        source = inspect.getsource(inspect.getmodule(inspect.unwrap(command.callback)))  # type: ignore[arg-type]
        if name != "demo" and any(reader in source for reader in readers):
            assert any(parameter.name == "errors" for parameter in command.params), name


def test_a_flat_file_is_trained_on_and_gone_on_with(tokenizer: str, tmp_path: Path) -> None:
    """nanoGPT's: ids alone, documents divided by the end-of-sequence id."""
    vocabulary = Tokenizer.load(tokenizer)
    end = vocabulary.special_tokens["</s>"]
    texts = ["one two three", "three two", "one"] * 8
    np.array([id for text in texts for id in (*vocabulary.encode(text), end)], "<u2").tofile(tmp_path / "x.bin")
    corpus, shape = str(tmp_path / "x.bin"), _TINY[: _TINY.index("--epochs")]
    how = (*shape, "--schedule", "constant", "--warmup", "1", "--eval-steps", "2", "--average-last", "1")
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    for folder, steps in ((whole, "4"), (parts, "2")):
        done = run("train", corpus, "-o", str(folder), "--tokenizer", tokenizer, *how, "--steps", steps)
        assert done.exit_code == 0, done.output
        assert "drawn by seed 1" in done.output
    done = run("train", corpus, "-o", str(parts), "--resume", "--steps", "4")  # its tokenizer lies with it
    assert done.exit_code == 0, done.output
    one, other = (load_file(folder / "model.safetensors") for folder in (whole, parts))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    refused = run("train", corpus, "-o", str(tmp_path / "more"), "--tokenizer", tokenizer, *how, "--samples", "2")
    assert refused.exit_code == 2
    assert "--samples 2 needs texts" in refused.output
    assert not (tmp_path / "more").exists()
    assert run("train", corpus, "-o", str(tmp_path / "more"), *how).exit_code == 1  # whose ids these are is not known
    assert not (tmp_path / "more").exists()


def test_what_is_lost_can_fail_a_training(tokenizer: str, tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("en\tde\n" + "one two three\teins zwei drei\n" * 30 + "one " * 400 + "\teins\n")
    result = train(str(pairs), tokenizer, tmp_path, "--fail-above", "1%", "--src", "en", "--tgt", "de")
    assert isinstance(result.exception, DataLossError)
    assert "1 row of 1,604 bytes dropped: longer than max_len" in str(result.exception)
    assert not (tmp_path / "run").exists()


def test_corpora_are_mixed_by_weights_or_sizes(tokenizer: str, tmp_path: Path) -> None:
    large, small = tmp_path / "large.txt", tmp_path / "small.txt"
    large.write_text("one two three\n\n" * 400)
    small.write_text("three two\n\n" * 60)
    corpora = (f"{large}:0.5", f"{small}:0.5")
    options = ("-o", str(tmp_path / "mixed"), "--overwrite", "--tokenizer", tokenizer, *_TINY, "--max-tokens", "64")
    result = run("train", *corpora, *options)
    assert result.exit_code == 0, result.output
    lines = [line for line in result.output.splitlines() if " times the corpus" in line]
    assert [name in line for name, line in zip((str(large), str(small)), lines, strict=True)] == [True, True]
    shares = [int(line.split(": ")[1].split(" of")[0]) for line in lines]
    assert abs(shares[0] - shares[1]) <= 1
    assert "% of their positions are padding" in result.output
    assert f"{small}, training, encode: 57 rows" in result.output
    even = run("train", str(large), str(small), *options, "--mix-temperature", "1000", "--bpe-dropout", "0.2")
    assert even.exit_code == 0, even.output
    tables = tmp_path / "pairs.tsv"
    tables.write_text("en\tde\n" + "one two three\teins zwei drei\n" * 9)
    refused = run("train", str(large), str(tables), *options)
    assert refused.exit_code == 1
    assert "corpora for different tasks cannot be mixed" in str(refused.exception)
    refused = run("train", f"{large}:0.5", str(small), *options)
    assert refused.exit_code == 1
    assert "2 corpora have the weights 0.5; give each one" in str(refused.exception)
