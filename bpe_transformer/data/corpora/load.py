"""`load_corpus`: a listed corpus or a local path as a `datasets.Dataset`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from bpe_transformer.corpora import numbers_en_ko, python_stdlib
from bpe_transformer.data.corpora import local_files, readers, recipe_files
from bpe_transformer.data.corpora.column_roles import SAMPLE_ROWS, Role, column_roles, is_pair
from bpe_transformer.data.corpora.json_lines import scan
from bpe_transformer.data.corpora.reading import AS_IS, Reading
from bpe_transformer.data.corpora.recipes import CorpusInfo, Recipe, all_recipes, find_recipe
from bpe_transformer.data.corpora.table_cache import BatchBuilder, cached_facts, cached_table
from bpe_transformer.errors import CorpusError, refuse_one_string
from bpe_transformer.io import Errors
from bpe_transformer.ledger import StageRecorder

if TYPE_CHECKING:
    import datasets


def corpus_info(name: str, split: str = "train", *, errors: Errors = "strict", reading: Reading = AS_IS) -> CorpusInfo:
    """What is known of a listed corpus or a local path. A local table is read to know its columns and their roles.

    Raises:
        CorpusError: neither a listed corpus nor a path.
    """
    if name in all_recipes() or not local_files.looks_local(name):
        return find_recipe(name).info
    corpus = local_files.find(name, split, reading)
    if corpus.columns is not None:
        return _local_info(corpus, "parallel", corpus.columns, corpus.columns)
    if corpus.is_text:
        return _local_info(corpus, "text", ("text",), ("text",))
    columns, strings, sample = _table_facts(corpus, errors, reading)
    if set(columns) == {"word", "count"}:
        return _local_info(corpus, "words", columns, ("word",))
    roles = column_roles({column: sample[column] for column in columns if column in sample}, strings)
    texts = [column for column in strings if roles.get(column) == "text"]
    kind = "text" if "text" in strings else "parallel" if is_pair(sample, texts) else "labelled"
    return _local_info(corpus, kind, columns, ("text",) if kind == "text" else strings, roles)


def _table_facts(
    corpus: local_files.LocalCorpus, errors: Errors, reading: Reading
) -> tuple[tuple[str, ...], tuple[str, ...], dict[str, list[Any]]]:
    """The columns of a table, those of them that hold text, and the first values of those that hold no lists."""
    if corpus.suffix == ".jsonl":
        key = ["scan", errors, [local_files.stamp(file) for file in corpus.files]]
        found = cached_facts(key, lambda: _scanned(corpus, errors))
        columns: list[str] = found["columns"]
        return tuple(columns), tuple(found["strings"]), found["sample"]
    dataset = local_files.load(corpus, errors, reading)
    first = dataset.select(range(min(SAMPLE_ROWS, len(dataset))))
    flat = [name for name in dataset.column_names if hasattr(dataset.features[name], "dtype")]
    strings = tuple(name for name in flat if dataset.features[name].dtype in ("string", "large_string"))
    return tuple(dataset.column_names), strings, {name: list(first[name]) for name in flat}


def _scanned(corpus: local_files.LocalCorpus, errors: Errors) -> dict[str, Any]:
    columns = scan(corpus.files, errors)
    return {
        "columns": list(columns),
        "strings": [name for name, column in columns.items() if "text" in column.kinds],
        "sample": {name: column.sample for name, column in columns.items() if "list or object" not in column.kinds},
    }


def _local_info(
    corpus: local_files.LocalCorpus,
    kind: str,
    columns: tuple[str, ...],
    text_columns: tuple[str, ...],
    roles: Mapping[str, Role] | None = None,
) -> CorpusInfo:
    size = sum(file.stat().st_size for file in corpus.files)
    return CorpusInfo(
        name=corpus.name,
        description="local files",
        kind=kind,  # type: ignore[arg-type]  # one of Kind's literals, by the caller
        columns=columns,
        splits=corpus.splits,
        licence="unknown",
        size=f"{size:,} bytes",
        source=", ".join(map(str, corpus.files)),
        text_columns=text_columns,
        checksum="unknown",
        roles=roles or {},
    )


def load_corpus(
    name: str,
    split: str = "train",
    *,
    source_dir: str | os.PathLike[str] | None = None,
    errors: Errors = "strict",
    reading: Reading = AS_IS,
    columns: Sequence[str] | None = None,
) -> datasets.Dataset:
    """The rows of a corpus.

    Args:
        name: a listed corpus (`list_corpora`), a local .txt .jsonl .csv .tsv .parquet file or another of text (.md,
            .py, …), a folder of such files, or parallel text files joined by commas: "a.en.txt,a.ko.txt" has the
            columns en and ko, files without a language in their names have src and tgt.
        split: one of the corpus's splits, or a share of one as `datasets` writes it: "train[:1000]", "train[90%:]".
            Local files have the split train, folders those that their file names begin with, and parallel files
            train.en,train.de those beside them.
        source_dir: the folder with the files of a public corpus, instead of the hub (`--from DIR`).
        errors: "strict" refuses invalid UTF-8; "replace" puts U+FFFD in its place and says so in the ledger.
        reading: what a document of local text is, whether tables have headers, and whether subfolders are read.
        columns: read only these of a local table, whatever its others hold.

    Local text gives a row for every line, paragraph or file that is not blank, with the column text. Values of .csv and
    .tsv files stay strings. A .tsv file has no quoting.

    Raises:
        CorpusError: unknown name or split, missing or empty or malformed file, wrong checksum, hub out of reach.
        InvalidUtf8Error: with file and byte position.

    >>> load_corpus("low-lower")["word"][:]
    ['low', 'lower', 'newest', 'widest']
    """
    refuse_one_string(CorpusError, columns=columns)
    base, share = parse_split(split)
    if errors not in ("strict", "replace"):
        raise CorpusError(f"errors={errors!r} is unknown; use 'strict' or 'replace'")
    if name in all_recipes() or not local_files.looks_local(name):
        dataset = _load_listed(find_recipe(name), base, Path(source_dir) if source_dir is not None else None, errors)
    else:
        dataset = local_files.load(local_files.find(name, base, reading), errors, reading, columns)
    return dataset if share is None else _take(dataset, base, share)


def parse_split(split: str) -> tuple[str, str | None]:
    """A split's name and the share of it, if any: ("train", "[:10%]")."""
    match = re.fullmatch(r"(\w+)(\[[^\]]*\])?", split)
    if match is None:
        raise CorpusError(
            f"split {split!r} is not a split's name or a share of one; write it like train or train[:90%]"
        )
    return match[1], match[2]


