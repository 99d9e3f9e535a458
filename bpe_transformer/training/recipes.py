"""What a corpus's recipe recommends for training: the settings, and the vocabulary to learn when none is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from bpe_transformer.training.config import Settings

if TYPE_CHECKING:
    import datasets

    from bpe_transformer.data import CorpusInfo, Task
    from bpe_transformer.tokenizer import Tokenizer

DEFAULT_PRESET = "tiny"
_OTHER_KEYS = ("task", "preset", "src", "tgt", "column", "metric")  # of a recipe's [train]; all others are settings


def recommended_settings(info: CorpusInfo, task: Task, preset: str | None = None) -> Settings:
    """The settings to train on a corpus: those of `preset`, or when it is None, what the corpus's recipe says.

    A recipe for another task says nothing. `model.max_len` is also how long `prepare` lets a pair be.

    Raises:
        ConfigError: an unknown preset, or a setting of the recipe is wrong.

    >>> from bpe_transformer.data import corpus_info
    >>> recommended_settings(corpus_info("numbers-en-ko"), "translation").training.vocab_size
    500
    """
    if preset is not None:
        return Settings.preset(preset)
    recipe = info.train if info.train.get("task", task) == task else {}
    settings = Settings.preset(recipe.get("preset", DEFAULT_PRESET))
    return settings.override({name: value for name, value in recipe.items() if name not in _OTHER_KEYS})


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
    from bpe_transformer.data import SPECIAL_TOKENS
    from bpe_transformer.errors import CorpusError
    from bpe_transformer.tokenizer import PretokenCounts, learn_bpe

    missing = [column for column in columns if column not in rows.column_names]
    if missing:
        raise CorpusError(f"the corpus has no column {missing[0]!r}; its columns are {', '.join(rows.column_names)}")
    texts = (text for column in columns for text in rows[column] if text)
    counts = PretokenCounts.from_iterator(texts, pattern=settings.training.pattern)
    return learn_bpe(counts, settings.training.vocab_size, special_tokens=SPECIAL_TOKENS, progress=progress)
