"""What recipes recommend, and the vocabulary that is learned when none is given."""

from __future__ import annotations

from dataclasses import replace

import datasets
import pytest

from bpe_transformer.data import SPECIAL_TOKENS, corpus_info, list_corpora
from bpe_transformer.errors import ConfigError, CorpusError
from bpe_transformer.models import FAMILIES
from bpe_transformer.training import PRESETS, Settings, learn_tokenizer, recommended_settings


def test_a_recipe_for_the_task_a_preset_or_tiny() -> None:
    info = corpus_info("multi30k")
    assert recommended_settings(info, "translation").model.n_layers == 4
    assert recommended_settings(info, "translation").decoding.length_penalty == 1.0
    assert recommended_settings(info, "language-model") == PRESETS["tiny"].override({"family": "gpt"})
    assert recommended_settings(info, "translation", "transformer-base") == PRESETS["transformer-base"]
    assert recommended_settings(corpus_info("low-lower"), "language-model").family == "gpt"


def test_every_recipe_gives_settings_and_a_wrong_one_is_refused() -> None:
    for info in list_corpora():
        task = info.train.get("task", "language-model")
        for family in FAMILIES.values():
            if (family.task == "translation") == (task == "translation"):
                assert recommended_settings(info, task, family=family.name).family == family.name
    wrong = replace(corpus_info("low-lower"), train={"lerning_rate": 1})
    with pytest.raises(ConfigError, match="lerning_rate=1 is no setting"):
        recommended_settings(wrong, "language-model")


def test_the_vocabulary_of_the_columns_to_train_on() -> None:
    rows = datasets.Dataset.from_dict({"en": ["low lower", None], "ko": ["새 새로", ""], "note": ["zzzz"] * 2})
    settings = Settings().override({"vocab_size": 262})
    seen: list[tuple[int, int]] = []
    tokenizer = learn_tokenizer(rows, ("en", "ko"), settings, progress=lambda *now: seen.append(now))
    assert tuple(tokenizer.special_tokens) == SPECIAL_TOKENS
    assert tokenizer.vocab_size == 262
    assert len(tokenizer.encode("zzzz")) == 4
    assert seen
    with pytest.raises(CorpusError, match="no column 'de'; its columns are en, ko, note"):
        learn_tokenizer(rows, ("en", "de"), settings)
