"""What a corpus's recipe recommends for training: the settings, and the vocabulary to learn when none is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from bpe_transformer.errors import ConfigError, refuse_one_string
from bpe_transformer.models.registry import FAMILIES, family_named
from bpe_transformer.training.config import Settings
from bpe_transformer.training.config.fitting import preset_fields

if TYPE_CHECKING:
    import datasets

    from bpe_transformer.data import CorpusInfo, Task
    from bpe_transformer.tokenizer import Tokenizer

DEFAULT_PRESET = "tiny"
DEFAULT_FAMILIES: dict[Task, str] = {"translation": "transformer", "language-model": "gpt", "classification": "bert"}
# of a recipe's [train]: no settings, but what else it says, and a table of settings for each family
_OTHER_KEYS = ("task", "preset", "src", "tgt", "column", "label", "metric", *FAMILIES)


def recommended_settings(
    info: CorpusInfo, task: Task, preset: str | None = None, family: str | None = None
) -> Settings:
    """The settings to train on a corpus: those of `preset`, or when it is None, what the corpus's recipe says.

    A recipe says what holds for every family, and in a table named after it what holds for one; a recipe for another
    task says nothing. `model.max_len` is also how long `prepare` lets a pair be.

    Args:
        family: None takes that of the preset if it is for this task, else the recipe's, else the task's own.

    Raises:
        ConfigError: an unknown preset or family, or one for another task, or a setting of the recipe is wrong.

    >>> from bpe_transformer.data import corpus_info
    >>> recommended_settings(corpus_info("numbers-en-ko"), "translation").training.vocab_size
    500
    """
    recipe = info.train if info.train.get("task", task) == task else {}
    settings = Settings.preset(preset or recipe.get("preset", DEFAULT_PRESET))
    if family is None:
        chosen: str = recipe.get("family", DEFAULT_FAMILIES[task])
        family = settings.family if preset is not None and task in data_tasks(settings.family) else chosen
    settings = settings.override({"family": family})
    if task not in data_tasks(family):
        fitting = [name for name in FAMILIES if task in data_tasks(name)]
        raise ConfigError(f"family={family!r} is not for task={task!r}; choose family={' or '.join(fitting)}")
    if preset is not None:
        return settings
    shared = {name: value for name, value in recipe.items() if name not in _OTHER_KEYS and name != "family"}
    return settings.override(shared, recipe.get(family, {}))


def recipe_fields(info: CorpusInfo, task: Task, family: str) -> set[str]:
    """The settings that the corpus's recipe itself names for this task and family, those of its preset included."""
    recipe = info.train if info.train.get("task", task) == task else {}
    named = {name for name in recipe if name not in _OTHER_KEYS} | set(recipe.get(family, {}))
    return named | (preset_fields(Settings.preset(recipe["preset"])) if "preset" in recipe else set())


def data_tasks(family: str) -> tuple[Task, ...]:
    """The tasks for which rows are prepared that a family trains on; a masked language model reads what others do."""
    tasks = family_named(family).tasks
    return tuple("language-model" if task == "masked-language-model" else task for task in tasks)


def learn_tokenizer(
    rows: datasets.Dataset,
    columns: Sequence[str],
    settings: Settings,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Tokenizer:
    """A vocabulary of the texts in `columns`, with the special tokens that training needs, of the size in `settings`.

    `progress` hears of merges done and merges in all. Raises `CorpusError` when a column is missing, and
    `LearningError` as `learn_bpe` does.
    """
    refuse_one_string(columns=columns)
    from bpe_transformer.errors import CorpusError
    from bpe_transformer.tokenizer import PretokenCounts, learn_bpe
    from bpe_transformer.tokenizer.vocabulary.roles import CONVENTIONAL

    missing = [column for column in columns if column not in rows.column_names]
    if missing:
        raise CorpusError(f"the corpus has no column {missing[0]!r}; its columns are {', '.join(rows.column_names)}")
    texts = (text for column in columns for text in rows[column] if text)
    counts = PretokenCounts.from_iterator(texts, pattern=settings.training.pattern)
    needed = ("pad", "bos", "eos", *(("mask",) if settings.task == "masked-language-model" else ()))
    roles = {role: CONVENTIONAL[role] for role in needed}
    return learn_bpe(counts, settings.training.vocab_size, roles=roles, progress=progress)
