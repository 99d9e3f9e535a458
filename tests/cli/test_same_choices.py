"""`prepare` and `train` choose task, columns and the longest length alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bpe_transformer import Tokenizer
from bpe_transformer.data import TaskColumns, TokenStore
from bpe_transformer.training import RunResult, Settings, load_checkpoint_info

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpora")
    long = " ".join(["three"] * 200)
    rows = [
        ("one two", "eins zwei", "un deux"),
        ("three", "drei", "trois"),
        (long, "lang", "long"),
        ("four", "vier", "quatre"),
    ]
    for place, language in enumerate(("en", "de", "fr")):
        (folder / f"x.{language}.txt").write_text("".join(row[place] + "\n" for row in rows))
    (folder / "table.csv").write_text("question,answer\nwho,me\nwhat,that\nwhere,here\nwhen,now\n")
    return folder


@pytest.mark.parametrize(
    ("corpus", "options", "task", "columns"),
    [
        ("x.en.txt,x.de.txt,x.fr.txt", [], "translation", ("en", "de")),
        ("x.en.txt,x.de.txt,x.fr.txt", ["--src", "de"], "translation", ("de", "en")),
        ("x.en.txt,x.de.txt,x.fr.txt", ["--tgt", "en"], "translation", ("de", "en")),
        ("x.en.txt,x.de.txt,x.fr.txt", ["--column", "fr"], "language-model", ("fr",)),
        ("x.en.txt,x.de.txt", ["--preset", "transformer-base"], "translation", ("en", "de")),
        ("x.en.txt,x.de.txt", ["--max-len", "9"], "translation", ("en", "de")),
        ("table.csv", [], "translation", ("question", "answer")),
        ("table.csv", ["--column", "question"], "language-model", ("question",)),
        ("table.csv", ["--src", "question"], "translation", ("question", "answer")),
        ("numbers-en-ko", ["--src", "ko"], "translation", ("ko", "en")),
        ("low-lower", [], "language-model", ("word",)),
    ],
)
def test_prepare_and_train_choose_alike(
    bpe: Run,
    byte_tokenizer: Path,
    corpora: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    corpus: str,
    options: list[str],
    task: str,
    columns: tuple[str, ...],
) -> None:
    chosen: list[tuple[TokenStore, TaskColumns, Settings]] = []

    def record(
        train: TokenStore, validation: TokenStore, tokenizer: Tokenizer, columns: TaskColumns, **rest: Any
    ) -> RunResult:
        chosen.append((train, columns, rest["settings"]))
        return RunResult(rest["directory"], True, 0, 0, 0.0, None, "none", ())

    monkeypatch.setattr("bpe_transformer.training.train.train_model", record)
    monkeypatch.chdir(corpora)
    split = ("--split", "train[:3]")
    run = ("train", corpus, "-o", tmp_path / "run", "--tokenizer", byte_tokenizer, *split, "--validation", "train[3:]")
    done = bpe(*run, *options)
    assert done.returncode == 0, done.stderr.decode()
    ((rows, found, _),) = chosen
    assert (found.task, found.columns) == (task, columns)

    done = bpe("prepare", corpus, "-o", tmp_path / "rows", "--tokenizer", byte_tokenizer, *split, *options)
    assert done.returncode == 0, done.stderr.decode()
    prepared = TokenStore.load(tmp_path / "rows", Tokenizer.load(byte_tokenizer))
    assert prepared.task == task
    assert prepared.to_dataset()[:] == rows.to_dataset()[:]
    assert prepared.ledger.stages[-1] == rows.ledger.stages[-1]  # train has read all rows and held some out before


def test_contradicting_options_are_refused_alike(
    fails: Run, byte_tokenizer: Path, corpora: Path, tmp_path: Path
) -> None:
    corpus = f"{corpora}/x.en.txt,{corpora}/x.de.txt"
    for command in ("train", "prepare"):
        run = (command, corpus, "-o", tmp_path / "none", "--tokenizer", byte_tokenizer)
        message = fails(*run, "--task", "translation", "--column", "en")
        assert "--column en is not read with --task translation; name the sides with --src … and --tgt …" in message
        assert "name one or the other" in fails(*run, "--src", "en", "--column", "de")
    assert not (tmp_path / "none").exists()


def test_prepared_rows_are_trained_on(
    bpe: Run, fails: Run, byte_tokenizer: Path, corpora: Path, tmp_path: Path
) -> None:
    (tmp_path / "texts.txt").write_text("".join(f"one two three {number}\n" for number in range(40)))
    how = ("--documents", "line", "--task", "language-model")
    done = bpe("prepare", tmp_path / "texts.txt", "-o", tmp_path / "rows", "--tokenizer", byte_tokenizer, *how)
    assert done.returncode == 0, done.stderr.decode()
    tiny = (
        "--d-model",
        8,
        "--n-layers",
        1,
        "--n-heads",
        1,
        "--d-ff",
        8,
        "--max-len",
        16,
        "--epochs",
        1,
        "--device",
        "cpu",
    )
    done = bpe("train", tmp_path / "rows", "-o", tmp_path / "run", *tiny)  # with the tokenizer that lies with the rows
    said = done.stderr.decode()
    assert done.returncode == 0, said
    assert "validation: 2 of 40 rows, drawn by seed" in said
    info = load_checkpoint_info(tmp_path / "run")
    assert (info.task, info.columns) == ("language-model", ("text",))
    kept = {stage.name: stage.kept for stage in info.ledgers["training"].stages}
    assert kept["encode"].examples == 40
    assert info.ledgers["training"].kept.examples == 38  # two are held out
    assert f"encode: kept 40 of {kept['encode'].bytes:,} bytes" in (tmp_path / "run" / "README.md").read_text()
    bare = ("encode", byte_tokenizer, "--file", tmp_path / "texts.txt", "-o")
    assert bpe(*bare, tmp_path / "bare").returncode == 0
    train = ("train", tmp_path / "bare", "-o", tmp_path / "none")
    assert "holds ids without their tokenizer; name it with --tokenizer" in fails(*train)
    assert "do not end with an end-of-sequence id" in fails(*train, "--tokenizer", byte_tokenizer)
    (tmp_path / "text.txt").write_text("one\n\ntwo\n")
