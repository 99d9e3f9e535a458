"""Corpora to pre-token counts, the learner's input."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from operator import add
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bpe_transformer.data import local_files
from bpe_transformer.data.corpora import corpus_info, load_corpus, text_columns
from bpe_transformer.data.readers import Errors
from bpe_transformer.data.recipes import all_recipes
from bpe_transformer.errors import CorpusError
from bpe_transformer.tokenizer import PretokenCounts
from bpe_transformer.tokenizer.pretokenization import PreTokenization

if TYPE_CHECKING:
    import datasets

Progress = Callable[[int, int], None]  # (bytes done, bytes in all)


def count_corpus(
    names: str | Sequence[str],
    *,
    pattern: str | PreTokenization = "cl100k",
    split: str = "train",
    source_dir: str | os.PathLike[str] | None = None,
    errors: Errors = "strict",
    num_threads: int | None = None,
    columns: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> PretokenCounts:
    """Counts the pre-tokens of all text columns of all corpora in `names`.

    A local .txt file is one document, counted straight from disk; of everything else each value is a document. Counts
    of words (`low-lower`) come as they are, whatever `pattern` says: their pattern is whitespace.

    Args:
        columns: count these instead of the text columns.
        progress: called with the bytes done and the bytes in all.

    Raises:
        CorpusError: as `load_corpus` does; also when a column is missing or holds no text, or everything is empty.
    """
    chosen = [names] if isinstance(names, str) else list(names)
    if not chosen:
        raise CorpusError("no corpus is named; name at least one (bpe-transformer corpora lists them)")
    parts = [_part(name, split, source_dir, errors, columns) for name in chosen]
    total = sum(part.num_bytes for part in parts)
    counts = []
    done = 0
    for part in parts:
        base = done
        report = None if progress is None else lambda here, _, base=base: progress(base + here, total)
        counts.append(part.count(pattern, errors, num_threads, report))
        done += part.num_bytes
    if progress is not None:
        progress(total, total)
    return reduce(add, counts)


class _Part:
    """One corpus to count: files or the columns of a dataset; `num_bytes` of text."""

    def __init__(
        self, files: Sequence[str], dataset: datasets.Dataset | None, columns: Sequence[str], words: bool
    ) -> None:
        self._files = files
        self._dataset = dataset
        self._columns = columns
        self._words = words
        if dataset is None:
            self.num_bytes = sum(os.path.getsize(file) for file in files)
        else:
            self.num_bytes = sum(sum(column_bytes(dataset, column)) for column in columns)

    def count(
        self, pattern: str | PreTokenization, errors: Errors, num_threads: int | None, progress: Progress | None
    ) -> PretokenCounts:
        if self._dataset is None:
            return PretokenCounts.from_files(
                self._files, pattern=pattern, num_threads=num_threads, errors=errors, progress=progress
            )
        if self._words:
            rows = self._dataset.to_dict()
            return PretokenCounts.from_words(
                {word: int(n) for word, n in zip(rows["word"], rows["count"], strict=True)}
            )
        return PretokenCounts.from_iterator(self._texts(progress), pattern=pattern, num_threads=num_threads)

    def _texts(self, progress: Progress | None) -> Iterator[str]:
        assert self._dataset is not None
        done = 0
        for batch in self._dataset.select_columns(list(self._columns)).with_format("arrow").iter(1_000):
            for column in self._columns:
                texts = batch[column].combine_chunks() if isinstance(batch[column], pa.ChunkedArray) else batch[column]
                yield from (text for text in texts.to_pylist() if text)
                done += pc.sum(pc.binary_length(texts)).as_py() or 0
            if progress is not None:
                progress(done, self.num_bytes)


def _part(
    name: str, split: str, source_dir: str | os.PathLike[str] | None, errors: Errors, columns: Sequence[str] | None
) -> _Part:
    if name not in all_recipes() and local_files.looks_local(name) and "[" not in split and columns is None:
        corpus = local_files.find(name, split)
        if corpus.is_text:
            files = [str(file) for file in corpus.files]
            if not any(os.path.getsize(file) for file in files):
                raise CorpusError(f"{name} is empty: it holds no text; give a corpus with at least one line")
            return _Part(files, None, (), words=False)
    dataset = load_corpus(name, split, source_dir=source_dir, errors=errors)
    info = corpus_info(name, split.partition("[")[0], errors=errors)
    used = list(columns) if columns is not None else text_columns(info, dataset)
    missing = [column for column in used if column not in dataset.column_names]
    if missing or not used:
        raise CorpusError(
            f"{name} has no {'column ' + ', '.join(missing) if missing else 'text column'}; "
            f"its columns are {', '.join(dataset.column_names)}"
        )
    return _Part((), dataset, used, words=info.kind == "words")


def column_bytes(dataset: datasets.Dataset, column: str) -> Iterator[int]:
    """Bytes of UTF-8 in `column`, batch by batch.

    Raises:
        CorpusError: the column holds something other than text.
    """
    for batch in dataset.select_columns([column]).with_format("arrow").iter(10_000):
        try:
            lengths = pc.binary_length(batch[column])
        except pa.ArrowNotImplementedError:
            raise CorpusError(
                f"column {column} holds {batch[column].type}, not text; "
                f"name a text column of {', '.join(dataset.column_names)}"
            ) from None
        yield int(
            np.nansum(lengths.to_numpy(zero_copy_only=False))
            if isinstance(lengths, pa.Array)
            else pc.sum(lengths).as_py() or 0
        )
