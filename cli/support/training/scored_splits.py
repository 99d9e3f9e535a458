"""The rows that `evaluate` scores: splits of any corpus, and of the corpora of a run the rows that were held out of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from bpe_transformer.cli.support.console import say, tell
from bpe_transformer.cli.support.python_names import with_options
from bpe_transformer.cli.support.training.run_rows import RunData, has_record, run_data
from bpe_transformer.cli.support.training_options import TrainingCorpus
from bpe_transformer.errors import BpeTransformerError, CorpusError

if TYPE_CHECKING:
    import datasets

    from bpe_transformer.data import CorpusInfo, Reading
    from bpe_transformer.data.corpora.reading import Documents
    from bpe_transformer.training import CheckpointInfo

HELD_OUT = "validation"


class ScoredSplit(NamedTuple):
    """Rows to score, under a name for people. num_trained_on: how many of them the model was trained on; None: not known."""

    name: str
    info: CorpusInfo
    rows: datasets.Dataset
    num_trained_on: int | None


@dataclass(frozen=True)
class ScoredCorpora:
    """What a command line names to be scored. typed: its options for reading, as settings.toml calls them.

    documents: how texts are to be read; None: as for the training. references: columns that the score needs beside those of
    the model.
    """

    run: str
    model: CheckpointInfo
    corpus: str | None
    names: tuple[str, ...]
    typed: Mapping[str, Any]
    documents: Documents | None
    references: tuple[str, ...]

    def splits(self) -> Iterator[ScoredSplit]:
        """The rows, a split at a time.

        Those of the run's corpora are read as for its training. Where these have no split `validation` of their own, that name
        stands for the rows that training took out, which are also what is scored where no split is named and there is no
        split `test`.
        """
        data = self._run_data()
        named = None if data is None or self.corpus is None else data.named(self.corpus)
        if data is None or (self.corpus is not None and named is None):
            return (yield from self._splits_of_other(str(self.corpus), data))
        chosen = data.corpora if named is None else (named,)
        for corpus in chosen:
            title = f"{corpus.choice.corpus}, " if len(chosen) > 1 else ""
            if self.documents not in (None, corpus.choice.documents):
                yield from self._splits_of_other(corpus.choice.corpus, data, title)
                continue
            for name in self.names or ("test" if "test" in corpus.info.splits else HELD_OUT,):
                rows = self._rows(data, corpus, name)
                yield ScoredSplit(title + name, corpus.info, rows, self._num_trained_on(rows, data))

    def _run_data(self) -> RunData | None:
        """What the run was trained on; None where that is not known and another corpus is to be scored."""
        if self.corpus is not None and not has_record(self.run):
            return None
        try:
            return run_data(self.run, self.model, typed=dict(self.typed))
        except (BpeTransformerError, OSError) as problem:
            if self.corpus is None:
                raise
            if self.model.corpus:
                say(f"note: whether these rows were trained on is not known: {problem}")
            return None

    def _rows(self, data: RunData, corpus: TrainingCorpus, name: str) -> datasets.Dataset:
        from bpe_transformer.data.corpora.load import load_corpus, parse_split, rows_of_share

        base, share = parse_split(name)
        choice, columns = corpus.choice, corpus.columns
        if base != HELD_OUT or HELD_OUT in corpus.info.splits:
            how: dict[str, Any] = {"source_dir": choice.source_dir, "errors": choice.errors}
            read = (*columns.columns, *self.references)
            return load_corpus(choice.corpus, name, **how, reading=choice.reading(columns.task), columns=read)
        splits = data.splits(corpus, self.references)
        tell(map(with_options, splits.notes))
        held_out = splits.validation
        return held_out if share is None else held_out.select(rows_of_share(len(held_out), base, share))

    def _splits_of_other(self, name: str, data: RunData | None, title: str = "") -> Iterator[ScoredSplit]:
        """Splits of a corpus that the run was not trained on, or not on documents like these."""
        from bpe_transformer.data import Reading, corpus_info, load_corpus

        # a language model reads documents as train does
        of_txt: Any = "paragraph" if "language-model" in self.model.task else "line"
        reading: Reading = Reading(documents=self.documents, of_txt=of_txt)
        errors = self.typed.get("errors", "strict")
        first = self.names[0].partition("[")[0] if self.names else "train"
        info = corpus_info(name, first, errors=errors, reading=reading)
        default = next(split for split in ("test", HELD_OUT, "train", *info.splits) if split in info.splits)
        wanted = (*self.model.columns, *self.references)
        columns = wanted if set(wanted) <= set(info.columns) else None
        how: dict[str, Any] = {"source_dir": self.typed.get("from"), "errors": errors, "reading": reading}
        for split in self.names or (default,):
            rows = load_corpus(name, split, **how, columns=columns)
            yield ScoredSplit(title + split, info, rows, self._num_trained_on(rows, data))

    def _num_trained_on(self, rows: datasets.Dataset, data: RunData | None) -> int | None:
        texts = self.model.columns[:1] if self.model.task == "classification" else self.model.columns
        if data is None or not set(texts) <= set(rows.column_names):
            return None
        try:
            trained = data.trained
        except (CorpusError, OSError) as problem:
            say(f"note: whether these rows were trained on is not known: {problem}")
            return None
        return min(len(rows), sum(known.count(rows, texts) for known in trained))
