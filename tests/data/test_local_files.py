"""Local files wherever a corpus name does: every format, folders, parallel files, and each way to be wrong."""

from __future__ import annotations

import json
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bpe_transformer.data import load_corpus, read_stage
from bpe_transformer.errors import CorpusError, InvalidUtf8Error


def write(path: Path, content: str | bytes) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def test_text_gives_a_row_a_line_and_counts_blank_ones(tmp_path: Path) -> None:
    dataset = load_corpus(write(tmp_path / "x.txt", "one\r\n\n  \ntwo\fthree\u2028four"))
    assert dataset["text"][:] == ["one", "two\fthree\u2028four"]
    stage = read_stage(dataset)
    assert stage is not None
    assert stage.kept.examples == 2
    assert stage.dropped["blank line"].examples == 2


def test_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    name = write(tmp_path / "x.txt", "one\n")
    assert load_corpus(name)["text"][:] == ["one"]
    write(tmp_path / "x.txt", "three\n")
    assert load_corpus(name)["text"][:] == ["three"]


def test_csv_is_quoted_and_tsv_is_not(tmp_path: Path) -> None:
    table = load_corpus(write(tmp_path / "x.csv", '\ufefftext,label\n"a, ""b""\nc",1\n'))
    assert table[:] == {"text": ['a, "b"\nc'], "label": ["1"]}
    plain = load_corpus(write(tmp_path / "x.tsv", 'text\tlabel\n"half a quote\t1\n'))
    assert plain[:] == {"text": ['"half a quote'], "label": ["1"]}


def test_a_long_csv_field_and_typed_json(tmp_path: Path) -> None:
    assert len(load_corpus(write(tmp_path / "x.csv", "text\n" + "a" * 200_000 + "\n"))[0]["text"]) == 200_000
    rows = [{"text": "line\nbreak", "n": 1}, {"text": "b"}, {"n": 3, "text": "c"}]
    dataset = load_corpus(write(tmp_path / "x.jsonl", "\n".join(map(json.dumps, rows))))
    assert dataset[:] == {"text": ["line\nbreak", "b", "c"], "n": [1, None, 3]}


def test_parquet(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["하나", "둘"], "n": [1, 2]}), tmp_path / "x.parquet")
    dataset = load_corpus(str(tmp_path / "x.parquet"))
    assert dataset[:] == {"text": ["하나", "둘"], "n": [1, 2]}
    stage = read_stage(dataset)
    assert stage is not None
    assert stage.kept.bytes == 9


def test_a_folder_reads_its_files_in_order_and_knows_splits(tmp_path: Path) -> None:
    write(tmp_path / "b.txt", "two\n")
    write(tmp_path / "a.txt", "one\n")
    write(tmp_path / "notes.md", "no corpus\n")
    assert load_corpus(str(tmp_path))["text"][:] == ["one", "two"]
    folder = tmp_path / "splits"
    folder.mkdir()
    write(folder / "train.jsonl", '{"text": "a"}\n')
    write(folder / "val.jsonl", '{"text": "b"}\n')
    assert load_corpus(str(folder), "validation")["text"][:] == ["b"]
    assert load_corpus(str(folder))["text"][:] == ["a"]
    with pytest.raises(CorpusError, match="no split 'test'.*train, validation"):
        load_corpus(str(folder), "test")


@pytest.mark.parametrize(
    ("names", "columns"),
    [
        (("x.en.txt", "x.ko.txt"), ["en", "ko"]),
        (("train.en", "train.de"), ["en", "de"]),
        (("left.txt", "right.txt"), ["src", "tgt"]),
        (("a.en.txt", "b.en.txt"), ["src", "tgt"]),
        (("a.pt-BR.txt", "a.en.txt"), ["pt-BR", "en"]),
    ],
)
def test_parallel_files_name_their_columns(tmp_path: Path, names: tuple[str, str], columns: list[str]) -> None:
    pair = ",".join(write(tmp_path / name, f"{name}\n\n") for name in names)
    dataset = load_corpus(pair)
    assert dataset.column_names == columns
    assert dataset[:] == {columns[0]: [names[0], ""], columns[1]: [names[1], ""]}


