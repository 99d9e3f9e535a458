"""Corpora named by a path: a file of text or a table, a folder of them with its splits, or parallel files "a,b"."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bpe_transformer.data.corpora.reading import AS_IS, Documents, Reading
from bpe_transformer.errors import CorpusError
from bpe_transformer.io import COMPRESSIONS, FORMATS, TEXT_FORMATS, Errors, file_format
from bpe_transformer.tokenizer.store.remote_files import is_url

if TYPE_CHECKING:
    import datasets

_SPLIT_PREFIXES = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
}
_MOST_NAMED = 5  # files that are not read


@dataclass(frozen=True)
class LocalCorpus:
    """Where a path's rows are.

    Attributes:
        columns: maps a language to its file for parallel files; None otherwise.
        splits: those that the name has, `split` among them.
        unread: what the folder holds besides, as messages name it.
    """

    name: str
    files: tuple[Path, ...]
    columns: tuple[str, ...] | None = None
    splits: tuple[str, ...] = ("train",)
    unread: tuple[str, ...] = ()

    @property
    def suffix(self) -> str:
        return file_format(self.files[0])

    @property
    def is_text(self) -> bool:
        """Plain text that is not parallel: what can be counted straight from the files."""
        return self.columns is None and is_text(self.files[0])

    def documents(self, reading: Reading) -> Documents:
        """What a row of its text is."""
        return reading.documents or (reading.of_txt if self.suffix == ".txt" else "file")


def is_text(file: Path) -> bool:
    """Whether a file has lines and no columns."""
    return file_format(file) == ".txt" or file_format(file) in TEXT_FORMATS


def looks_local(name: str) -> bool:
    """Whether `name` can only be a path: it exists, has a separator or a known suffix, or names several files."""
    path = Path(name)
    return "," in name or path.exists() or len(path.parts) > 1 or _supported(path)


def find(name: str, split: str = "train", reading: Reading = AS_IS) -> LocalCorpus:
    """The files that `name` stands for.

    A folder gives all its supported files, sorted, and those of its subfolders if `reading` is recursive; they have to
    be of one format, but text beside tables is left. When their names begin with a split's (train.jsonl, val.jsonl,
    test-1.jsonl), or their folders' names do, only those of `split` are taken, and files of one split in several
    languages (train.en, train.de) are parallel. Parallel files named train have the splits that lie beside them. Anything
    else has the one split train.
    """
    if "," in name:
        return _parallel(name, split)
    if is_url(name):
        from bpe_transformer.data.corpora.remote_copies import local_copy  # it loads datasets

        return replace(find(str(local_copy(name)), split, reading), name=name)
    path = Path(name)
    if path.is_dir():
        return _in_folder(path, split, reading)
    _must_exist(path)
    if not _supported(path):
        raise CorpusError(
            f"{path}: the suffix {path.suffix!r} is not supported; use one of {' '.join(FORMATS)}, another of text such as "
            f".md .rst .py, or one of them compressed ({' '.join(COMPRESSIONS)})"
        )
    _only_train(name, split)
    return LocalCorpus(name, (path,))


def load(
    corpus: LocalCorpus, errors: Errors, reading: Reading = AS_IS, columns: Sequence[str] | None = None
) -> datasets.Dataset:
    """The rows: documents of text (blank ones are dropped and counted), lines of parallel text, or the table's rows.

    columns: read only these of a table.
    """
    from bpe_transformer.data.corpora import readers
    from bpe_transformer.data.corpora.table_cache import cached_table

    chosen = None if columns is None else list(columns)
    key: list[object] = ["local", chosen, errors]
    if corpus.columns is not None:
        reader = readers.parallel_reader(dict(zip(corpus.columns, corpus.files, strict=True)), errors)
        key.append(corpus.columns)
    elif corpus.is_text:
        reader = readers.text_reader(corpus.files, corpus.documents(reading), errors)
        key.append(corpus.documents(reading))
    elif corpus.suffix == ".jsonl":
        reader = readers.json_reader(corpus.files, columns, errors)
    elif corpus.suffix == ".parquet":
        reader = readers.parquet_reader(corpus.files, columns)
    else:
        reader = readers.table_reader(corpus.files, columns, {}, errors, reading)
        key += [reading.header, reading.columns]
    schema = readers.text_schema(corpus.columns or ("text",))
    dataset = cached_table([*key, [stamp(file) for file in corpus.files]], schema, reader)
    if len(dataset) == 0:
        raise CorpusError(f"{corpus.name} is empty: it holds no row of text; give a corpus with at least one")
    return dataset


def stamp(file: Path) -> list[object]:
    """What tells one state of a file from another, for cache keys.

    Size and time of the last change can be the same for another content; inode and `st_ctime`, which the system alone sets,
    cannot.
    """
    state = file.stat()
    return [str(file.resolve()), state.st_size, state.st_mtime_ns, state.st_ino, state.st_ctime_ns]


def _supported(file: Path) -> bool:
    return file_format(file) in FORMATS or file_format(file) in TEXT_FORMATS


def _only_train(name: str, split: str) -> None:
    if split != "train":
        raise CorpusError(
            f"{name} has no split {split!r}, only 'train'; name another file, or take a share of this one "
            "with split='train[90%:]'"
        )


def _must_exist(path: Path) -> None:
    if not path.is_file():
        raise CorpusError(
            f"{path} does not exist or is not a file; check the path (bpe-transformer corpora lists the names)"
        )


def _in_folder(folder: Path, split: str, reading: Reading) -> LocalCorpus:
    found = sorted(_files(folder, recursive=reading.recursive))
    subfolders = () if reading.recursive else tuple(sorted(_subfolders(folder)))
    by_split: dict[str, list[Path]] = {}
    for file in found:
        by_split.setdefault(_split_of(file, folder) or "", []).append(file)
    named = {name: _languages(files) for name, files in by_split.items() if name}
    if named.get(split):
        languages = named[split]
        used = set(languages.values())
        unread = _unread(
            folder, [file for file in by_split[split] if file not in used] + by_split.get("", []), subfolders
        )
        return LocalCorpus(str(folder), tuple(languages.values()), tuple(languages), _splits(named), unread)
    files = [file for file in found if _supported(file)]
    tables = [file for file in files if not is_text(file)]
    if tables:  # a README beside them is no part of the corpus
        files = [file for file in files if not is_text(file) or file_format(file) == ".txt"]
    if not files:
        raise CorpusError(
            f"{folder} holds no {' '.join(FORMATS)} file, nor any other of text; name a folder that does"
            + (f", or read its subfolders too with recursive=True: {', '.join(subfolders[:3])}" if subfolders else "")
        )
    formats = sorted({".txt" if is_text(file) else file_format(file) for file in files})
    if len(formats) > 1:
        raise CorpusError(f"{folder} mixes {' and '.join(formats)} files; a corpus is of one format, so name the files")
    splits = {name: [file for file in by_split[name] if file in set(files)] for name in by_split if name}
    splits = {name: chosen for name, chosen in splits.items() if chosen}
    if not splits:
        _only_train(str(folder), split)
        return LocalCorpus(str(folder), tuple(files), unread=_unread(folder, set(found) - set(files), subfolders))
    if split not in splits:
        raise CorpusError(f"{folder} has no split {split!r}; its files are of {', '.join(sorted(splits))}")
    rest = set(found) - {file for chosen in splits.values() for file in chosen}
    return LocalCorpus(
        str(folder), tuple(splits[split]), splits=_splits(splits), unread=_unread(folder, rest, subfolders)
    )


def _files(folder: Path, *, recursive: bool) -> Iterable[Path]:
    for file in folder.iterdir():
        if file.name.startswith("."):
            continue
        if file.is_dir() and recursive:
            yield from _files(file, recursive=True)
        elif file.is_file():
            yield file


def _subfolders(folder: Path) -> list[str]:
    return [f"{file.name}/" for file in folder.iterdir() if file.is_dir() and not file.name.startswith(".")]


def _unread(folder: Path, files: Iterable[Path], subfolders: Sequence[str]) -> tuple[str, ...]:
    return (*sorted(str(file.relative_to(folder)) for file in files), *subfolders)


def unread_note(corpus: LocalCorpus) -> str | None:
    """What a folder holds and is not read, in words."""
    if not corpus.unread:
        return None
    more = len(corpus.unread) - _MOST_NAMED
    shown = ", ".join(corpus.unread[:_MOST_NAMED]) + (f" and {more:,} more" if more > 0 else "")
    remedy = "; subfolders are read with recursive=True" if any(name.endswith("/") for name in corpus.unread) else ""
    verb = "is" if len(corpus.unread) == 1 else "are"
    return f"{corpus.name} holds {shown} besides, which {verb} not read{remedy}"


def _split_of(file: Path, folder: Path) -> str | None:
    """The split that a file's name begins with, or that of a folder between `folder` and it."""
    for part in reversed(file.relative_to(folder).parts):
        if found := _SPLIT_PREFIXES.get(re.split(r"[._-]", part.lower())[0]):
            return found
    return None


