"""The corpora that a run was trained on, and their rows: read again for the commands that look at what training made of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bpe_transformer.cli.support.options import is_typed
from bpe_transformer.cli.support.training_options import CorpusChoice, TrainingCorpus, with_weight
from bpe_transformer.errors import CorpusError

if TYPE_CHECKING:
    import datasets

    from bpe_transformer.data.corpora.validation_rows import KnownRows, Splits
    from bpe_transformer.io import Errors
    from bpe_transformer.training import CheckpointInfo

_BATCH = 1_000  # rows in memory


class RowTexts:
    """The texts that a model reads of some rows, of every corpus of a mixture; read from disk whenever they are gone through."""

    def __init__(self, sides: Sequence[tuple[datasets.Dataset, tuple[str, ...]]]) -> None:
        self._sides = tuple(sides)

    def __len__(self) -> int:
        return sum(len(rows) for rows, _ in self._sides)

    def __iter__(self) -> Iterator[tuple[str, ...]]:
        for rows, columns in self._sides:
            for batch in rows.select_columns(list(columns)).iter(_BATCH):
                for values in zip(*(batch[column] for column in columns), strict=True):
                    yield tuple(str(value or "") for value in values)


class RunRows(NamedTuple):
    """The texts of the training and of the validation rows."""

    train: RowTexts
    validation: RowTexts


@dataclass(frozen=True)
class RunData:
    """The corpora of a run, and how rows were held out of them.

    Its splits are read once, and again where they need more columns.
    """

    corpora: tuple[TrainingCorpus, ...]
    validation: str | None
    seed: int
    dedup: bool
    _read: dict[tuple[str, tuple[str, ...]], Splits] = field(default_factory=dict)

    def splits(self, corpus: TrainingCorpus, more: Sequence[str] = ()) -> Splits:
        """The rows of one of the corpora that the run was trained and validated on. more: columns to read besides."""
        corpus_name = corpus.choice.corpus
        for (name, read), splits in self._read.items():
            if name == corpus_name and set(more) <= set(read):
                return splits
        key = (corpus_name, tuple(more))
        self._read[key] = corpus.splits(self.validation, self.seed, dedup=self.dedup, more=more)
        return self._read[key]

    @cached_property
    def trained(self) -> tuple[KnownRows, ...]:
        """The training rows of each corpus, to find other rows among them."""
        from bpe_transformer.data import KnownRows

        return tuple(KnownRows(self.splits(corpus).train, corpus.columns.texts) for corpus in self.corpora)

    def named(self, name: str) -> TrainingCorpus | None:
        """The corpus of the run that `name` stands for; None: another one."""
        return next((corpus for corpus in self.corpora if _is_same(corpus.choice.corpus, name)), None)

    def rows(self) -> RunRows:
        """The texts of all corpora."""
        read = [(self.splits(corpus), corpus.columns.texts) for corpus in self.corpora]
        return RunRows(
            RowTexts([(splits.train, columns) for splits, columns in read]),
            RowTexts([(splits.validation, columns) for splits, columns in read]),
        )


def run_data(run: str, info: CheckpointInfo, *, typed: dict[str, Any]) -> RunData:
    """The corpora as `settings.toml` of the run says to read them; `typed` is what the command line says instead.

    A run without that file was trained on the one corpus that its model names. Raises `CorpusError` where the corpora are
    not there any more, or were rows of ids.
    """
    from bpe_transformer.cli.support.training.prepared_stores import is_prepared

    said: dict[str, Any] = {"split": "train", "errors": "strict", **_said_of_data(run), **typed}
    settings = info.settings
    task: Any = info.task if info.task in ("translation", "classification") else "language-model"
    found = []
    for name in said.get("corpus") or [info.corpus]:
        if not name:
            raise CorpusError(f"{run} does not say what it was trained on; name a corpus")
        if is_prepared(name):
            raise CorpusError(f"{run} was trained on the ids of {name}, which are no texts; name a corpus of texts")
        choice = CorpusChoice(
            corpus=with_weight(name)[0],
            split=said["split"],
            errors=said["errors"],
            source_dir=said.get("from"),
            task=task,
            **{key: said.get(key) for key in ("src", "tgt", "column", "label", "documents")},
            recursive=said.get("recursive", False),
            no_header=said.get("no_header", False),
            names=said.get("columns"),
        )
        choice = _with_columns(choice, info.columns, said)
        facts = choice.info()
        found.append(TrainingCorpus(choice, facts, choice.columns(facts, settings.family)))
    return RunData(tuple(found), said.get("validation"), settings.training.seed, said.get("dedup", False))


def run_rows(run: str, info: CheckpointInfo, split: str, source_dir: str | None, errors: Errors) -> RunRows:
    """The texts of a run; `split`, `source_dir` and `errors` count where they are typed."""
    typed: dict[str, Any] = {"split": split} if is_typed("split") else {}
    typed |= {} if source_dir is None else {"from": source_dir}
    typed |= {"errors": errors} if is_typed("errors") else {}
    return run_data(run, info, typed=typed).rows()


def has_record(run: str) -> bool:
    """Whether a run says how its data was read."""
    from bpe_transformer.training.run_record import SETTINGS

    return (Path(run) / SETTINGS).exists()


def _is_same(name: str, other: str) -> bool:
    """Whether two names of a corpus, or of parallel files, stand for the same."""
    if name == other:
        return True
    paths = [[Path(part) for part in each.split(",")] for each in (name, other)]
    if not all(path.exists() for each in paths for path in each):
        return False
    resolved = [[path.resolve() for path in each] for each in paths]
    return resolved[0] == resolved[1]


def _with_columns(choice: CorpusChoice, columns: Sequence[str], said: dict[str, Any]) -> CorpusChoice:
    """The choice with the columns of the model, where the file names none and there is one corpus."""
    if len(said.get("corpus") or [""]) > 1:
        return choice
    names = {"translation": ("src", "tgt"), "classification": ("column", "label")}.get(str(choice.task), ("column",))
    chosen: dict[str, Any] = dict(zip(names, columns, strict=False))
    return replace(choice, **chosen)


def _said_of_data(run: str) -> dict[str, Any]:
    from bpe_transformer.training.config.config_file import read_config_file
    from bpe_transformer.training.run_record import SETTINGS

    return dict(read_config_file(Path(run) / SETTINGS).others) if has_record(run) else {}
