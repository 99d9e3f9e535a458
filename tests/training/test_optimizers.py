from __future__ import annotations

import pytest
import torch

from bpe_transformer.errors import ConfigError, FormatError
from bpe_transformer.models import FAMILIES
from bpe_transformer.training import TrainingConfig
from bpe_transformer.training.averaging import WeightAverage, mean_of
from bpe_transformer.training.optimizers import (
    OPTIMIZERS,
    CombinedOptimizer,
    build_optimizer,
    load_optimizer_tensors,
    optimizer_tensors,
    set_learning_rate,
)


def small(family: str) -> dict[str, torch.nn.Parameter]:
    torch.manual_seed(0)
    found = FAMILIES[family]
    model = found.build(found.configure(found.options(d_model=16, n_layers=1), vocab_size=9, pad_id=0))
    return dict(model.named_parameters())


@pytest.mark.parametrize("kind", list(OPTIMIZERS))
@pytest.mark.parametrize("family", list(FAMILIES))
def test_decay_pulls_at_matrices_only(family: str, kind: str) -> None:
    named = small(family)
    optimizer = build_optimizer(named, TrainingConfig(optimizer=kind, weight_decay=0.5, momentum=0.0))
    before = {name: value.detach().clone() for name, value in named.items()}
    set_learning_rate(optimizer, 0.1)
    for value in named.values():
        value.grad = torch.zeros_like(value)
    optimizer.step()  # without a gradient only the decay moves weights
    for name, value in named.items():
        moved = not torch.equal(value.detach(), before[name])
        assert moved == (value.dim() > 1 and bool(before[name].any())), name
        if kind in ("adamw", "muon", "adafactor") and value.dim() > 1:
            torch.testing.assert_close(value.detach(), before[name] * (1 - 0.1 * 0.5))
    held = [p for group in optimizer.param_groups for p in group["params"]]
    assert len(held) == len({id(p) for p in held}) == len(named)  # every parameter once, tied ones too


@pytest.mark.parametrize("kind", list(OPTIMIZERS))
def test_an_optimizer_goes_on_from_its_tensors(kind: str) -> None:
    config = TrainingConfig(optimizer=kind, weight_decay=0.1)

    def steps(named: dict[str, torch.nn.Parameter], optimizer: object, first: int) -> None:
        for step in range(first, first + 2):
            for index, value in enumerate(named.values()):
                value.grad = torch.randn(value.shape, generator=torch.Generator().manual_seed(100 * step + index))
            set_learning_rate(optimizer, 0.01)  # type: ignore[arg-type]
            optimizer.step()  # type: ignore[attr-defined]

    one, other = small("gpt"), small("gpt")
    whole, fresh = build_optimizer(one, config), build_optimizer(other, config)
    steps(one, whole, 0)
    for name, value in one.items():
        other[name].data.copy_(value.data)
    tensors = {name: value.clone() for name, value in optimizer_tensors(whole, one).items()}
    load_optimizer_tensors(fresh, other, tensors)
    steps(one, whole, 2)
    steps(other, fresh, 2)
    assert all(torch.equal(one[name], other[name]) for name in one)
    name = next(iter(tensors))
    for wrong in ({**tensors, name: torch.zeros(3, 3, 3)}, {**tensors, "exp_avg.nothing": torch.zeros(1)}):
        with pytest.raises(FormatError):
            load_optimizer_tensors(build_optimizer(other, config), other, wrong)


def test_muon_takes_the_matrices_inside_and_adamw_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    named = small("transformer")
    optimizer = build_optimizer(named, TrainingConfig(optimizer="muon"))
    assert isinstance(optimizer, CombinedOptimizer)
    muon = {id(p) for group in optimizer.optimizers[0].param_groups for p in group["params"]}
    assert muon == {id(value) for name, value in named.items() if value.dim() == 2 and "embedding" not in name}
    monkeypatch.delattr(torch.optim, "Muon")
    with pytest.raises(ConfigError, match=r"optimizer='muon' needs torch 2\.9 or newer"):
        build_optimizer(named, TrainingConfig(optimizer="muon"))


def test_averages_of_weights() -> None:
    named = {"w": torch.tensor([0.0])}
    average = WeightAverage(named, decay=0.5)
    expected = 0.0
    for step, value in enumerate((1.0, 2.0, 3.0), 1):
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * value
        average.update({"w": torch.tensor([value])}, step)
    torch.testing.assert_close(average.weights["w"], torch.tensor([expected]))
    assert mean_of([{"w": torch.tensor([1.0])}, {"w": torch.tensor([4.0])}])["w"].item() == 2.5
