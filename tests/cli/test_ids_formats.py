"""Ids as NumPy arrays and Arrow streams, through `encode` and back through `decode`, by pipes and files."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpe_transformer import Tokenizer, TokenStore, _core
from bpe_transformer.cli.support import text_input as _text
from bpe_transformer.tokenizer.files import file_texts

Run = Callable[..., Any]
LINES = ["세 마리 고양이", "", "three\rcats", "  two\tspaces "]
TEXT = "\n".join([*LINES, ""]).encode()


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_text, "BATCH_BYTES", 50)
    monkeypatch.setattr(file_texts, "GROUP_BYTES", 50)


def npy(data: bytes) -> np.ndarray[Any, Any]:
    return np.load(io.BytesIO(data))  # type: ignore[no-any-return]


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("repeats", [1, 20])
def test_npy_and_its_offsets(bpe: Run, byte_tokenizer: Path, loaded: Tokenizer, tmp_path: Path, repeats: int) -> None:
    text = TEXT * repeats
    done = bpe("encode", byte_tokenizer, "--format", "npy", "--offsets", tmp_path / "offsets.npy", input=text)
    rows = [loaded.encode(line) for line in LINES] * repeats
    ids, offsets = npy(done.stdout), np.load(tmp_path / "offsets.npy")
    assert (ids.dtype, offsets.dtype) == (np.uint16, np.int64)
    assert [part.tolist() for part in np.split(ids, offsets[1:-1])] == rows
    assert (
        bpe("decode", byte_tokenizer, input=done.stdout).stdout == b"".join(line.encode() for line in LINES) * repeats
    )
    assert bpe("decode", byte_tokenizer, "--offsets", tmp_path / "offsets.npy", input=done.stdout).stdout == text


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("form", ["ids", "json", "npy", "arrow"])
@pytest.mark.parametrize("repeats", [0, 1, 20])
def test_a_whole_text_in_pieces(bpe: Run, byte_tokenizer: Path, loaded: Tokenizer, form: str, repeats: int) -> None:
    text = TEXT * repeats
    out = bpe("encode", byte_tokenizer, "--whole", "--format", form, input=text).stdout
    ids = loaded.encode(text)
    if form in ("ids", "json"):
        assert out == (json.dumps(ids) if form == "json" else " ".join(map(str, ids))).encode() + b"\n"
    elif form == "npy":
        assert npy(out).tolist() == ids
    else:
        assert pa.ipc.open_stream(out).read_all()["ids"].to_pylist() == [ids]
    assert bpe("decode", byte_tokenizer, "--whole", input=out).stdout == text


@pytest.mark.usefixtures("small_blocks")
def test_arrow_has_a_list_a_line(bpe: Run, byte_tokenizer: Path, loaded: Tokenizer) -> None:
    out = bpe("encode", byte_tokenizer, "--format", "arrow", input=TEXT * 20).stdout
    table = pa.ipc.open_stream(out).read_all()
    assert table["ids"].to_pylist() == [loaded.encode(line) for line in LINES] * 20
    assert table["ids"].type.value_type == pa.uint16()
    assert bpe("decode", byte_tokenizer, input=out).stdout == TEXT * 20
    assert pa.ipc.open_stream(bpe("encode", byte_tokenizer, "--format", "arrow").stdout).read_all().num_rows == 0


@pytest.mark.parametrize("mode", ["wb", "ab"])
def test_npy_into_a_file(
    byte_tokenizer: Path, loaded: Tokenizer, environment: dict[str, str], tmp_path: Path, mode: str
) -> None:
    """Its header is put in place afterwards, but for a file that is appended to."""
    command: list[str | Path] = [
        Path(sys.executable).parent / "bpe-transformer",
        "encode",
        byte_tokenizer,
        "--format",
        "npy",
        "--whole",
    ]
    with (tmp_path / "ids.npy").open(mode) as file:
        subprocess.run(command, input=TEXT, stdout=file, check=True, env=environment, timeout=60)
        subprocess.run(command, input=TEXT * 2, stdout=file, check=True, env=environment, timeout=60)
    with (tmp_path / "ids.npy").open("rb") as file:
        assert np.load(file).tolist() == loaded.encode(TEXT)
        assert np.load(file).tolist() == loaded.encode(TEXT * 2)
        assert file.read() == b""


def test_bos_and_eos(
    bpe: Run, fails: Callable[..., str], byte_tokenizer: Path, loaded: Tokenizer, tmp_path: Path
) -> None:
    assert "no token for the beginning of a text" in fails("encode", byte_tokenizer, "--bos", "three")
    Tokenizer(replace(loaded.model, bos_token="<s>", eos_token="</s>")).save(tmp_path / "tok")
    ids = " ".join(map(str, [257, *loaded.encode("three"), 258]))
    for arguments, text in (("three",), b""), ((), b"three"), (("--whole",), b"three"):
        assert bpe("encode", tmp_path / "tok", "--bos", "--eos", *arguments, input=text).stdout.decode() == ids + "\n"


@pytest.mark.usefixtures("small_blocks")
def test_problems_name_the_line(fails: Callable[..., str], byte_tokenizer: Path, tmp_path: Path) -> None:
    from bpe_transformer import PretokenCounts, learn_bpe

    learn_bpe(PretokenCounts.from_words({"low": 1}), 10, unit="char").save(tmp_path / "char")
    message = fails("encode", tmp_path / "char", "--format", "npy", input=b"low\n" * 30 + b"lox\nlow\n")
    assert "line 31: character 'x' (U+0078) at byte 2" in message
    assert "the text holds the special token" in fails("encode", byte_tokenizer, "--whole", input=b"a\n<s>")
    assert "standard input is not UTF-8: byte 0xff at position 3" in fails(
        "encode", byte_tokenizer, "--whole", input=b"abc\xff"
    )
    message = fails("decode", byte_tokenizer, "--whole", input=b"1 2\n3\n4 999\n")
    assert "line 3: id 999 is out of range" in message


def broken() -> dict[str, tuple[bytes, str]]:
    whole = io.BytesIO()
    np.save(whole, np.arange(5, dtype=np.uint16))
    floats = io.BytesIO()
    np.save(floats, np.array([0.5]))
    out = io.BytesIO()
    np.save(out, np.array([3, 280], np.int64))
    numbers, nulls = io.BytesIO(), io.BytesIO()
    for sink, column in ((numbers, pa.array([1])), (nulls, pa.array([[1], None]))):
        batch = pa.record_batch([column], ["x"])
        with pa.ipc.new_stream(sink, batch.schema) as writer:
            writer.write_batch(batch)
    return {
        "npy cut": (whole.getvalue()[:-3], "the .npy file ends early: 2 ids are missing"),
        "npy header": (whole.getvalue()[:30], "begins like an .npy file but is not one"),
        "npy floats": (floats.getvalue(), "holds float64 of shape (1,)"),
        "npy range": (out.getvalue(), "position 1 of the ids: id 280 is out of range"),
        "arrow cut": (numbers.getvalue()[:20], "begins like an Arrow stream but is damaged"),
        "arrow numbers": (numbers.getvalue(), "the column holds int64, not lists of ids"),
        "arrow nulls": (nulls.getvalue(), "holds nulls"),
    }


@pytest.mark.parametrize("name", broken())
def test_broken_input(fails: Callable[..., str], byte_tokenizer: Path, name: str) -> None:
    data, message = broken()[name]
    assert message in fails("decode", byte_tokenizer, input=data)


def test_offsets_that_do_not_belong(bpe: Run, fails: Callable[..., str], byte_tokenizer: Path, tmp_path: Path) -> None:
    ids = bpe("encode", byte_tokenizer, "--format", "npy", input=TEXT).stdout
    np.save(tmp_path / "o.npy", np.array([0, 3, 2]))
    assert "does not hold the offsets" in fails("decode", byte_tokenizer, "--offsets", tmp_path / "o.npy", input=ids)
    usage = bpe("decode", byte_tokenizer, "--offsets", tmp_path / "o.npy", input=b"1 2\n")
    assert (usage.returncode, b"goes with a NumPy array" in usage.stderr) == (2, True)
    usage = bpe("encode", byte_tokenizer, "--offsets", tmp_path / "o.npy", input=b"a")
    assert (usage.returncode, b"goes with --format npy" in usage.stderr) == (2, True)


@given(st.lists(st.lists(st.integers(0, 2**32 - 1), max_size=5), max_size=5), st.booleans())
@settings(max_examples=100, deadline=None)
def test_lines_of_ids_and_back(rows: list[list[int]], as_json: bool) -> None:
    ids = np.array([id for row in rows for id in row], np.uint32)
    offsets = np.cumsum([0, *map(len, rows)], dtype=np.int64)
    lines = _core.lines_of_ids(ids, offsets, as_json)
    form = json.dumps if as_json else lambda row: " ".join(map(str, row))
    assert lines.decode() == "".join(form(row) + "\n" for row in rows)
    parsed = _core.ids_of_lines(lines)
    assert parsed is not None
    assert [part.tolist() for part in np.split(parsed[0], parsed[1][1:-1])][: len(rows)] == rows


@given(st.text("0123456789 \t,[]-\n.e+", max_size=30))
@settings(max_examples=300, deadline=None)
def test_lines_are_read_as_python_reads_them(text: str) -> None:
    parsed = _core.ids_of_lines(text.encode())
    lines = text.encode().removesuffix(b"\n").split(b"\n") if text else []
    if parsed is not None:  # else Python reads them, and says what is wrong
        expected = [
            json.loads(line) if line.strip().startswith(b"[") else [int(word) for word in line.split()]
            for line in lines
        ]
        assert len(parsed[1]) - 1 == len(lines)
        assert [parsed[0][a:b].tolist() for a, b in zip(parsed[1], parsed[1][1:], strict=False)] == expected


def test_a_closed_pipe_ends_quietly(start: Callable[..., subprocess.Popen[bytes]], byte_tokenizer: Path) -> None:
    for arguments in (
        ("encode", byte_tokenizer, "--format", "arrow"),
        ("encode", byte_tokenizer, "--format", "npy"),
        ("decode", byte_tokenizer),
    ):
        process = start(*arguments)
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        try:
            process.stdin.write(b"97 98 99\n" * 300_000)
            process.stdin.close()
        except BrokenPipeError:
            pass
        assert process.stderr.read() == b""
        assert process.wait(timeout=30) == 0


def test_files_to_a_folder(
    bpe: Run, fails: Callable[..., str], byte_tokenizer: Path, loaded: Tokenizer, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_bytes(TEXT)
    (tmp_path / "in" / "b.txt").write_text("three")
    lines = [*(loaded.encode(line) for line in LINES), loaded.encode("three")]
    done = bpe("encode", byte_tokenizer, "--file", tmp_path / "in", "-o", tmp_path / "out")
    assert (done.returncode, done.stdout) == (0, b"")
    assert f"{sum(map(len, lines))} ids of 5 texts (1 empty), {len(TEXT) + 5} bytes" in done.stderr.decode()
    assert TokenStore.load(tmp_path / "out", loaded).tolist() == lines
    again = (
        "encode",
        byte_tokenizer,
        "--file",
        tmp_path / "in",
        "-o",
        tmp_path / "out",
        "--whole",
        "--format",
        "arrow",
    )
    assert "overwrite" in fails(*again)
    assert bpe(*again, "--overwrite").returncode == 0
    assert TokenStore.load(tmp_path / "out").tolist() == [loaded.encode(TEXT), loaded.encode("three")]
    for wrong in (
        ("--file", "x"),
        ("-o", "y"),
        ("--file", "x", "-o", "y", "text"),
        ("--file", "x", "-o", "y", "--format", "json"),
    ):
        assert bpe("encode", byte_tokenizer, *wrong).returncode == 2