def _take(dataset: datasets.Dataset, base: str, share: str) -> datasets.Dataset:
    return dataset.select(rows_of_share(len(dataset), base, share))


def rows_of_share(num_rows: int, base: str, share: str | None) -> range:
    """The rows of a share of a split, such as "[90%:]"; None: all. Raises `CorpusError` if there are none."""
    from datasets import ReadInstruction

    if share is None:
        return range(num_rows)
    try:
        (rows,) = ReadInstruction.from_spec(base + share).to_absolute({base: num_rows})
    except (AssertionError, ValueError) as problem:
        raise CorpusError(f"split {base + share!r}: {problem}; write it like {base}[:90%] or {base}[100:200]") from None
    taken = range(rows.from_ or 0, num_rows if rows.to is None else rows.to)
    if len(taken) == 0:
        raise CorpusError(f"split {base + share!r} of {num_rows:,} rows is empty; ask for more of it")
    return taken


def _load_listed(recipe: Recipe, split: str, source_dir: Path | None, errors: Errors) -> datasets.Dataset:
    info = recipe.info
    if split not in recipe.splits:
        raise CorpusError(f"{info.name} has no split {split!r}; choose one of {', '.join(recipe.splits)}")
    if recipe.reader == "numbers-en-ko":
        key = [info.name, numbers_en_ko.VERSION, numbers_en_ko.SEED, split, numbers_en_ko.SIZES[split]]
        return cached_table(
            key, readers.text_schema(info.columns), lambda recorder: _generated(split, info.columns, recorder)
        )
    if recipe.reader in ("python-stdlib", "python-docstrings"):
        return _load_stdlib(split, only_docstrings=recipe.reader == "python-docstrings")
    if recipe.reader == "python-docstring-modules":
        return _load_docstring_modules(split)
    found = recipe.splits[split]
    remote = source_dir is None and not any(file.bundled or file.url for file in found.files.values())
    if remote:
        return recipe_files.load_from_hub(recipe, found)
    files = {column: recipe_files.locate(recipe, file, source_dir) for column, file in found.files.items()}
    if recipe.reader == "table":
        reader = readers.table_reader([files["table"]], info.columns, recipe.types, errors)
    elif recipe.reader == "document":
        reader = readers.document_reader(files["text"], "text", errors, found.span)
    elif len(files) == 1:
        reader = readers.text_reader(list(files.values()), "line", errors, next(iter(files)))
    else:
        reader = readers.parallel_reader(files, errors)
    key = [
        info.name,
        recipe.reader,
        errors,
        found.span,
        [[column, *local_files.stamp(f)] for column, f in files.items()],
    ]
    dataset = cached_table(key, None, reader)
    if found.rows is not None and len(dataset) != found.rows and all(file.sha256 for file in found.files.values()):
        raise CorpusError(
            f"{info.name}, {split}: {len(dataset):,} rows where the recipe says {found.rows:,}; correct the recipe"
        )
    return dataset


