from __future__ import annotations

import subprocess
import sys

import pytest

from bpe_transformer.errors import ConfigError
from bpe_transformer.training import PRESETS, Settings
from bpe_transformer.training.config import FIELDS


def test_presets_are_valid_and_base_and_big_are_those_of_the_paper() -> None:
    assert list(PRESETS) == ["tiny", "small", "base", "big"]
    assert all(settings.problems() == [] for settings in PRESETS.values())
    base, big = PRESETS["base"].model, PRESETS["big"].model
    assert (base.n_layers, base.d_model, base.n_heads, base.d_ff, base.norm) == (6, 512, 8, 2048, "post")
    assert (big.n_layers, big.d_model, big.n_heads, big.d_ff, big.dropout) == (6, 1024, 16, 4096, 0.3)


def test_later_overrides_win_and_dashes_are_underscores() -> None:
    settings = Settings.preset("tiny").override({"n-layers": 3, "dropout": 0.2}, {"dropout": 0})
    assert settings.model.n_layers == 3
    assert settings.model.dropout == 0.0
    assert isinstance(settings.model.dropout, float)


def test_every_problem_is_listed_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        Settings.preset("tiny").override(
            {"n_heads": 3, "dropout": 1.5, "epochs": 0, "norm": "middle", "layers": 2, "warmup": "long"}
        )
    message = str(caught.value)
    assert "\n" not in message
    for part in ("n_heads=3", "dropout=1.5", "epochs=0 (passes", "norm='middle'", "layers=2 is no", "warmup='long'"):
        assert part in message


def test_contradictions_are_problems() -> None:
    with pytest.raises(ConfigError, match=r"lr=0.001 has no effect with schedule='noam'"):
        Settings.preset("base").override({"lr": 1e-3})
    assert Settings.preset("base").override({"lr": 1e-3, "schedule": "inverse-sqrt"}).training.lr == 1e-3
    with pytest.raises(ConfigError, match="minutes=0 leaves no time"):
        Settings.preset("tiny").override({"minutes": 0})
    with pytest.raises(ConfigError, match="preset='huge' is unknown; choose one of tiny"):
        Settings.preset("huge")


def test_settings_survive_plain_data() -> None:
    settings = Settings.preset("big").override({"minutes": 12, "beam": 3})
    assert Settings.from_dict(settings.to_dict()) == settings


def test_every_field_has_a_unit_and_a_meaning() -> None:
    assert len(FIELDS) == sum(len(part) for part in Settings().to_dict().values())  # no name occurs twice
    assert all(field.metadata["unit"] and field.metadata["meaning"] for field in FIELDS.values())


def test_the_settings_cost_no_torch() -> None:
    code = "import sys; import bpe_transformer.training.config; assert not {'torch', 'datasets'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_auto_precision_follows_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from bpe_transformer.training.precision import product_dtype

    assert product_dtype("float32") == torch.float32
    assert product_dtype("bfloat16") == torch.bfloat16
    for has, dtype in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda has=has: {"avx512_bf16": has}, raising=False)
        assert product_dtype("auto") == dtype
