"""A manifest finds every file that is missing, cut off or changed."""

from __future__ import annotations

import json
import random
from contextlib import suppress
from pathlib import Path

import pytest

from bpe_transformer.errors import FormatError
from bpe_transformer.io import MANIFEST, check_manifest, write_manifest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "deep").mkdir()
    (tmp_path / "weights").write_bytes(random.Random(0).randbytes(3_000_000))
    (tmp_path / "deep" / "설정.json").write_text("{}", encoding="utf-8")
    (tmp_path / "empty").touch()
    write_manifest(tmp_path)
    return tmp_path


def test_a_whole_folder_passes_and_other_files_do_not_matter(folder: Path) -> None:
    (folder / "notes.txt").touch()
    check_manifest(folder)
    check_manifest(folder, check="sizes")
    listed = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
    assert list(listed) == ["deep/설정.json", "empty", "weights"]
    before = (folder / MANIFEST).read_bytes()
    write_manifest(folder, ["weights", "empty", "deep/설정.json"])
    assert (folder / MANIFEST).read_bytes() == before


def test_every_change_is_found(folder: Path) -> None:
    choose = random.Random(1)
    data = bytearray((folder / "weights").read_bytes())
    for _ in range(20):
        place = choose.randrange(len(data))
        data[place] ^= 1 << choose.randrange(8)
        (folder / "weights").write_bytes(data)
        check_manifest(folder, check="sizes")
        with pytest.raises(FormatError, match=r"weights is not what manifest\.json lists"):
            check_manifest(folder)
    for size in (0, 1, len(data) - 1):
        (folder / "weights").write_bytes(data[:size])
        with pytest.raises(FormatError, match=f"weights has {size:,} bytes where"):
            check_manifest(folder, check="sizes")
    (folder / "weights").unlink()
    with pytest.raises(FormatError, match="weights is missing"):
        check_manifest(folder, check="sizes")


def test_damaged_manifests_raise_nothing_but_format_errors(folder: Path) -> None:
    whole = (folder / MANIFEST).read_bytes()
    choose = random.Random(2)
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(choose.randint(1, 4)):
            data[choose.randrange(len(data))] = choose.randrange(256)
        (folder / MANIFEST).write_bytes(data[: choose.choice([len(data), choose.randrange(len(data))])])
        with suppress(FormatError):
            check_manifest(folder, check="sizes")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"format": 2, "files": {}}, "version 2 of the manifest format"),
        ({"format": 1, "files": {"../../etc/passwd": {"size": 1, "sha256": ""}}}, "outside the folder"),
        ({"format": 1, "files": {"/etc/passwd": {"size": 1, "sha256": ""}}}, "outside the folder"),
        ({"format": 1, "files": {"weights": {"size": "1", "sha256": ""}}}, "not a manifest"),
        ({"format": 1, "files": {"a\0b": {"size": 1, "sha256": ""}}}, "missing"),
        ([], "not a manifest"),
    ],
)
def test_manifests_that_do_not_fit(folder: Path, content: object, message: str) -> None:
    (folder / MANIFEST).write_text(json.dumps(content))
    with pytest.raises(FormatError, match=message):
        check_manifest(folder)


def test_a_folder_without_a_manifest_is_not_whole(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"manifest\.json is missing"):
        check_manifest(tmp_path)