def test_parallel_files_of_unlike_length_name_both_lengths(tmp_path: Path) -> None:
    pair = write(tmp_path / "x.en.txt", "a\nb\nc\n") + "," + write(tmp_path / "x.de.txt", "a\nb\n")
    with pytest.raises(CorpusError, match=r"x\.en\.txt has 3 lines, .*x\.de\.txt has 2 lines"):
        load_corpus(pair)


def test_invalid_utf8_is_placed_and_can_be_replaced(tmp_path: Path) -> None:
    name = write(tmp_path / "x.txt", b"fine\nbro\xffken\n")
    with pytest.raises(InvalidUtf8Error, match=r'x\.txt is not UTF-8: byte 0xff at position 8.*errors="replace"'):
        load_corpus(name)
    dataset = load_corpus(name, errors="replace")
    assert dataset["text"][:] == ["fine", "bro\ufffdken"]
    stage = read_stage(dataset)
    assert stage is not None
    assert "byte 8" in stage.notes[0]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.txt", "", "is empty"),
        ("blank.txt", "\n \n", "is empty"),
        ("empty.csv", "", "is empty"),
        ("x.md", "text", "suffix '.md' is not supported"),
        ("wide.csv", "a,b\n1,2,3\n", "line 2: 3 fields where the header has 2"),
        ("twice.tsv", "a\ta\n1\t2\n", "each may occur once"),
        ("quote.csv", 'a\n"b\n', "line 2"),
        ("bad.jsonl", '{"a": 1}\n{a}\n', "line 2: not JSON"),
        ("list.jsonl", "[1]\n", "line 1: a list, not an object"),
        ("mixed.jsonl", '{"a": 1}\n{"a": "x"}\n', "unlike types"),
        ("bad.parquet", "no parquet", "not a Parquet file"),
    ],
)
def test_bad_files(tmp_path: Path, datasets_cache: Path, name: str, content: str, message: str) -> None:
    path = write(tmp_path / name, content)
    with pytest.raises(CorpusError, match=message):
        load_corpus(path)
    assert not list(datasets_cache.rglob("*.part"))


def test_late_keys_are_refused_not_lost(tmp_path: Path) -> None:
    lines = ['{"a": "x"}'] * 2_000 + ['{"a": "x", "b": "y"}']
    with pytest.raises(CorpusError, match="line 2001: the key 'b'"):
        load_corpus(write(tmp_path / "x.jsonl", "\n".join(lines)))


def test_bad_folders_and_paths(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"holds no \.txt"):
        load_corpus(str(tmp_path))
    write(tmp_path / "a.txt", "a\n")
    write(tmp_path / "a.csv", "a\n")
    with pytest.raises(CorpusError, match="mixes .csv and .txt"):
        load_corpus(str(tmp_path))
    with pytest.raises(CorpusError, match="does not exist"):
        load_corpus(str(tmp_path / "none.txt"))
    with pytest.raises(CorpusError, match="does not exist"):
        load_corpus(f"{tmp_path / 'a.txt'},{tmp_path / 'none.txt'}")
    with pytest.raises(CorpusError, match=r"only 'train'.*train\[90%:\]"):
        load_corpus(str(tmp_path / "a.txt"), "test")
    with pytest.raises(CorpusError, match="errors='ignore'"):
        load_corpus(str(tmp_path / "a.txt"), errors="ignore")  # type: ignore[arg-type]


def test_a_large_file_spans_batches(tmp_path: Path) -> None:
    dataset = load_corpus(write(tmp_path / "x.txt", "".join(f"line {n}\n" for n in range(5_001))))
    assert isinstance(dataset, datasets.Dataset)
    assert len(dataset) == 5_001
    assert dataset[5_000]["text"] == "line 5000"
