"""Counting files, texts or a dataset in one call."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bpe_transformer.errors import CorpusError, refuse_one_string
from bpe_transformer.io.utf8 import DEFAULT_ERRORS, Errors
from bpe_transformer.tokenizer.counting.spilling import Counted
from bpe_transformer.tokenizer.counting.text_counter import TextCounter
from bpe_transformer.tokenizer.splitting.patterns import DEFAULT_PATTERN
from bpe_transformer.tokenizer.splitting.pretokenizer import Pretokenizer

if TYPE_CHECKING:
    import datasets

PathLike = str | os.PathLike[str]
Progress = Callable[[int, int], None]


def count_files(
    paths: PathLike | Sequence[PathLike],
    pattern: str | Pretokenizer = DEFAULT_PATTERN,
    num_threads: int | None = None,
    *,
    documents: str = "file",
    columns: Sequence[str] | None = None,
    errors: Errors = DEFAULT_ERRORS,
    max_memory: int | str | None = None,
    progress: Progress | None = None,
) -> Counted:
    """The words and facts of files; see `PretokenCounts.from_files`."""
    refuse_one_string(CorpusError, columns=columns)
    files = [Path(paths)] if isinstance(paths, (str, os.PathLike)) else [Path(path) for path in paths]
    for file in files:
        if not file.is_file():
            raise CorpusError(f"{file} is not a file; check the path")
    counter = TextCounter(pattern, num_threads, max_memory=max_memory)
    sizes = [file.stat().st_size for file in files]
    total, start = sum(sizes), 0
    for file, size in zip(files, sizes, strict=True):
        report = None if progress is None else lambda done, start=start: progress(start + done, total)
        counter.add_file(file, documents=documents, columns=columns, errors=errors, report=report)
        start += size
        if progress:
            progress(start, total)
    return counter.collect()


def count_texts(
    texts: Iterable[str],
    pattern: str | Pretokenizer = DEFAULT_PATTERN,
    num_threads: int | None = None,
    *,
    max_memory: int | str | None = None,
) -> Counted:
    """The words and facts of texts; see `PretokenCounts.from_iterator`."""
    refuse_one_string(CorpusError, texts=texts)
    counter = TextCounter(pattern, num_threads, max_memory=max_memory)
    counter.add_texts(texts)
    return counter.collect()


def count_dataset(
    dataset: datasets.Dataset | datasets.IterableDataset,
    columns: Sequence[str] | None = None,
    pattern: str | Pretokenizer = DEFAULT_PATTERN,
    num_threads: int | None = None,
    *,
    max_memory: int | str | None = None,
) -> Counted:
    """The words and facts of columns of a `datasets` object; see `PretokenCounts.from_dataset`."""
    refuse_one_string(CorpusError, columns=columns)
    counter = TextCounter(pattern, num_threads, max_memory=max_memory)
    counter.add_dataset(dataset, columns)
    return counter.collect()
