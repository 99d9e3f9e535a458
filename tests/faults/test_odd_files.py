"""Pipes, devices, links in circles and bombs of JSON in the place of files that are read: refused at once, in one line."""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.cli import cli
from bpe_transformer.errors import BpeTransformerError
from bpe_transformer.io import atomic_directory
from bpe_transformer.io.json_files import ENTRIES
from bpe_transformer.io.npy_files import map_npy

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="needs pipes and /dev/zero"),
    pytest.mark.timeout(60),
]


def _large(path: Path) -> None:
    path.touch()
    os.truncate(path, 20 << 30)  # takes no room on the disk


ODD: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "endless device": lambda path: path.symlink_to("/dev/zero"),
    "link to itself": lambda path: path.symlink_to(path.name),
    "folder": lambda path: path.mkdir(),
    "large": _large,
    "deep": lambda path: path.write_bytes(b"[" * 1_000_000),
    "digits": lambda path: path.write_bytes(b'{"format": ' + b"9" * 10_000 + b"}"),
    "not UTF-8": lambda path: path.write_bytes(b'{"format": "\xff"}'),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    learned = learn_bpe(PretokenCounts.from_iterator(["low lower newest widest"] * 3), 262, special_tokens=["<pad>"])
    learned.save(tmp_path / "tok")
    (tmp_path / "text.txt").write_text("low lower\n")
    learned.encode_files(tmp_path / "text.txt", tmp_path / "ids")
    return tmp_path


def refused(folder: Path, read: Callable[[], object]) -> None:
    """`read` raises one of our errors, in one line, or what the system says of a link or a folder, and takes little memory."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises((BpeTransformerError, OSError)) as caught:
        read()
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 3 * ENTRIES.bytes >> 10


@pytest.mark.parametrize("odd", ODD)
def test_in_the_place_of_a_manifest_or_facts(folder: Path, odd: str) -> None:
    from bpe_transformer import TokenStore
    from bpe_transformer.training import load_checkpoint_info

    for place, read in (
        ("tok/manifest.json", lambda: Tokenizer.load(folder / "tok")),
        ("ids/manifest.json", lambda: TokenStore.load(folder / "ids")),
        ("config.json", lambda: load_checkpoint_info(folder)),
    ):
        (folder / place).unlink(missing_ok=True)
        ODD[odd](folder / place)
        refused(folder, read)


@pytest.mark.parametrize("odd", ["pipe", "endless device", "link to itself", "folder"])
def test_in_the_place_of_ids_and_weights(folder: Path, odd: str) -> None:
    from bpe_transformer.training.checkpoint import read_tensors
    from bpe_transformer.training.weights_header import read_header

    path = folder / "weights"
    ODD[odd](path)
    for read in (read_tensors, read_header, map_npy):
        refused(folder, partial(read, path))


@pytest.mark.parametrize("odd", ["large", "deep", "digits", "not UTF-8"])
def test_in_the_place_of_files_beside_a_tokenizer(folder: Path, odd: str) -> None:
    for name in ("special_tokens_map.json", "tokenizer_config.json", "tokenizer.json"):
        before = (folder / "tok" / name).read_bytes()
        (folder / "tok" / "manifest.json").unlink(missing_ok=True)
        (folder / "tok" / name).unlink()
        ODD[odd](folder / "tok" / name)
        refused(folder, lambda: Tokenizer.load(folder / "tok"))
        (folder / "tok" / name).unlink()
        (folder / "tok" / name).write_bytes(before)
    assert Tokenizer.load(folder / "tok").vocab_size == 262


@pytest.mark.parametrize("value", [-1, 2**64, 1e308, True, {"a": {}}, "<x>"])
def test_lists_of_special_tokens_that_are_none_are_refused(folder: Path, value: object) -> None:
    path = folder / "tok" / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "additional_special_tokens": value}))
    refused(folder, lambda: Tokenizer.load(folder / "tok"))


def test_a_pipe_in_a_folder_that_is_written_anew_is_kept_and_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "tok" / "pipe")
    with atomic_directory(folder / "tok") as new:
        (new / "more").write_text("x")
    assert (folder / "tok" / "pipe").is_fifo()
    assert (folder / "tok" / "more").read_text() == "x"


@pytest.mark.parametrize("line", ["[" * 100_000, "9" * 5_000, json.dumps([[[1]], 2]), '["1"]', "[1e400]", "[-1]"])
def test_lines_that_are_no_ids_are_refused(folder: Path, line: str) -> None:
    done = CliRunner().invoke(cli, ["decode", str(folder / "tok")], input=f"1 2\n{line}\n")
    assert isinstance(done.exception, BpeTransformerError), done.exception
    assert "line 2" in str(done.exception)
    assert len(str(done.exception)) < 300


def test_a_failed_run_that_encoded_nothing_leaves_nothing(folder: Path) -> None:
    (folder / "bad.txt").write_bytes(b"low\n\xff\n")
    before = {path.name for path in folder.iterdir()}
    done = CliRunner().invoke(
        cli, ["encode", str(folder / "tok"), "--file", str(folder / "bad.txt"), "-o", str(folder / "x")]
    )
    assert "is not UTF-8" in str(done.exception)
    assert {path.name for path in folder.iterdir()} == before


def test_arrays_of_strange_shapes_are_refused(folder: Path) -> None:
    for number, array in enumerate(
        (np.zeros((2, 2), np.int64), np.zeros(3), np.array(["a"]), np.zeros(2, np.complex64))
    ):
        np.save(folder / f"{number}.npy", array)
        refused(folder, partial(map_npy, folder / f"{number}.npy"))
