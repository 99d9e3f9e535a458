"""Flat files of ids: the bytes of their documented layouts, what the packages that own them read, and what is refused."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from bpe_transformer import Tokenizer, TokenStore
from bpe_transformer.errors import FormatError
from bpe_transformer.tokenizer.store import FLAT_FORMATS, FlatFormat, read_flat, write_flat

TEXT = "low lower\nnewest\n\nwidest low\n"


@pytest.fixture
def store(mixed: Tokenizer, tmp_path: Path) -> TokenStore:
    (tmp_path / "text.txt").write_text(TEXT)
    return mixed.encode_files(tmp_path / "text.txt", tmp_path / "store", documents="line", unit_bytes=12)


def test_a_view_without_some_rows(store: TokenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = store.tolist()
    monkeypatch.setattr("bpe_transformer.tokenizer.store.token_store._BLOCK_ROWS", 2)
    view = store.without([1, 3])
    assert view.tolist() == [rows[0], rows[2], *rows[4:]]
    assert np.diff(view.row_starts()).tolist() == [len(row) for row in view.tolist()] == view.lengths[:, 0].tolist()
    assert view.fingerprint == store.select([0, 2, *range(4, len(rows))]).fingerprint != store.fingerprint
    ids = [id for row in view.tolist() for id in row]
    assert view.ids_between(1, len(ids) - 1).tolist() == ids[1:-1]


def test_the_bytes_of_the_layouts(store: TokenStore, tmp_path: Path) -> None:
    rows = store.tolist()
    flat = [id for row in rows for id in row]
    (nano,) = write_flat(store, tmp_path / "nano", "nanogpt")
    assert nano.read_bytes() == struct.pack(f"<{len(flat)}H", *flat)
    data, index = write_flat(store, tmp_path / "trove", "datatrove")
    assert (data.name, index.name) == ("trove.ds", "trove.ds.index")
    assert data.read_bytes() == nano.read_bytes()
    ends = np.cumsum([len(row) for row in rows]).tolist()
    assert index.read_bytes() == struct.pack(f"<{len(rows)}Q", *ends)
    data, index = write_flat(store, tmp_path / "mega", "megatron")
    assert data.read_bytes() == nano.read_bytes()
    begins = [2 * start for start in [0, *ends[:-1]]]
    assert index.read_bytes() == b"MMIDIDX\x00\x00" + struct.pack(
        f"<QBQQ{len(rows)}i{len(rows)}q{len(rows) + 1}q",
        *(1, 8, len(rows), len(rows) + 1, *map(len, rows), *begins, *range(len(rows) + 1)),
    )


@pytest.mark.parametrize("format", FLAT_FORMATS)
def test_what_was_written_is_read(store: TokenStore, mixed: Tokenizer, format: FlatFormat, tmp_path: Path) -> None:
    files = write_flat(store, tmp_path / "flat", format)
    back = read_flat(files[-1] if format == "megatron" else files[0], mixed, tmp_path / "back")
    whole = [[id for row in store.tolist() for id in row]]
    assert back.tolist() == (whole if format == "nanogpt" else store.tolist())
    assert TokenStore.load(tmp_path / "back", mixed).num_ids == store.num_ids


def test_documents_of_a_flat_file_end_with_an_id(mixed: Tokenizer, tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(struct.pack("<7H", 5, 6, 2, 2, 7, 8, 9))
    assert read_flat(tmp_path / "x.bin", mixed, tmp_path / "rows", end_id=2).tolist() == [[5, 6, 2], [2], [7, 8, 9]]


def test_documents_without_an_end_get_it_where_they_are_trained_on(mixed: Tokenizer, tmp_path: Path) -> None:
    (tmp_path / "x.ds").write_bytes(struct.pack("<5H", 5, 2, 6, 7, 8))
    (tmp_path / "x.ds.index").write_bytes(struct.pack("<4Q", 2, 2, 4, 5))
    rows = read_flat(tmp_path / "x.ds", mixed, tmp_path / "rows", end_id=2, add_end=True)
    assert rows.tolist() == [[5, 2], [2], [6, 7, 2], [8, 2]]
    assert rows.facts.ends["ids"] == ((), (2,))
    assert rows.ledger.notes == ("read ids: 3 of 4 documents did not end with the id 2, and got it",)


def test_datatrove_reads_what_is_written_here(store: TokenStore, tmp_path: Path) -> None:
    dataset = pytest.importorskip("datatrove.utils.dataset")
    data, _ = write_flat(store, tmp_path / "trove", "datatrove")
    flat = [id for row in store.tolist() for id in row]
    found = dataset.DatatroveFileDataset(str(data), seq_len=3, token_size=2, return_positions=True)
    windows = [found[number]["input_ids"].tolist() for number in range(len(found))]
    assert windows == [flat[start : start + 4] for start in range(0, len(flat) - 3, 4)]
    starts = {0, *np.cumsum([len(row) for row in store.tolist()]).tolist()}
    positions = [place for number in range(len(found)) for place in found[number]["positions"].tolist()]
    assert [place for place, position in enumerate(positions) if position == 0] == sorted(
        start for start in starts if start < len(positions)
    )


def test_here_is_read_what_datatrove_writes(mixed: Tokenizer, tmp_path: Path) -> None:
    tokens = pytest.importorskip("datatrove.pipeline.tokens.tokenizer")
    file = tokens.TokenizedFile(str(tmp_path), "theirs.ds")
    for row in ([1, 2, 3], [4], [5, 6]):
        file.write(row, None)
    file.close()
    assert read_flat(tmp_path / "theirs.ds", mixed, tmp_path / "rows").tolist() == [[1, 2, 3], [4], [5, 6]]


def test_damaged_files_are_refused(store: TokenStore, mixed: Tokenizer, tmp_path: Path) -> None:
    data, index = write_flat(store, tmp_path / "mega", "megatron")
    for change, message in (
        (lambda raw: raw[:40], "is cut off"),
        (lambda raw: b"x" + raw[1:], "not an index of Megatron"),
        (lambda raw: raw[:9] + b"\x02" + raw[10:], "version 2"),
        (lambda raw: raw[:34] + b"\x09" + raw[35:], "do not follow each other"),
    ):
        whole = index.read_bytes()
        index.write_bytes(change(whole))
        with pytest.raises(FormatError, match=message):
            read_flat(data, mixed, tmp_path / "rows")
        index.write_bytes(whole)
    data, index = write_flat(store, tmp_path / "trove", "datatrove")
    index.write_bytes(index.read_bytes()[:-8])
    with pytest.raises(FormatError, match="does not fit the"):
        read_flat(data, mixed, tmp_path / "rows")
    data.write_bytes(b"abc")
    with pytest.raises(FormatError, match="no whole number of 16-bit ids"):
        read_flat(data, mixed, tmp_path / "rows")
    (tmp_path / "big.bin").write_bytes(struct.pack("<2H", 1, 60_000))
    with pytest.raises(FormatError, match=r"holds the id 60000, and the tokenizer has 0 to"):
        read_flat(tmp_path / "big.bin", mixed, tmp_path / "rows")
    assert not (tmp_path / "rows").exists()
