"""Corpora named by a path: a .txt .jsonl .csv .tsv .parquet file, a folder of them, or parallel files "a,b"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bpe_transformer.errors import CorpusError
from bpe_transformer.io import COMPRESSIONS, FORMATS, Errors, file_format

if TYPE_CHECKING:
    import datasets

_MARKS = (*FORMATS, *(form + packed for form in FORMATS[:-1] for packed in COMPRESSIONS))  # of files that hold a corpus
_SPLIT_PREFIXES = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
}


@dataclass(frozen=True)
class LocalCorpus:
    """Where a path's rows are. `columns` maps a language to its file for parallel files and is None otherwise."""

    name: str
    files: tuple[Path, ...]
    columns: tuple[str, ...] | None = None

    @property
    def suffix(self) -> str:
        return file_format(self.files[0])

    @property
    def is_text(self) -> bool:
        """Plain text that is not parallel: what can be counted straight from the files."""
        return self.columns is None and is_text(self.files[0])


def is_text(file: Path) -> bool:
    """Whether a file has lines and no columns."""
    return file_format(file) == ".txt"


def looks_local(name: str) -> bool:
    """Whether `name` can only be a path: it exists, has a separator or a known suffix, or names several files."""
    path = Path(name)
    return "," in name or path.exists() or len(path.parts) > 1 or _supported(path)


def find(name: str, split: str = "train") -> LocalCorpus:
    """The files that `name` stands for.

    A folder gives all its supported files, sorted, not those of its subfolders; they have to be of one format. When
    their names begin with a split's (train.jsonl, val.jsonl, test-1.jsonl), only those of `split` are taken. Anything
    else has the one split train.
    """
    if "," in name:
        _only_train(name, split)
        return _parallel(name)
    path = Path(name)
    if path.is_dir():
        return LocalCorpus(name, tuple(_in_folder(path, split)))
    _must_exist(path)
    if not _supported(path):
        raise CorpusError(
            f"{path}: the suffix {path.suffix!r} is not supported; use one of {' '.join(FORMATS)}, or one of them packed "
            f"({' '.join(COMPRESSIONS)})"
        )
    _only_train(name, split)
    return LocalCorpus(name, (path,))


def load(corpus: LocalCorpus, errors: Errors) -> datasets.Dataset:
    """The rows: lines for text (blank ones are dropped and counted) and for parallel text, else the table's rows."""
    from bpe_transformer.data.corpora import readers
    from bpe_transformer.data.corpora.table_cache import cached_table

    if corpus.columns is not None:
        reader = readers.parallel_reader(dict(zip(corpus.columns, corpus.files, strict=True)), errors)
    elif corpus.suffix == ".txt":
        reader = readers.line_reader(corpus.files, "text", errors)
    elif corpus.suffix == ".jsonl":
        reader = readers.json_reader(corpus.files, errors)
    elif corpus.suffix == ".parquet":
        reader = readers.parquet_reader(corpus.files)
    else:
        reader = readers.table_reader(corpus.files, None, {}, errors)
    columns = corpus.columns or ("text",)
    key = ["local", columns, errors, [stamp(file) for file in corpus.files]]
    dataset = cached_table(key, readers.text_schema(columns), reader)
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
    return file.name.lower().endswith(_MARKS)


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


def _in_folder(folder: Path, split: str) -> list[Path]:
    files = sorted(file for file in folder.iterdir() if file.is_file() and _supported(file))
    if not files:
        raise CorpusError(
            f"{folder} holds no {' '.join(FORMATS)} file; name a folder that does (subfolders are not searched)"
        )
    suffixes = sorted({file_format(file) for file in files})
    if len(suffixes) > 1:
        raise CorpusError(
            f"{folder} mixes {' and '.join(suffixes)} files; a corpus is of one format, so name the files"
        )
    splits = {file: _SPLIT_PREFIXES.get(re.split(r"[._-]", file.stem.lower())[0]) for file in files}
    if not any(splits.values()):
        _only_train(str(folder), split)
        return files
    chosen = [file for file in files if splits[file] == split]
    if not chosen:
        known = sorted({found for found in splits.values() if found})
        raise CorpusError(f"{folder} has no split {split!r}; its files are of {', '.join(known)}")
    return chosen


def _parallel(name: str) -> LocalCorpus:
    files = tuple(Path(path.strip()) for path in name.split(","))
    for file in files:
        _must_exist(file)
    labels = [_language(file) for file in files]
    if None in labels or len(set(labels)) != len(labels):
        if len(files) != 2:
            raise CorpusError(f"{name}: cannot tell the languages apart; name the files like text.en.txt,text.de.txt")
        labels = ["src", "tgt"]
    return LocalCorpus(name, files, tuple(label for label in labels if label))


def _language(file: Path) -> str | None:
    """en for corpus.en.txt and for train.en."""
    suffixes: Sequence[str] = [suffix for suffix in file.suffixes if suffix.lower() not in (".txt", *COMPRESSIONS)]
    return (
        suffixes[-1][1:] if suffixes and re.fullmatch(r"\.[A-Za-z]{2,3}(?:[-_][A-Za-z]{2,4})?", suffixes[-1]) else None
    )
