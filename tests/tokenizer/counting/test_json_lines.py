"""Lines of JSON read by the core: the texts that Python's json finds, and the same errors where a line is anything else."""

from __future__ import annotations

import gzip
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpe_transformer import PretokenCounter, _core
from bpe_transformer.errors import CorpusError
from bpe_transformer.io import ByteFile, ReadStats, read_ahead, row_texts
from bpe_transformer.io.json_lines import line_blocks

VALUES: Any = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
ROWS = st.lists(
    st.dictionaries(st.sampled_from(["text", "id", "", "é", "a b"]), VALUES | st.text(max_size=20), max_size=4),
    max_size=4,
)


def texts_of(found: tuple[Any, ...]) -> list[str]:
    data, starts, stops = found[:3]
    return [data[start:stop].decode() for start, stop in zip(starts, stops, strict=True)]


@given(
    rows=ROWS,
    ascii_only=st.booleans(),
    end=st.sampled_from(["\n", "\r\n", " \n\n"]),
    columns=st.sampled_from([[], ["text"], ["text", "é"]]),
)
@settings(max_examples=60, deadline=None)
def test_texts_are_those_of_python(rows: list[dict[str, Any]], ascii_only: bool, end: str, columns: list[str]) -> None:
    lines = "".join(json.dumps(row, ensure_ascii=ascii_only) + end for row in rows)
    found = _core.json_texts(lines.encode(), [name.encode() for name in columns])
    plain = all("\\" not in json.dumps(key, ensure_ascii=ascii_only) for row in rows for key in row)
    whole = all(isinstance(row.get(name), str | None) for row in rows for name in columns)
    if plain and whole:
        assert found is not None
    if found is not None:
        assert whole
        wanted = [[row.get(name) for name in columns] if columns else list(row.values()) for row in rows]
        assert texts_of(found) == [text for row in wanted for text in row if isinstance(text, str)]
        step = end.count("\n")
        missing = [step * number for number, row in enumerate(rows) for name in columns if row.get(name) is None]
        assert found[3].tolist() == missing
        assert found[4].tolist() == [any(name in row for row in rows) for name in columns]


@given(
    line=st.text('{}[]":,\\untrfalse0123456789.eE+-\ud800 \t\x00a', max_size=25)
    | st.binary(max_size=12).map(lambda data: data.decode("latin-1"))
)
@settings(max_examples=150, deadline=None)
def test_what_python_refuses_is_never_taken(line: str) -> None:
    data = ('{"a":' + line.replace("\n", "") + "}").encode("utf-8", "surrogatepass")
    found = _core.json_texts(data, [])
    if found is not None:
        row = json.loads(data)
        assert texts_of(found) == [value for value in row.values() if isinstance(value, str)]


def counted(path: Path, columns: list[str] | None, block: int) -> PretokenCounter:
    counter = PretokenCounter("gpt2", 2)
    counter._block = block
    counter.add_file(path, columns=columns)
    return counter


def expected(path: Path, columns: list[str] | None) -> tuple[list[str], list[int]]:
    """The texts of a file, and the lines of values that are missing, by Python's json."""
    texts, missing = [], []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        row = json.loads(line) if line.strip() else {}
        values = list(row.values()) if columns is None else [row.get(name) for name in columns if line.strip()]
        texts += [value for value in values if isinstance(value, str)]
        missing += [number for value in values if value is None and columns]
    return texts, missing


LINES = [
    '{"text": "low lower", "n": 1}',
    '{"n": [2, {"text": "x"}], "text": "\\u0041 \\ud83d\\ude00"}',
    "",
    '{"text": "newest"}',
    '{"text": "e\\"s"}',
]
ODD = [
    '{"text": null}',
    '{"te\\u0078t": "low"}',
    '{"text": "a", "text": "b"}',
    '{"text": "é", "big": 1' + "0" * 400 + "}",
]


@pytest.mark.parametrize("odd", ["", *ODD])
@pytest.mark.parametrize("columns", [None, ["text"]])
@pytest.mark.parametrize("block", [64, 1 << 20])
def test_files_are_counted_alike_whoever_reads_a_block(
    odd: str, columns: list[str] | None, block: int, tmp_path: Path
) -> None:
    lines = LINES * 3
    lines.insert(8, odd)
    for end in ("\n", ""):
        path = tmp_path / "a.jsonl"
        path.write_text("\n".join(lines) + end, encoding="utf-8")
        texts, missing = expected(path, columns)
        with ByteFile(path) as file:
            assert list(row_texts(file, columns, "strict", stats := ReadStats())) == texts
        found = counted(path, columns, block)
        source = found.sources[0]
        assert (source.missing, stats.missing, found.num_documents) == (len(missing), len(missing), len(texts))
        assert list(source.missing_places) == stats.places == [f"{path}, line {number}" for number in missing[:3]]
        counter = PretokenCounter("gpt2", 1)
        counter.add_texts(texts)
        assert dict(found.counts().items()) == dict(counter.counts().items())


@pytest.mark.parametrize("block", [16, 40, 1 << 20])
@pytest.mark.parametrize("first", [0, 2])
def test_a_column_may_come_late_but_has_to_come(first: int, block: int, tmp_path: Path) -> None:
    lines = ['{"text": "low"}'] * first + ['{"title": "new"}', "", '{"text": null}', '{"title": "newest"}']
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    found = counted(path, ["text", "title"], block)
    assert (found.sources[0].missing, found.num_documents) == (4 + first, 2 + first)
    with pytest.raises(CorpusError, match=r"a\.jsonl has no column body; its columns are "):
        counted(path, ["text", "body"], block)


def test_packed_lines_are_read_ahead_in_their_order(tmp_path: Path) -> None:
    texts = [f"low{number} lower" * (number % 7) for number in range(500)]
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress("".join(json.dumps({"text": text}) + "\n" for text in texts).encode()))
    counter = PretokenCounter("gpt2", 1)
    counter.add_texts(texts)
    with ByteFile(path) as file, closing(line_blocks(file, block=512, buffers=3)) as blocks:
        lines = b"".join(bytes(block.lines) for block in read_ahead(blocks, depth=1))
    assert lines == gzip.decompress(path.read_bytes())
    assert dict(counted(path, ["text"], 512).counts().items()) == dict(counter.counts().items())


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("{", "line 9: not JSON"),
        ('{"text": 3}', "line 9: text is 3"),
        ("[]", "line 9: a list"),
        ('{"text": "\\ud800"}', "line 9: text has the lone"),
    ],
)
@pytest.mark.parametrize("block", [64, 1 << 20])
def test_errors_name_the_line_of_the_file(bad: str, message: str, block: int, tmp_path: Path) -> None:
    lines = LINES * 3
    lines.insert(8, bad)
    (tmp_path / "a.jsonl").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(CorpusError, match=message):
        counted(tmp_path / "a.jsonl", ["text"], block)
