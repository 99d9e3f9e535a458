from __future__ import annotations

import subprocess
import sys
from dataclasses import fields

import pytest

from bpe_transformer.errors import ConfigError
from bpe_transformer.models import FAMILIES, RecurrentAttentionOptions, TransformerOptions
from bpe_transformer.training import PRESETS, DecodingConfig, Settings, TrainingConfig
from bpe_transformer.training.config import FIELDS


def test_presets_are_those_of_the_papers() -> None:
    assert list(PRESETS) == [
        *("tiny", "small", "transformer-base", "transformer-big", "gpt2", "gpt2-medium", "gpt"),
        *("bert-base", "bert-large", "rnnsearch"),
    ]
    base, big = PRESETS["transformer-base"].model, PRESETS["transformer-big"].model
    assert isinstance(base, TransformerOptions)
    assert isinstance(big, TransformerOptions)
    assert (base.n_layers, base.d_model, base.n_heads, base.d_ff, base.norm_place) == (6, 512, 8, 2048, "post")
    assert (big.n_layers, big.d_model, big.n_heads, big.d_ff, big.dropout) == (6, 1024, 16, 4096, 0.3)
    assert {PRESETS[name].model.n_layers for name in ("bert-base", "gpt2")} == {12}
    assert PRESETS["bert-large"].model.n_layers == 24
    assert PRESETS["rnnsearch"].family == "bahdanau"


def test_settings_refuse_every_wrong_value_however_they_are_made() -> None:
    with pytest.raises(ConfigError, match=r"dropout=-4 .*; d_model=128 does not divide into n_heads=3"):
        Settings(model=TransformerOptions(n_heads=3, dropout=-4))
    with pytest.raises(ConfigError, match=r"schedule='stairs'.*; epochs|epochs=0.*; schedule='stairs'"):
        Settings(training=TrainingConfig(schedule="stairs", epochs=0))
    with pytest.raises(ConfigError, match="top_p=0"):
        DecodingConfig(top_p=0)
    with pytest.raises(ConfigError, match="family='lstm' is built from RecurrentOptions, not from TransformerOptions"):
        Settings(family="lstm")


def test_another_family_keeps_the_options_that_both_have() -> None:
    settings = Settings.preset("small").override({"family": "bahdanau", "score": "general"})
    assert settings.model == RecurrentAttentionOptions(d_model=256, n_layers=4, max_len=256, score="general")
    with pytest.raises(ConfigError, match="n_heads=2 is no setting of family='lstm'; its model has d_model"):
        Settings().override({"family": "lstm", "n_heads": 2})
    with pytest.raises(ConfigError, match="family='rnn' is unknown; choose transformer or gpt"):
        Settings().override({"family": "rnn"})


def test_later_overrides_win_and_dashes_are_underscores() -> None:
    settings = Settings.preset("tiny").override({"n-layers": 3, "dropout": 0.2}, {"dropout": 0})
    assert settings.model.n_layers == 3
    assert settings.model.dropout == 0.0
    assert isinstance(settings.model.dropout, float)


def test_every_problem_is_listed_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        Settings.preset("tiny").override(
            {"n_heads": 3, "dropout": 1.5, "epochs": 0, "norm_place": "middle", "layers": 2, "warmup": "long"}
        )
    message = str(caught.value)
    assert "\n" not in message
    for part in (
        "n_heads=3",
        "dropout=1.5",
        "epochs=0 (passes",
        "norm_place='middle'",
        "layers=2 is no",
        "warmup='long'",
    ):
        assert part in message


def test_contradictions_are_problems() -> None:
    with pytest.raises(ConfigError, match=r"lr=0.001 has no effect with schedule='noam'"):
        Settings.preset("transformer-base").override({"lr": 1e-3})
    assert Settings.preset("transformer-base").override({"lr": 1e-3, "schedule": "inverse-sqrt"}).training.lr == 1e-3
    assert Settings().override({"schedule": "noam"}).training.lr is None
    with pytest.raises(ConfigError, match="or leave lr out"):
        Settings().override({"schedule": "noam", "lr": 2e-3})
    with pytest.raises(ConfigError, match="or leave lr out"):
        Settings.preset("small").override({"schedule": "noam"})
    with pytest.raises(ConfigError, match="minutes=0 leaves no time"):
        Settings.preset("tiny").override({"minutes": 0})
    with pytest.raises(ConfigError, match="preset='huge' is unknown; choose one of tiny"):
        Settings.preset("huge")


def test_what_ends_a_run_is_replaced_together() -> None:
    recipe = Settings().override({"steps": 900, "minutes": 3}, {"dropout": 0.2})
    assert recipe.training.ends() == {"epochs": None, "steps": 900, "tokens": None, "minutes": 3.0}
    assert recipe.override({"epochs": 4}).training.ends() == {
        "epochs": 4,
        "steps": None,
        "tokens": None,
        "minutes": None,
    }
    with pytest.raises(ConfigError, match="nothing else ends the run; give epochs, steps, tokens or minutes"):
        Settings().override({"epochs": None})


def test_settings_survive_plain_data() -> None:
    settings = Settings.preset("transformer-big").override({"minutes": 12, "beam": 3})
    assert Settings.from_dict(settings.to_dict()) == settings
    for family in FAMILIES:
        settings = Settings().override({"family": family})
        assert Settings.from_dict(settings.to_dict()) == settings


def test_every_field_has_a_unit_and_a_meaning() -> None:
    parts = [TrainingConfig, DecodingConfig]
    shared = {f.name for part in parts for f in fields(part)}
    assert len(shared) == sum(len(fields(part)) for part in parts)  # no name occurs twice
    for family in FAMILIES.values():
        assert not shared & {f.name for f in fields(family.options)}
    assert all(field.metadata["unit"] and field.metadata["meaning"] for field in FIELDS.values())


def test_the_settings_cost_no_torch() -> None:
    code = "import sys; import bpe_transformer.training.config; assert not {'torch', 'datasets'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_auto_precision_follows_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from bpe_transformer.training.engine.precision import product_dtype

    assert product_dtype("float32") == torch.float32
    assert product_dtype("bfloat16") == torch.bfloat16
    for has, dtype in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda has=has: {"avx512_bf16": has}, raising=False)
        assert product_dtype("auto") == dtype


@pytest.mark.parametrize("optimizer", ["adafactor", "muon"])
def test_optimizers_that_need_whole_matrices_are_not_divided(optimizer: str) -> None:
    with pytest.raises(ConfigError, match=f"shard=True cannot divide the state of optimizer='{optimizer}'"):
        Settings().override({"shard": True, "optimizer": optimizer})
    Settings().override({"shard": True, "optimizer": "adamw"})
