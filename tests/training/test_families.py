"""Every family trains, is saved, loads, and does what it can: a few steps each on the copy task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.data import TokenStore, prepare_language_model
from bpe_transformer.errors import CheckpointError, ConfigError, SpecialTokenError
from bpe_transformer.inference import load_mask_filler, load_text_generator, load_translator
from bpe_transformer.training import Settings, load_checkpoint_info, train_language_model, train_translation

RECURRENT = {"d_model": 48, "n_layers": 1, "epochs": 30, "lr": 1e-2}


def fitting(settings: Settings, family: str, **changes: Any) -> Settings:
    """The small settings for another family."""
    return settings.override({"family": family}, changes)


@pytest.mark.parametrize(
    ("family", "changes"),
    [
        ("bahdanau", {}),
        ("bahdanau", {"score": "general", "cell": "lstm"}),
        ("lstm", {}),
        ("lstm", {"cell": "gru", "bidirectional": False}),
    ],
)
def test_recurrent_families_learn_to_translate(
    family: str, changes: dict[str, Any], pairs: TokenStore, tokenizer: Tokenizer, settings: Settings, tmp_path: Path
) -> None:
    chosen = fitting(settings, family, **RECURRENT, **changes)
    result = train_translation(pairs, pairs, tokenizer, settings=chosen, directory=tmp_path / "run")
    assert result.history[-1]["validation_loss"] < result.history[0]["validation_loss"] / 3
    translator = load_translator(tmp_path / "run")
    assert translator.info.settings == chosen
    texts = ["lower low", "", "newest"]
    greedy = translator.translate(texts, beam=1)
    assert greedy[1] == ""
    assert [translator.translate([text], beam=1)[0] for text in texts] == greedy
    assert len(translator.translate(texts, beam=3)) == 3
    weights = translator.attention("lower low", "lower")
    if family == "bahdanau":
        assert greedy == texts
        assert weights.layer().weights.shape == (1, len(weights.tgt_tokens), len(weights.src_tokens))
    else:
        with pytest.raises(ConfigError, match="no attention"):
            weights.layer()


@pytest.fixture(scope="module")
def masked_tokenizer(copies: Any) -> Tokenizer:
    counts = PretokenCounts.from_iterator(copies["src"])
    return learn_bpe(counts, vocab_size=290, special_tokens=["<pad>", "<s>", "</s>", "<mask>"])


@pytest.mark.parametrize("whole_words", [False, True])
def test_bert_learns_to_fill_gaps(
    whole_words: bool, masked_tokenizer: Tokenizer, copies: Any, settings: Settings, tmp_path: Path
) -> None:
    lines = prepare_language_model(copies, masked_tokenizer, column="src", cache_dir=tmp_path)
    chosen = fitting(
        settings, "bert", epochs=30, max_len=32, max_tokens=256, whole_words=whole_words, positions="learned"
    )
    result = train_language_model(lines, lines, masked_tokenizer, settings=chosen, directory=tmp_path / "run")
    assert result.history[-1]["validation_loss"] < result.history[0]["validation_loss"] * 0.7
    filler = load_mask_filler(tmp_path / "run")
    score = filler.score(list(copies["src"]))
    assert score == filler.score(list(copies["src"]))
    assert 0.12 < score.accuracy <= 1.0  # the six words are drawn at random; of all ids, one in 290
    filled = filler.fill("low <mask> new")
    assert filled.startswith("low")
    assert "<mask>" not in filled
    with pytest.raises(ConfigError, match="has no <mask>"):
        filler.fill("low")
    weights = filler.attention("low lower")
    assert weights.layer().title.startswith("encoder self-attention")
    with pytest.raises(ConfigError, match="this model has no decoder-to-encoder attention"):
        weights.layer(kind="cross")
    with pytest.raises(CheckpointError, match="holds a masked language model"):
        load_text_generator(tmp_path / "run")
    with pytest.raises(CheckpointError, match="holds a masked language model"):
        load_translator(tmp_path / "run")
    assert load_checkpoint_info(tmp_path / "run").task == "masked-language-model"


def test_a_family_for_another_task_and_a_tokenizer_without_a_mask_are_refused(
    pairs: TokenStore, lines: TokenStore, tokenizer: Tokenizer, settings: Settings, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="family='transformer' is trained for translation"):
        train_language_model(lines, lines, tokenizer, settings=settings, directory=tmp_path / "run")
    with pytest.raises(ConfigError, match="choose family transformer or lstm or bahdanau"):
        train_translation(pairs, pairs, tokenizer, settings=fitting(settings, "gpt"), directory=tmp_path / "run")
    with pytest.raises(SpecialTokenError, match="mask"):
        train_language_model(lines, lines, tokenizer, settings=fitting(settings, "bert"), directory=tmp_path / "run")


def test_a_modern_gpt_learns(lines: TokenStore, tokenizer: Tokenizer, settings: Settings, tmp_path: Path) -> None:
    chosen = fitting(
        settings,
        "gpt",
        epochs=15,
        max_tokens=128,
        positions="rope",
        norm="rmsnorm",
        qk_norm=True,
        activation="relu2",
        bias=False,
        n_kv_heads=1,
        tie_embeddings=False,
        init="gpt2",
    )
    result = train_language_model(lines, lines, tokenizer, settings=chosen, directory=tmp_path / "run")
    assert result.history[-1]["validation_loss"] < 2.5
    generator = load_text_generator(tmp_path / "run")
    assert len(generator.generate("low", num_samples=2, max_new=6)) == 2