def _generated(split: str, columns: tuple[str, ...], recorder: StageRecorder) -> Iterator[pa.RecordBatch]:
    batch = BatchBuilder(readers.text_schema(columns))
    for example in numbers_en_ko.generate(split):
        size = readers.num_bytes(example.en) + readers.num_bytes(example.ko)
        recorder.keep(size)
        yield from batch.add(example, size)
    yield from batch.rest()


def _load_stdlib(split: str, *, only_docstrings: bool) -> datasets.Dataset:
    top = python_stdlib.root()
    paths = [path for path in python_stdlib.files() if python_stdlib.split_of(path) == split]
    if not paths:
        raise CorpusError(
            f"{top} holds no .py file of the split {split!r}; use a Python with its standard library's source"
        )
    key = ["python-stdlib", only_docstrings, [local_files.stamp(top / path) for path in paths]]
    schema = readers.text_schema(("path", "text"))
    return cached_table(key, schema, lambda recorder: _stdlib_rows(top, paths, only_docstrings, recorder))


def _stdlib_rows(
    top: Path, paths: list[str], only_docstrings: bool, recorder: StageRecorder
) -> Iterator[pa.RecordBatch]:
    batch = BatchBuilder(readers.text_schema(("path", "text")))
    for path in paths:
        try:
            text = python_stdlib.read_source(top / path)
        except (ValueError, OSError) as problem:
            recorder.drop("cannot be read as source", (top / path).stat().st_size)
            recorder.note(f"{path} skipped: {problem}")
            continue
        size = readers.num_bytes(text)
        if only_docstrings:
            try:
                text = python_stdlib.docstrings(text)
            except ValueError as problem:
                recorder.drop("does not parse", size)
                recorder.note(f"{path} skipped: {problem}")
                continue
            size = readers.num_bytes(text)
        if not text.strip():
            recorder.drop("no docstring" if only_docstrings else "empty file", size)
            continue
        recorder.keep(size)
        yield from batch.add((path, text), size)
    yield from batch.rest()


def _load_docstring_modules(split: str) -> datasets.Dataset:
    top = python_stdlib.root()
    paths = [path for path in python_stdlib.files() if python_stdlib.module_of(path)]
    if not paths:
        raise CorpusError(f"{top} holds no .py file; use a Python with its standard library's source")
    key = ["python-docstring-modules", 1, split, [local_files.stamp(top / path) for path in paths]]
    schema = readers.text_schema(("text", "module"))
    return cached_table(key, schema, lambda recorder: _docstring_module_rows(top, paths, split, recorder))


def _docstring_module_rows(
    top: Path, paths: list[str], split: str, recorder: StageRecorder
) -> Iterator[pa.RecordBatch]:
    """A row for every docstring of the split, the first of equal ones."""
    batch, seen = BatchBuilder(readers.text_schema(("text", "module"))), set()
    for path in paths:
        try:
            texts = python_stdlib.docstring_list(python_stdlib.read_source(top / path))
        except (ValueError, OSError) as problem:
            recorder.drop("cannot be read as source", (top / path).stat().st_size)
            recorder.note(f"{path} skipped: {problem}")
            continue
        for text in texts:
            size = readers.num_bytes(text)
            if python_stdlib.docstring_split(text) != split:
                continue
            if not python_stdlib.says_something(text) or text in seen:
                recorder.drop("repeated" if text in seen else "shorter than 20 characters", size)
                continue
            seen.add(text)
            recorder.keep(size)
            yield from batch.add((text, str(python_stdlib.module_of(path))), size)
    yield from batch.rest()


def text_columns(info: CorpusInfo, dataset: datasets.Dataset) -> list[str]:
    """The text columns that this split has; a split may lack a language that others have."""
    return [name for name in info.text_columns if name in dataset.column_names]
