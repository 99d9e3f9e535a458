"""Corpora, local files and counts, in any mixture, to pre-token counts: the learner's input."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from bpe_transformer.data.corpora import local_files
from bpe_transformer.data.corpora.reading import Reading
from bpe_transformer.data.corpora.recipes import all_recipes
from bpe_transformer.errors import CorpusError, refuse_one_string
from bpe_transformer.io import Errors
from bpe_transformer.ledger import Stage
from bpe_transformer.tokenizer import PretokenCounter, PretokenCounts, Pretokenizer
from bpe_transformer.tokenizer.counting.counts_file import is_counts_file
from bpe_transformer.tokenizer.counting.weights import Weight
from bpe_transformer.tokenizer.splitting.patterns import DEFAULT_PATTERN

if TYPE_CHECKING:
    import datasets

Progress = Callable[[int, int], None]  # (bytes done, bytes in all)


@dataclass(frozen=True)
class CountInput:
    """Something to count: files, a stream, the columns of a dataset, or counts; `num_bytes` are those to read."""

    name: str
    num_bytes: int
    files: tuple[Path, ...] = ()
    dataset: datasets.Dataset | None = None
    columns: tuple[str, ...] | None = None  # None: all that hold text
    counts: PretokenCounts | Path | None = None
    stream: BinaryIO | None = None  # of text, of unknown size
    note: str | None = None  # what its folder holds besides
    read: Stage | None = None  # what was dropped when the dataset was read

    @property
    def pretokenizer(self) -> Pretokenizer | None:
        """How counts were split."""
        if self.counts is None:
            return None
        counts = self.counts if isinstance(self.counts, PretokenCounts) else PretokenCounts.facts_of(self.counts)
        return counts.pretokenizer

    def add_to(self, counter: PretokenCounter, documents: str, errors: Errors, report: Callable[[int], None]) -> None:
        """Counts it. Raises `CorpusError` when there is no text in it."""
        before = counter.num_bytes
        if self.counts is not None:
            counter.add_counts(self.counts)
            return report(self.num_bytes)
        if self.stream is not None:
            counter.add_stream(self.stream, name=self.name, documents=documents, errors=errors, report=report)
        if self.dataset is not None:
            counter.add_dataset(self.dataset, self.columns, name=self.name, report=report)
            counter.sources[-1] = counter.sources[-1].after(self.read)
        done = 0

        def within(here: int) -> None:
            report(done + here)

        for file in self.files:
            columns = None if local_files.is_text(file) else self.columns
            counter.add_file(file, documents=documents, columns=columns, errors=errors, report=within)
            done += os.path.getsize(file)
        if counter.num_bytes == before:
            raise CorpusError(f"{self.name} is empty: it holds no text; give a corpus with at least one line")


def count_inputs(
    names: str | Sequence[str],
    *,
    split: str = "train",
    source_dir: str | os.PathLike[str] | None = None,
    errors: Errors = "strict",
    columns: Sequence[str] | None = None,
    recursive: bool = False,
) -> list[CountInput]:
    """What `names` stand for: listed corpora, local files and folders (with subfolders if `recursive`), files of counts.

    Raises `CorpusError` as `load_corpus` does; also when a column is missing or holds no text.
    """
    chosen = [names] if isinstance(names, str) else list(names)
    if not chosen:
        raise CorpusError("no corpus is named; name at least one (bpe-transformer corpora lists them)")
    reading = Reading(recursive=recursive)
    return [_input(name, split, source_dir, errors, columns, reading) for name in chosen]


def pretokenizer_for(inputs: Sequence[CountInput], default: str | Pretokenizer = DEFAULT_PATTERN) -> Pretokenizer:
    """How to split texts that are counted with these: as the counts among them were, else as `default` says."""
    fixed = next((split for split in (item.pretokenizer for item in inputs) if split is not None), None)
    return Pretokenizer.of(default) if fixed is None else fixed


def add_inputs(
    counter: PretokenCounter,
    inputs: Sequence[CountInput],
    *,
    documents: str = "file",
    errors: Errors = "strict",
    progress: Progress | None = None,
    weighted: bool = False,
) -> None:
    """Counts the inputs one after another; `weighted`: each can have a weight of its own in the counter's `counts` and `save`.

    `progress` is called with a total of 0 when there is a stream among them.
    """
    known = all(item.stream is None for item in inputs)
    total, start = sum(item.num_bytes for item in inputs) if known else 0, 0
    for number, item in enumerate(inputs):
        if weighted and number:
            counter.start_group()

        def report(here: int, start: int = start, most: int = item.num_bytes) -> None:
            if progress is not None:
                progress(start + (min(here, most) if known else here), total)

        item.add_to(counter, documents, errors, report)
        start += item.num_bytes
    if progress is not None and known:
        progress(total, total)


def count_corpus(
    names: str | Sequence[str],
    *,
    pattern: str | Pretokenizer | None = None,
    split: str = "train",
    source_dir: str | os.PathLike[str] | None = None,
    errors: Errors = "strict",
    num_threads: int | None = None,
    documents: str = "file",
    columns: Sequence[str] | None = None,
    weights: Sequence[Weight] | None = None,
    temperature: float | None = None,
    max_memory: int | str | None = None,
    progress: Progress | None = None,
) -> PretokenCounts:
    """Counts the pre-tokens of all texts in `names`: listed corpora, local files and folders, and files of counts.

    A local text file is one document unless `documents` says otherwise (see `PretokenCounter.add_file`); of everything else
    each value of a text column is one.

    Args:
        pattern: None takes that of the counts among `names` (words such as `low-lower` are counts), else o200k.
        columns: count these instead of all that hold text; a text file has none.
        weights: one for each name; `temperature` instead takes them from the sizes, see `PretokenCounts.mix`.
        max_memory: see `PretokenCounter`.
        progress: called with the bytes done and the bytes in all.

    Raises:
        CorpusError: as `load_corpus` does; also when a column is missing or holds no text, or a corpus is empty.
        LearningError: counts among `names` were split differently.
    """
    refuse_one_string(CorpusError, columns=columns)
    inputs = count_inputs(names, split=split, source_dir=source_dir, errors=errors, columns=columns)
    chosen = pretokenizer_for(inputs) if pattern is None else pattern
    counter = PretokenCounter(chosen, num_threads, max_memory=max_memory)
    weighted = weights is not None or temperature is not None
    add_inputs(counter, inputs, documents=documents, errors=errors, progress=progress, weighted=weighted)
    return counter.counts(weights, temperature=temperature)


def _input(
    name: str,
    split: str,
    source_dir: str | os.PathLike[str] | None,
    errors: Errors,
    columns: Sequence[str] | None,
    reading: Reading,
) -> CountInput:
    chosen = None if columns is None else tuple(columns)
    if name not in all_recipes() and local_files.looks_local(name) and "[" not in split:
        corpus = local_files.find(name, split, reading)
        if corpus.columns is None:
            return replace(_local(name, corpus.files, chosen), note=local_files.unread_note(corpus))
    from bpe_transformer.data.corpora.load import corpus_info, load_corpus, text_columns  # these load datasets
    from bpe_transformer.data.corpora.table_cache import read_stage

    dataset = load_corpus(name, split, source_dir=source_dir, errors=errors, reading=reading)
    info = corpus_info(name, split.partition("[")[0], errors=errors, reading=reading)
    used = tuple(text_columns(info, dataset)) if chosen is None else chosen
    missing = [column for column in used if column not in dataset.column_names]
    if missing or not used:
        raise CorpusError(
            f"{name} has no {'column ' + ', '.join(missing) if missing else 'text column'}; "
            f"its columns are {', '.join(dataset.column_names)}"
        )
    size = sum(sum(column_bytes(dataset, column)) for column in used)
    if info.kind == "words":
        rows = dataset.to_dict()
        words = {word: int(count) for word, count in zip(rows["word"], rows["count"], strict=True)}
        return CountInput(name, size, counts=PretokenCounts.from_words(words))
    return CountInput(name, size, dataset=dataset, columns=used, read=read_stage(dataset))


def _local(name: str, files: tuple[Path, ...], columns: tuple[str, ...] | None) -> CountInput:
    size = sum(os.path.getsize(file) for file in files)
    counts = [file for file in files if file.suffix.lower() == ".parquet" and is_counts_file(file)]
    if not counts:
        return CountInput(name, size, files=files, columns=columns)
    if len(files) > 1:
        raise CorpusError(f"{name} is a folder with counts in it ({counts[0].name}); name files of counts one by one")
    return CountInput(name, size, counts=counts[0])


def column_bytes(dataset: datasets.Dataset, column: str) -> Iterator[int]:
    """Bytes of UTF-8 in `column`, batch by batch.

    Raises:
        CorpusError: the column holds something other than text.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

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
