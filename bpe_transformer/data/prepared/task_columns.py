"""Which task a corpus is for, and which of its columns: the one rule that `prepare`, `train` and Python users follow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bpe_transformer.errors import ConfigError, CorpusError

if TYPE_CHECKING:
    from bpe_transformer.data.corpora.recipes import CorpusInfo

Task = Literal["translation", "language-model", "classification"]
TASKS: tuple[Task, ...] = ("translation", "language-model", "classification")


@dataclass(frozen=True)
class TaskColumns:
    """A task and the columns it reads: (source, target) for translation, (text,) for a language model,
    (text, label) for classification."""

    task: Task
    columns: tuple[str, ...]


def choose_columns(
    info: CorpusInfo,
    *,
    task: Task | None = None,
    src: str | None = None,
    tgt: str | None = None,
    column: str | None = None,
    label: str | None = None,
) -> TaskColumns:
    """The task and columns for a corpus; what is not named is chosen, in this order.

    task: the one that named columns belong to (`src` and `tgt` to translation, `label` to classification, `column` to a
    language model), the recipe's, translation for a parallel corpus, else a language model.
    src, tgt: the recipe's, if it is for translation and the other side does not have it; else the corpus's first text
    column that is left. column: the recipe's, if it is not for translation; else the first text column. label: the
    recipe's, else the column of this name.

    Whether the columns exist is for `prepare_corpus` to check.

    Raises:
        ConfigError: an unknown task, or a column is named that the task does not read.
        CorpusError: the corpus has too few text columns to translate between, or no label to learn.

    >>> from bpe_transformer.data import corpus_info
    >>> choose_columns(corpus_info("numbers-en-ko"), src="ko")
    TaskColumns(task='translation', columns=('ko', 'en'))
    """
    chosen_task = _task(info, task, translates=bool(src or tgt), reads_text=bool(column), labelled=bool(label))
    recipe = info.train if info.train.get("task", chosen_task) == chosen_task else {}
    if label and chosen_task != "classification":
        raise _not_read("label", label, chosen_task, "choose task='classification'")
    if chosen_task != "translation":
        if src or tgt:
            raise _not_read("src" if src else "tgt", src or tgt, chosen_task, "name the text with column=… instead")
        if chosen_task == "classification":
            label = label or recipe.get("label") or _label(info)
        text = column or recipe.get("column") or _first(info.text_columns, other_than=label) or "text"
        return TaskColumns(chosen_task, (text,) if label is None else (text, label))
    if column:
        raise _not_read("column", column, chosen_task, "name the sides with src=… and tgt=… instead")
    source = src or _first((recipe.get("src"), *info.text_columns), other_than=tgt)
    target = tgt or _first((recipe.get("tgt"), *info.text_columns), other_than=source)
    if source is None or target is None:
        raise CorpusError(
            f"{info.name} has the text columns {', '.join(info.text_columns)}, too few to translate between; "
            "name two with src=… and tgt=…, or choose task='language-model'"
        )
    return TaskColumns(chosen_task, (source, target))


def _label(info: CorpusInfo) -> str:
    if "label" not in info.columns:
        raise CorpusError(
            f"{info.name} has the columns {', '.join(info.columns)}; say with label=… which of them holds the labels"
        )
    return "label"


def _task(info: CorpusInfo, task: Task | None, *, translates: bool, reads_text: bool, labelled: bool) -> Task:
    if task is not None and task not in TASKS:
        raise ConfigError(f"task={task!r} is unknown; choose {' or '.join(TASKS)}")
    if task is None and translates and (reads_text or labelled):
        raise ConfigError("src and tgt are for translation, column and label are not; name one or the other")
    if task is not None:
        return task
    if labelled:
        return "classification"
    if translates or reads_text:
        return "translation" if translates else "language-model"
    recommended: Task | None = info.train.get("task")
    return recommended or ("translation" if info.kind == "parallel" else "language-model")


def _first(names: tuple[str | None, ...], *, other_than: str | None) -> str | None:
    return next((name for name in names if name and name != other_than), None)


def _not_read(name: str, value: str | None, task: Task, remedy: str) -> ConfigError:
    return ConfigError(f"{name}={value!r} is not read with task={task!r}; {remedy}, or leave it out")
