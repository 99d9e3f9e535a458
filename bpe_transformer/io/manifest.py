"""A manifest binds the files of a folder together: their sizes and SHA-256 sums, written last and checked first."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from bpe_transformer.errors import FormatError
from bpe_transformer.io.json_files import ENTRIES, parse_json, read_within

MANIFEST = "manifest.json"
FORMAT = 1


class FileSum(NamedTuple):
    """The size of a file in bytes and its SHA-256 sum, in hexadecimal digits."""

    size: int
    sha256: str


def write_manifest(
    folder: str | os.PathLike[str], files: Iterable[str] | None = None, known: Mapping[str, FileSum] | None = None
) -> None:
    """Writes the manifest of `files`, paths within the folder; None takes all files there are, at any depth.

    Sums that are `known` are not taken again. Call it when the files are complete, last in the block of an `atomic_directory`.
    """
    folder = Path(folder)
    names = _files(folder) if files is None else sorted(files)
    text = manifest_text({name: (known or {}).get(name) or sum_of(folder / name) for name in names})
    (folder / MANIFEST).write_text(text, encoding="utf-8")


def manifest_text(sums: Mapping[str, FileSum]) -> str:
    """The content of a manifest of files with these sums."""
    entries = {name: found._asdict() for name, found in sorted(sums.items())}
    return json.dumps({"format": FORMAT, "files": entries}, indent=1, ensure_ascii=False) + "\n"


def sum_of(path: Path) -> FileSum:
    """The size and the sum of a file."""
    return FileSum(path.stat().st_size, sha256_of(path))


def listed_files(folder: str | os.PathLike[str]) -> dict[str, FileSum]:
    """The files that a manifest lists, with their sums. Raises `FormatError` as `check_manifest`."""
    return _read(Path(folder) / MANIFEST)


def check_files(
    folder: str | os.PathLike[str], names: Iterable[str], *, check: Literal["sizes", "sha256"] = "sha256"
) -> bool:
    """Checks the files that are about to be read; False if the folder has no manifest of ours, as those of other programs.

    Names that the manifest does not list, or folders of such, are passed over: others put them there. Raises `FormatError` as
    `check_manifest`.
    """
    folder = Path(folder)
    if not _is_manifest(folder / MANIFEST):
        return False
    wanted = tuple(names)
    for name, (size, sha256) in _read(folder / MANIFEST).items():
        if name in wanted or any(name.startswith(f"{prefix}/") for prefix in wanted):
            _check(folder, name, size, sha256 if check == "sha256" else None)
    return True


def check_manifest(folder: str | os.PathLike[str], *, check: Literal["sizes", "sha256"] = "sha256") -> None:
    """Checks a folder against its manifest; files that the manifest does not name are ignored.

    "sizes" finds what is missing or cut off without reading the files, "sha256" every change.

    Raises `FormatError` for the first file that is missing or differs, for a damaged manifest or none, and for a manifest of a
    later version.
    """
    folder = Path(folder)
    for name, (size, sha256) in _read(folder / MANIFEST).items():
        _check(folder, name, size, sha256 if check == "sha256" else None)


def _check(folder: Path, name: str, size: int, sha256: str | None) -> None:
    path = folder / name
    remedy = f"write {folder} anew, or remove {folder / MANIFEST} to read its files as they are"
    if not path.is_file():
        raise FormatError(f"{path} is missing, which {MANIFEST} lists; {remedy}")
    if path.stat().st_size != size:
        raise FormatError(
            f"{path} has {path.stat().st_size:,} bytes where {MANIFEST} has {size:,}: it is damaged, or of another run; "
            f"{remedy}"
        )
    if sha256 is not None and sha256_of(path) != sha256:
        raise FormatError(
            f"{path} is not what {MANIFEST} lists (SHA-256 differs): it is damaged, or of another run; {remedy}"
        )


def _is_manifest(path: Path) -> bool:
    """Whether a file of that name is ours, damaged or not, and not that of another program."""
    try:
        content = parse_json(read_within(path, ENTRIES))
    except FileNotFoundError:
        return False
    except FormatError:
        return True
    return isinstance(content, dict) and ("format" in content or "files" in content)


def _read(path: Path) -> dict[str, FileSum]:
    try:
        content: Any = parse_json(read_within(path, ENTRIES))
    except FileNotFoundError:
        raise FormatError(f"{path} is missing, so the folder is not whole; write it anew") from None
    except FormatError as problem:
        said = str(problem).removesuffix("; check the file")
        raise FormatError(f"{path} is damaged ({said}); write the folder anew") from None
    try:
        version, files = content["format"], content["files"]
        if version != FORMAT:
            raise FormatError(
                f"{path} has version {version!r} of the manifest format, and this bpe-transformer reads version {FORMAT}; "
                "use the version of bpe-transformer that wrote it"
            )
        entries = {name: FileSum(entry["size"], entry["sha256"]) for name, entry in files.items()}
    except (KeyError, TypeError, AttributeError) as problem:
        raise FormatError(f"{path} is not a manifest ({problem!r}); it is damaged, write the folder anew") from None
    for name, (size, sha256) in entries.items():
        if not isinstance(size, int) or not isinstance(sha256, str):
            raise FormatError(f"{path} is not a manifest (entry {name!r}); it is damaged, write the folder anew")
        if os.path.isabs(name) or ".." in Path(name).parts:
            raise FormatError(f"{path} names {name!r}, which lies outside the folder; write the folder anew")
    return entries


def _files(folder: Path) -> list[str]:
    paths = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in paths if name != MANIFEST)


def sha256_of(path: Path) -> str:
    """The SHA-256 sum of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(1 << 20))
    with path.open("rb", buffering=0) as file:
        while size := file.readinto(buffer):
            digest.update(buffer[:size])
    return digest.hexdigest()