def _splits(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(name for name in ("train", "validation", "test") if name in set(found))


def _languages(files: Sequence[Path]) -> Mapping[str, Path]:
    """The language of each file where there are at least two, one a file, and the files' names agree otherwise."""
    found = {
        language: file
        for file in files
        if (language := _language(file)) is not None and file_format(file) not in FORMATS[1:]
    }
    stems = {file.name.replace(f".{language}", "", 1) for language, file in found.items()}
    is_code = all(_supported(file) for file in found.values())  # train.py and train.md
    return found if len(found) > 1 and len(stems) == 1 and not is_code else {}


def _parallel(name: str, split: str) -> LocalCorpus:
    files = [Path(path.strip()) for path in name.split(",")]
    for file in files:
        _must_exist(file)
    beside = _beside(files) if split != "train" or _split_of(files[0], files[0].parent) == "train" else {}
    labels = [_language(file) for file in files]
    if split != "train":
        if split not in beside:
            _only_train(name, split)
        files = beside[split]
    if None in labels or len(set(labels)) != len(labels):
        if len(files) != 2:
            raise CorpusError(f"{name}: cannot tell the languages apart; name the files like text.en.txt,text.de.txt")
        labels = ["src", "tgt"]
    splits = _splits(["train", *beside])
    return LocalCorpus(name, tuple(files), tuple(label for label in labels if label), splits)


def _beside(files: Sequence[Path]) -> dict[str, list[Path]]:
    """The other splits that lie beside parallel files named train, such as dev.en and dev.de."""
    found: dict[str, list[Path]] = {}
    if any(_split_of(file, file.parent) != "train" for file in files):
        return found
    for prefix, split in _SPLIT_PREFIXES.items():
        others = [file.with_name(re.sub(r"^train(ing)?", prefix, file.name, flags=re.IGNORECASE)) for file in files]
        if split != "train" and split not in found and all(file.is_file() for file in others):
            found[split] = others
    return found


def _language(file: Path) -> str | None:
    """en for corpus.en.txt and for train.en."""
    suffixes: Sequence[str] = [suffix for suffix in file.suffixes if suffix.lower() not in (".txt", *COMPRESSIONS)]
    return (
        suffixes[-1][1:] if suffixes and re.fullmatch(r"\.[A-Za-z]{2,3}(?:[-_][A-Za-z]{2,4})?", suffixes[-1]) else None
    )
