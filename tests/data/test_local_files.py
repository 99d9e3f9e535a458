"""Local files wherever a corpus name does: every format, folders, parallel files, and each way to be wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bpe_transformer.data import Reading, corpus_info, load_corpus, read_stage
from bpe_transformer.data.corpora.local_files import find, unread_note
from bpe_transformer.errors import ConfigError, CorpusError, InvalidUtf8Error


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
    write(tmp_path / "scan.pdf", "no corpus\n")
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
    for table, content in (("y.csv", b"text,n\nbro\xffken,1\n"), ("y.jsonl", b'{"text": "bro\xffken", "n": 1}\n')):
        name = write(tmp_path / table, content)
        with pytest.raises(InvalidUtf8Error, match=rf"{table}.*is not UTF-8"):
            load_corpus(name)
        rows = load_corpus(name, errors="replace")
        assert rows["text"][:] == ["bro\ufffdken"]
        stage = read_stage(rows)
        assert stage is not None
        assert stage.replaced == 1


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.txt", "", "is empty"),
        ("blank.txt", "\n \n", "is empty"),
        ("empty.csv", "", "is empty"),
        ("x.pdf", "text", "suffix '.pdf' is not supported"),
        ("wide.csv", "a,b\n1,2,3\n", "line 2: 3 fields where the header has 2"),
        ("twice.tsv", "a\ta\n1\t2\n", "each may occur once"),
        ("quote.csv", 'a\n"b\n', "line 2"),
        ("bad.jsonl", '{"a": 1}\n{a}\n', "line 2: not JSON"),
        ("list.jsonl", "[1]\n", "line 1: a list, not an object"),
        ("mixed.jsonl", '{"a": 1}\n{"a": "x"}\n', r"unlike types \(a number in .*line 1, a text in .*line 2\)"),
        ("bad.parquet", "no parquet", "not a Parquet file"),
    ],
)
def test_bad_files(tmp_path: Path, datasets_cache: Path, name: str, content: str, message: str) -> None:
    path = write(tmp_path / name, content)
    with pytest.raises(CorpusError, match=message):
        load_corpus(path)
    assert not list(datasets_cache.rglob("*.part"))


def test_a_late_key_is_read_and_what_is_not_used_does_not_matter(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"a": "x", "n": None} for _ in range(2_000)]
    rows += [{"a": "y", "b": "late", "n": "text"}]
    rows += [{"a": "z", "m": 1, "big": 1 << 70}, {"m": "2"}, {"a": "bad \ud800 end"}]
    name = write(tmp_path / "x.jsonl", "\n".join(map(json.dumps, rows)))
    used = load_corpus(name, columns=["b", "n", "big"])
    assert used[2_000] == {"b": "late", "n": "text", "big": None}
    assert used[2_001]["big"] == str(1 << 70)
    with pytest.raises(
        CorpusError, match=r"'m' has values of unlike types \(a number in .*line 2,002, a text in .*2,003"
    ):
        load_corpus(name)
    with pytest.raises(CorpusError, match=r'line 2,004: a has the lone surrogate U\+D800.*errors="replace"'):
        load_corpus(name, columns=["a"])
    assert load_corpus(name, columns=["a"], errors="replace")[2_003]["a"] == "bad \ufffd end"
    info = corpus_info(name)
    assert info.columns == ("a", "n", "b", "m", "big")
    assert corpus_info(name).roles == info.roles  # from the cache


def test_parquet_with_a_map_and_two_columns_of_one_name(tmp_path: Path) -> None:
    facts = pa.array([[("k", 1)], []], type=pa.map_(pa.string(), pa.int64()))
    table = pa.table([facts, pa.array([1, 2]), pa.array(["one", "two"])], names=["facts", "text", "text"])
    pq.write_table(table, tmp_path / "x.parquet")
    dataset = load_corpus(str(tmp_path / "x.parquet"))
    assert dataset[:] == {"text": ["one", "two"]}
    stage = read_stage(dataset)
    assert stage is not None
    assert re.search("'facts' holds map<string, int64.*>, which is not read", stage.notes[0])
    assert "2 columns are called 'text'" in stage.notes[1]
    assert load_corpus(str(tmp_path / "x.parquet"), columns=["text"])["text"][:] == ["one", "two"]


def test_line_ends_in_quotes_stay_and_byte_order_marks_go(tmp_path: Path) -> None:
    table = load_corpus(write(tmp_path / "x.csv", 'text,n\r\n"a\r\nb",1\r\n"c\nd",2\r\n'))
    assert table["text"][:] == ["a\r\nb", "c\nd"]
    assert table["n"][:] == ["1", "2"]
    plain = load_corpus(write(tmp_path / "x.txt", "\ufeffone\ntwo\n"))
    assert plain["text"][:] == ["one", "two"]
    stage = read_stage(plain)
    assert stage is not None
    assert "byte order mark" in stage.notes[0]
    pair = load_corpus(write(tmp_path / "a.en", "\ufeffone\n") + "," + write(tmp_path / "a.de", "eins\n"))
    assert pair[0] == {"en": "one", "de": "eins"}
    stage = read_stage(pair)
    assert stage is not None
    assert "byte order mark" in stage.notes[0]


def test_documents_are_lines_paragraphs_or_files(tmp_path: Path) -> None:
    name = write(tmp_path / "x.txt", "a\nb\n\n \r\nc\r\nd\r\n")
    assert load_corpus(name)["text"][:] == ["a", "b", "c", "d"]
    assert load_corpus(name, reading=Reading(documents="paragraph"))["text"][:] == ["a\nb", "c\r\nd"]
    assert load_corpus(name, reading=Reading(documents="file"))["text"][:] == ["a\nb\n\n \r\nc\r\nd\r\n"]
    code = write(tmp_path / "x.py", "\ufeffimport os\n\nprint(os)\n")
    assert load_corpus(code)["text"][:] == ["import os\n\nprint(os)\n"]
    assert load_corpus(code, reading=Reading(documents="line"))["text"][:] == ["import os", "print(os)"]
    long = write(tmp_path / "long.txt", "a line of text\n" * 20_000)
    rows = load_corpus(long, reading=Reading(documents="paragraph"))["text"][:]
    assert len(rows) > 3
    assert "".join(rows) == ("a line of text\n" * 20_000)[:-1]
    with pytest.raises(ConfigError, match="documents='page' is unknown; choose line, paragraph, file"):
        Reading(documents="page")  # type: ignore[arg-type]


def test_what_a_folder_holds_besides_is_named(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    write(tmp_path / "more" / "b.rst", "two\n")
    write(tmp_path / "a.md", "one\n")
    write(tmp_path / "scan.pdf", "%PDF")
    write(tmp_path / ".hidden", "x")
    assert load_corpus(str(tmp_path))["text"][:] == ["one\n"]
    note = unread_note(find(str(tmp_path)))
    assert note is not None
    assert "holds scan.pdf, more/ besides, which are not read; subfolders are read with recursive=True" in note
    deep = Reading(recursive=True)
    assert load_corpus(str(tmp_path), reading=deep)["text"][:] == ["one\n", "two\n"]
    assert find(str(tmp_path), reading=deep).unread == ("scan.pdf",)
    write(tmp_path / "data.jsonl", '{"text": "x"}\n')  # a README beside a table is no part of it
    assert load_corpus(str(tmp_path))["text"][:] == ["x"]
    assert find(str(tmp_path)).unread == ("a.md", "scan.pdf", "more/")


def test_parallel_files_have_the_splits_beside_them(tmp_path: Path) -> None:
    for split, text in (("train", "a"), ("dev", "b"), ("test", "c")):
        for language in ("en", "pl"):
            write(tmp_path / f"{split}.{language}", f"{text} {language}\n")
    for name in (str(tmp_path), f"{tmp_path / 'train.en'},{tmp_path / 'train.pl'}"):
        assert corpus_info(name).splits == ("train", "validation", "test")
        assert corpus_info(name).kind == "parallel"
        assert load_corpus(name)[:] == {"en": ["a en"], "pl": ["a pl"]}
        assert load_corpus(name, "validation")[:] == {"en": ["b en"], "pl": ["b pl"]}
        assert load_corpus(name, "test")[0]["pl"] == "c pl"
    alone = f"{tmp_path / 'dev.en'},{tmp_path / 'dev.pl'}"
    assert corpus_info(alone).splits == ("train",)
    assert load_corpus(alone)[0]["en"] == "b en"


def test_a_table_without_a_header(tmp_path: Path) -> None:
    name = write(tmp_path / "x.tsv", "Good morning.\tGuten Morgen.\nThank you.\tDanke.\n")
    stage = read_stage(load_corpus(name))
    assert stage is not None
    assert (
        "its first line (Good morning. | Guten Morgen.) is taken for column names, but looks like a row"
        in stage.notes[0]
    )
    assert load_corpus(name, reading=Reading(header=False)).column_names == ["column1", "column2"]
    named = load_corpus(name, reading=Reading(header=False, columns=("en", "de")))
    assert named[0] == {"en": "Good morning.", "de": "Guten Morgen."}
    assert len(named) == 2
    with pytest.raises(CorpusError, match="has 2 columns, and columns=a names 1"):
        load_corpus(name, reading=Reading(header=False, columns=("a",)))
    with pytest.raises(ConfigError, match="names for a table without a header"):
        Reading(columns=("a", "b"))
    with pytest.raises(ConfigError, match="names one twice"):
        Reading(header=False, columns=("a", "a"))
    fine = read_stage(load_corpus(write(tmp_path / "y.tsv", "id\tdocument\tlabel\n1\tGood film\t1\n")))
    assert fine is not None
    assert fine.notes == ()


def test_a_damaged_cache_is_read_anew(tmp_path: Path, datasets_cache: Path) -> None:
    name = write(tmp_path / "x.jsonl", '{"text": "one"}\n')
    before = set((datasets_cache / "bpe_transformer").glob("*"))
    assert load_corpus(name)["text"][:] == ["one"]
    corpus_info(name)
    written = set((datasets_cache / "bpe_transformer").glob("*")) - before
    assert {file.suffix for file in written} == {".arrow", ".json"}
    for file in written:
        file.write_bytes(file.read_bytes()[:-20] + b"damage" * 3)
    assert load_corpus(name)["text"][:] == ["one"]
    assert corpus_info(name).columns == ("text",)


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
