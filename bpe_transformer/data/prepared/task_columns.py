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

    @property
    def texts(self) -> tuple[str, ...]:
        """The columns that hold text, not labels."""
        return self.columns[:1] if self.task == "classification" else self.columns


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
    language model), the recipe's, translation for a parallel corpus or a table with just two columns of comparable
    texts, else a language model.
    src, tgt: the recipe's, if it is for translation and the other side does not have it; else the corpus's first text
    column that is left. column: the recipe's, if it is not for translation; else the first text column. label: the
    recipe's, else the column of this name, or the only one whose values look like labels.

    Of a local table, whose columns nobody described, a column is chosen only where one alone comes into question.

    Raises:
        ConfigError: an unknown task, or a column is named that the task does not read.
        CorpusError: a named column does not exist, several come into question, or the corpus has too few text columns
            to translate between, or no label to learn.

    >>> from bpe_transformer.data import corpus_info
    >>> choose_columns(corpus_info("numbers-en-ko"), src="ko")
    TaskColumns(task='translation', columns=('ko', 'en'))
    """
    for named in (src, tgt, column, label):
        if named is not None and info.columns and named not in info.columns:
            raise CorpusError(
                f"{info.name} has no column {named!r}; its columns are {', '.join(info.columns)}, so name one of these"
            )
    chosen_task = _task(info, task, translates=bool(src or tgt), reads_text=bool(column), labelled=bool(label))
    recipe = info.train if info.train.get("task", chosen_task) == chosen_task else {}
    if label and chosen_task != "classification":
        raise _not_read("label", label, chosen_task, "choose task='classification'")
    if chosen_task != "translation":
        if src or tgt:
            raise _not_read("src" if src else "tgt", src or tgt, chosen_task, "name the text with column=… instead")
        if chosen_task == "classification":
            label = label or recipe.get("label") or _label(info)
        text = column or recipe.get("column") or _text(info, label)
        return TaskColumns(chosen_task, (text,) if label is None else (text, label))
    if column:
        raise _not_read("column", column, chosen_task, "name the sides with src=… and tgt=… instead")
    source, target = src, tgt
    if not (src and tgt):
        sides = _sides(info, src or tgt)
        source = src or _first((recipe.get("src"), *sides), other_than=tgt)
        target = tgt or _first((recipe.get("tgt"), *sides), other_than=source)
    if source is None or target is None:
        raise CorpusError(
            f"{info.name} has the text columns {', '.join(info.text_columns)}, too few to translate between; "
            "name two with src=… and tgt=…, or choose task='language-model'"
        )
    if source == target:
        raise ConfigError(f"src and tgt are both {source!r}; name two columns")
    return TaskColumns(chosen_task, (source, target))


def _text(info: CorpusInfo, label: str | None) -> str:
    """The column that holds the text; of an undescribed table the only one that looks like it."""
    names = [name for name in info.text_columns if name != label]
    if not info.roles or len(names) == 1 or (names and names[0] == "text"):
        return names[0] if names else "text"
    texts = [name for name in names if info.roles.get(name) == "text"]
    if len(texts) != 1:
        raise CorpusError(
            f"{info.name}: {_several(texts)}; its columns are {_with_roles(info)}: name the text with column=…, "
            "or two sides of a translation with src=… and tgt=…"
        )
    return texts[0]


def _several(texts: list[str]) -> str:
    return f"{' and '.join(texts)} may all be its text" if texts else "no column of it looks like text"


def _with_roles(info: CorpusInfo) -> str:
    return ", ".join(f"{name} ({info.roles.get(name, 'lists')})" for name in info.columns)


def _sides(info: CorpusInfo, named: str | None) -> tuple[str, ...]:
    """The columns that may be sides of a translation; of an undescribed table only where there is no choice to make."""
    if not info.roles:
        return info.text_columns
    texts = [name for name in info.text_columns if info.roles.get(name) == "text" and name != named]
    if len(texts) > (1 if named else 2):
        raise CorpusError(
            f"{info.name} has more than two columns of text ({', '.join(texts)}); name two with src=… and tgt=…"
        )
    return tuple(texts)


def _label(info: CorpusInfo) -> str:
    if "label" in info.columns:
        return "label"
    found = [name for name, role in info.roles.items() if role == "label"]
    if len(found) != 1:
        raise CorpusError(
            f"{info.name} has the columns {', '.join(info.columns)}; say with label=… which of them holds the labels"
        )
    return found[0]


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
