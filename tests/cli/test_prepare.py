"""`bpe-transformer prepare`: the ledger on standard error, one-line errors, nothing half-written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import datasets
import fsspec
import pytest

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.data import TokenStore
from bpe_transformer.tokenizer.store.shared_store import fetch_store


class Prepared(NamedTuple):
    """How a run of prepare ended."""

    returncode: int
    stdout: str
    stderr: str


Prepare = Callable[..., Prepared]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tokenizer, a parallel pair and a text."""
    folder = tmp_path_factory.mktemp("prepare")
    counts = PretokenCounts.from_iterator(["one two three", "하나 둘 셋"])
    learn_bpe(counts, 280, special_tokens=["<pad>", "<s>", "</s>"]).save(folder / "tok")
    (folder / "x.en.txt").write_text("one\n\nqqqqqqqqqqqqqqqqqqqq\n")
    (folder / "x.ko.txt").write_text("하나\n둘\n셋\n", encoding="utf-8")
    (folder / "short.ko.txt").write_text("하나\n", encoding="utf-8")
    (folder / "bad.txt").write_bytes(b"one\nt\xffwo\n")
    return folder


@pytest.fixture
def prepare(home: Path, bpe: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Prepare:
    """`prepare("x.en.txt", "-o", "out")`: the command in this process and in `home`, with its tokenizer."""
    monkeypatch.chdir(home)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", home / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)

    def run(*arguments: str) -> Prepared:
        done = bpe("prepare", *arguments, "--tokenizer", "tok", COLUMNS="120")
        return Prepared(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


def test_a_parallel_pair_with_its_ledger(home: Path, prepare: Prepare) -> None:
    done = prepare("x.en.txt,x.ko.txt", "-o", "pairs", "--max-len", "12")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    rows = [line.split() for line in done.stderr.splitlines()]
    assert ["encode", "dropped", "empty", "1", "3"] in rows
    assert ["encode", "dropped", "longer", "than", "max_len=12", "1", "23"] in rows
    assert "1 row for translation written to pairs" in done.stderr
    prepared = TokenStore.load(home / "pairs", Tokenizer.load(home / "tok"))
    assert prepared.task == "translation"
    assert len(prepared.to_dataset()) == prepared.ledger.kept.examples == 1


def test_text_as_a_language_model_and_columns_turned_round(home: Path, prepare: Prepare) -> None:
    assert prepare("x.en.txt", "-o", "text").returncode == 0
    assert TokenStore.load(home / "text", Tokenizer.load(home / "tok")).task == "language-model"
    assert prepare("x.en.txt,x.ko.txt", "-o", "back", "--src", "ko").returncode == 0
    tokenizer = Tokenizer.load(home / "tok")
    first = TokenStore.load(home / "back", tokenizer).to_dataset()[0]
    assert tokenizer.decode(first["src_ids"], skip_special_tokens=True) == "하나"
    assert tokenizer.decode(first["tgt_ids"], skip_special_tokens=True) == "one"


def test_invalid_utf8_is_refused_or_replaced(home: Path, prepare: Prepare) -> None:
    refused = prepare("bad.txt", "-o", "bad")
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert "bad.txt is not UTF-8: byte 0xff at position 5" in refused.stderr
    assert "--errors replace" in refused.stderr
    assert not (home / "bad").exists()
    replaced = prepare("bad.txt", "-o", "bad", "--errors", "replace")
    assert replaced.returncode == 0
    assert "invalid UTF-8 from byte 5" in replaced.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["x.en.txt,short.ko.txt"], "x.en.txt has 3 lines, short.ko.txt has 1 line:"),
        (["none.txt"], "none.txt does not exist"),
        (["numbers-en-k0"], "did you mean numbers-en-ko"),
        (["x.en.txt", "--task", "translation"], "too few to translate between"),
        (["x.en.txt,x.ko.txt", "--src", "fr"], "no column 'fr'"),
        (["multi30k"], "--from DIR"),
        (["multi30k", "--from", "tok"], "tok has no multi30k/train.en"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    home: Path, prepare: Prepare, arguments: list[str], message: str
) -> None:
    done = prepare(*arguments, "-o", "never")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert message in done.stderr
    assert done.stdout == ""
    assert not (home / "never").exists()
    assert not list(home.glob(".never*"))


def test_an_output_is_not_replaced_in_silence(home: Path, prepare: Prepare) -> None:
    assert prepare("x.en.txt", "-o", "kept").returncode == 0
    assert prepare("x.en.txt", "-o", "kept").returncode == 0  # the same again changes nothing
    refused = prepare("x.ko.txt", "-o", "kept")
    assert refused.returncode == 1
    assert "kept was made with other rows; pass --overwrite to make it anew" in refused.stderr
    tokenizer = Tokenizer.load(home / "tok")
    assert TokenStore.load(home / "kept", tokenizer).ledger.kept.bytes == 23
    assert prepare("x.ko.txt", "-o", "kept", "--overwrite").returncode == 0
    assert TokenStore.load(home / "kept", tokenizer).ledger.kept.bytes == 14  # one paragraph of three lines


def test_flat_files_are_written_and_read_back(prepare: Prepare, home: Path) -> None:
    (home / "notes.txt").write_text("one two\n\nthree\n\none\n")
    assert prepare("notes.txt", "-o", "notes", "--shard-size", "8").returncode == 0
    rows = TokenStore.load(home / "notes")
    assert (len(rows.facts.shards), len(rows)) == (3, 3)
    for format, name in (("nanogpt", "n.bin"), ("megatron", "m.bin"), ("datatrove", "d.ds")):
        source = "notes" if format == "megatron" else "notes.txt"  # what is prepared is not encoded again
        done = prepare(source, "-o", name, "--format", format)
        assert done.returncode == 0, done.stderr
        assert f"3 documents, {rows.num_ids} ids written to {name}" in done.stderr
        assert "--overwrite" in prepare(source, "-o", name, "--format", format).stderr
        assert prepare(name, "-o", f"back-{format}").returncode == 0
        back = TokenStore.load(home / f"back-{format}")
        assert back.tolist() == rows.tolist()
        assert back.facts.ends == rows.facts.ends
    refused = prepare("notes", "-o", "again")
    assert refused.returncode == 2
    assert "prepared already; train on it, or write flat files of it with --format" in refused.stderr


def test_sources_and_output_at_urls(prepare: Prepare, home: Path) -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe("/texts/a.txt", b"one two\n\nthree\n\none\n")
    for _ in range(2):  # the second time it is whole
        done = prepare("memory://texts/a.txt", "-o", "memory://rows", "--shard-size", "8")
        assert done.returncode == 0, done.stderr
        assert "3 rows for language-model written to memory://rows" in done.stderr
    memory.pipe("/texts/a.txt", b"three\n\none\n")
    flat = prepare("memory://texts/a.txt", "-o", "memory://flat", "--format", "nanogpt")
    assert "give a local -o" in flat.stderr
    changed = prepare("memory://texts/a.txt", "-o", "memory://rows", "--shard-size", "8")
    assert "holds a store of something else" in changed.stderr
    (home / "same.txt").write_bytes(b"one two\n\nthree\n\none\n")
    assert prepare("same.txt", "-o", "same", "--shard-size", "8").returncode == 0
    fetch_store("memory://rows", home / "fetched")
    fetched = TokenStore.load(home / "fetched")
    assert fetched.sha256 == TokenStore.load(home / "same").sha256
    assert fetched.tokenizer_path is not None


def test_training_starts_from_a_run_on_prepared_rows_and_resumes(
    home: Path, prepare: Prepare, bpe: Callable[..., Any]
) -> None:
    shape = ("--d-model=16", "--n-layers=1", "--n-heads=2", "--d-ff=16", "--max-len=24", "--threads=1")
    lines = [f"one {word}" for word in ("one", "two", "three")] * 8
    (home / "y.en.txt").write_text("\n".join(lines))
    (home / "y.ko.txt").write_text("\n".join(lines[::-1]))
    assert prepare("y.en.txt,y.ko.txt", "-o", "y").returncode == 0

    def train(*arguments: str) -> str:
        fixed = ("--schedule", "constant", "--max-tokens", "60", "--warmup", "1", "--eval-steps", "2")
        done = bpe("train", "y", "--validation", "y", *fixed, *arguments)
        assert done.returncode == 0, done.stderr.decode()
        message: str = done.stderr.decode()
        return message

    train(*shape, "-o", "first", "--steps", "2")
    said = train("-o", "whole", "--from-run", "first", "--steps", "4")
    assert "rows of the embedding as they were" in said.partition("starting from first: ")[2]
    train("-o", "halves", "--from-run", "first", "--steps", "2")
    said = train("-o", "halves", "--from-run", "first", "--steps", "4", "--resume")
    assert "starting from" not in said  # it goes on from weights of its own
    assert (home / "halves/model.safetensors").read_bytes() == (home / "whole/model.safetensors").read_bytes()


def test_prepared_rows_are_accounted_for_and_settings_fitted_as_for_their_text(
    home: Path, prepare: Prepare, bpe: Callable[..., Any]
) -> None:
    (home / "z.txt").write_text("\n\n".join(f"one two {'three ' * (row % 5)}" for row in range(200)))
    assert prepare("z.txt", "-o", "z").returncode == 0
    shape = ("--d-model=8", "--n-layers=1", "--n-heads=2", "--d-ff=8", "--max-len=16", "--threads=1", "--steps=40")
    fitted = []
    for corpus in ("z", "z.txt"):
        done = bpe("train", corpus, "-o", f"of-{corpus}", "--tokenizer", "tok", *shape)
        assert done.returncode == 0, done.stderr.decode()
        said = done.stderr.decode()
        stage = next(line for line in said.splitlines() if line.startswith("training, split: "))
        assert "200 rows" in stage
        assert "10 rows of" in stage
        assert stage.endswith("dropped: held out for validation")
        fitted.append([line.partition("  (")[0] for line in said.splitlines() if line.startswith("  --")])
    assert fitted[0] == fitted[1]
    assert "  --warmup 10" in fitted[0]
    printed = bpe("train", "z", "--tokenizer", "tok", *shape, "--print-config")
    assert printed.returncode == 0, printed.stderr.decode()
    assert "warmup = 10" in printed.stdout.decode()
