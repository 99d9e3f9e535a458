"""Tables of .jsonl files by the core: what Python's json reads, to the same table and the same errors."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpe_transformer import _core
from bpe_transformer.data.corpora import json_lines
from bpe_transformer.errors import CorpusError
from bpe_transformer.io.json_lines import line_blocks
from bpe_transformer.ledger import StageRecorder

TEXTS = st.sampled_from(["low", "최고의 영화", "", "a\nb", 'quo"ted', "\u2028", "😀"]) | st.text(max_size=6)
NUMBERS = st.integers(-(10**6), 10**19) | st.sampled_from([0, -1, 10**17, 2**63 - 1])
FLOATS = st.floats(-1e6, 1e6, allow_nan=False) | st.sampled_from([0.1, -0.0, 1e300, 123456789.125])
OTHERS = st.none() | st.booleans() | st.lists(st.integers(0, 9), max_size=2)


@st.composite
def files(draw: st.DrawFn) -> str:
    """Lines of objects, most of which have the same keys with the same kinds of value."""
    kinds = draw(st.lists(st.sampled_from([TEXTS, NUMBERS, FLOATS, st.booleans(), OTHERS]), min_size=1, max_size=3))
    lines = []
    for _ in range(draw(st.integers(1, 12))):
        row = {f"k{i}": draw(kind) for i, kind in enumerate(kinds)}
        odd = draw(st.integers(0, 19))
        if odd == 0:
            row.pop("k0")
        elif odd == 1:
            row["new"] = draw(TEXTS)
        elif odd == 2:
            row["k0"] = None
        lines.append(json.dumps(row, ensure_ascii=draw(st.booleans())))
    if draw(st.integers(0, 9)) == 0:
        lines.insert(
            draw(st.integers(0, len(lines))), draw(st.sampled_from(["", "  ", "[]", "{", '{"k0": "\\ud800"}']))
        )
    return draw(st.sampled_from(["\n", "\r\n"])).join(lines) + draw(st.sampled_from(["", "\n"]))


def table_of(path: Path) -> tuple[Any, ...]:
    recorder = StageRecorder()
    try:
        found = json_lines.scan([path], "strict")
        batches = list(json_lines.json_batches([path], found, "strict", recorder))
    except CorpusError as problem:
        return ("error", str(problem))
    samples = {name: (repr(column.sample), column.kinds) for name, column in found.items()}
    rows = repr(pa.Table.from_batches(batches).to_pylist()) if batches else "none"
    return samples, batches[0].schema if batches else None, rows, recorder.stage("read").kept


@given(files(), st.sampled_from([50, 200, 1 << 20]))
@settings(max_examples=120, deadline=None)
def test_tables_are_those_without_the_core(tmp_path_factory: pytest.TempPathFactory, text: str, block: int) -> None:
    path = tmp_path_factory.getbasetemp() / "table.jsonl"
    path.write_bytes(text.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_lines, "SAMPLE_ROWS", 2)
        patch.setattr(json_lines, "line_blocks", partial(line_blocks, block=block))
        by_core = table_of(path)
        patch.setattr(_core, "json_table", lambda *_: None)
        assert by_core == table_of(path)


def test_an_ordinary_block_is_taken_by_the_core() -> None:
    lines = b'{"text": "low", "id": 3, "x": 0.5, "ok": true}\n\n{"id": null, "ok": false, "x": 2, "text": "\\u00e9"}'
    columns = [(b"text", 1), (b"id", 2), (b"x", 6), (b"ok", 8)]
    data, ends, present = _core.json_table(lines, columns, False) or (b"", [], [])
    cells = [data[start:end] for start, end in zip(ends, ends[1:], strict=False)]
    assert cells == [b"low", b"3", b"0.5", b"true", "é".encode(), b"", b"2", b"false"]
    assert list(present) == [1, 1, 1, 1, 1, 0, 1, 1]
    assert _core.json_table(lines, columns[:2], False) is None
    assert _core.json_table(lines, columns[:2], True) is not None
    assert _core.json_table(b'{"text": 1}', [(b"text", 1)], True) is None


def test_few_rows_are_objects_at_once_where_they_are_long(tmp_path: Path) -> None:
    """Also behind a line that is longer than a block, from which on the file is read in lines."""
    row = json.dumps({"text": "low", "parts": ["x" * 10_000] * 60})
    path = tmp_path / "long.jsonl"
    path.write_text("\n".join([row] * 4 + [json.dumps({"text": "y" * (9 << 20), "parts": []})] + [row] * 8))
    recorder = StageRecorder()
    batches = list(json_lines.json_batches([path], json_lines.scan([path], "strict"), "strict", recorder))
    assert max(batch.num_rows for batch in batches) <= 4
    assert recorder.stage("read").kept.examples == sum(batch.num_rows for batch in batches) == 13
