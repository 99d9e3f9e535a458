from __future__ import annotations

import subprocess
import sys
from dataclasses import FrozenInstanceError, replace

import pytest
import torch

from bpe_transformer.errors import ConfigError
from bpe_transformer.models.config import RecurrentConfig, TransformerConfig, TransformerOptions
from bpe_transformer.models.presets import SHAPES
from bpe_transformer.models.registry import FAMILIES, family_named


def test_every_problem_is_reported_at_once() -> None:
    with pytest.raises(ConfigError) as raised:
        TransformerOptions(n_heads=3, dropout=-4, activation="swish", n_layers=0)
    for problem in ("dropout=-4", "activation='swish'", "n_layers=0", "d_model=128 does not divide into n_heads=3"):
        assert problem in str(raised.value)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"vocab_size": -1}, "vocab_size=-1"),
        ({"vocab_size": None}, "vocab_size=None must be of type int"),
        ({"vocab_size": 10, "pad_id": "x"}, "pad_id='x' must be of type int"),
        ({"vocab_size": 10, "pad_id": 10}, "pad_id=10 is outside of the vocabulary"),
        ({"vocab_size": 10, "dropout": 1.0}, "dropout=1.0 (probability) must be below 0.999"),
        ({"vocab_size": 10, "dropout": float("nan")}, "dropout=nan"),
        ({"vocab_size": 10, "tie_embeddings": 1}, "tie_embeddings=1 must be of type bool"),
        ({"vocab_size": 10, "n_heads": 4, "n_kv_heads": 3}, "n_kv_heads=3"),
        ({"vocab_size": 10, "d_model": 6, "n_heads": 2, "positions": "rope"}, "must be even for positions='rope'"),
        ({"vocab_size": 10, "d_model": 5, "n_heads": 1}, "d_model=5 must be even"),
    ],
)
def test_a_wrong_value_is_refused(values: dict[str, object], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem.replace("(", r"\(").replace(")", r"\)")):
        TransformerConfig(**values)  # type: ignore[arg-type]


def test_configs_are_frozen_and_check_themselves_however_they_are_made() -> None:
    config = TransformerConfig(vocab_size=10)
    with pytest.raises(FrozenInstanceError):
        config.d_model = 4  # type: ignore[misc]
    with pytest.raises(ConfigError, match="n_heads=3"):
        replace(config, n_heads=3)
    assert replace(config, dropout=0) == replace(config, dropout=0.0)
    assert TransformerConfig(**config.to_dict()) == config
    with pytest.raises(ConfigError, match="cell='elman'"):
        RecurrentConfig(vocab_size=10, cell="elman")


def test_configs_and_registry_cost_no_torch() -> None:
    code = (
        "import sys, bpe_transformer.models.registry, bpe_transformer.models.presets; "
        "assert not {'torch', 'datasets'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("name", "vocab_size", "millions"),
    [
        ("transformer-base", 37_000, 63.1),  # table 3 has 65, with biases that we share
        ("transformer-big", 37_000, 214.2),  # 213
        ("gpt2", 50_257, 124.4),  # transformers' GPT2LMHeadModel has 124,439,808
        ("gpt2-medium", 50_257, 354.8),
        ("bert-base", 30_522, 109.5),  # transformers' BertForMaskedLM has 109,514,298
        ("bert-large", 30_522, 335.2),
    ],
)
def test_presets_have_the_papers_sizes(name: str, vocab_size: int, millions: float) -> None:
    shape = SHAPES[name]
    family = FAMILIES[shape.family]
    with torch.device("meta"):
        model = family.build(family.configure(shape.options, vocab_size=vocab_size, pad_id=0))
    assert sum(p.numel() for p in model.parameters()) / 1e6 == pytest.approx(millions, abs=0.1)


def test_every_preset_builds() -> None:
    for shape in SHAPES.values():
        family = family_named(shape.family)
        with torch.device("meta"):
            family.build(family.configure(shape.options, vocab_size=100, pad_id=0))
    with pytest.raises(ConfigError, match="family='rnn'"):
        family_named("rnn")
