"""Optimizers by name: torch's own, with decay on matrices only, since gains and biases have no scale to hold down."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from bpe_transformer.errors import ConfigError, FormatError
from bpe_transformer.training.config.optimizer import OptimizerConfig

Groups = list[dict[str, Any]]


class CombinedOptimizer:
    """Several optimizers over different parameters, used as one."""

    def __init__(self, optimizers: Sequence[torch.optim.Optimizer]) -> None:
        self.optimizers = tuple(optimizers)

    @property
    def param_groups(self) -> Groups:
        """The groups of all of them."""
        return [group for optimizer in self.optimizers for group in optimizer.param_groups]

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets the gradients."""
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=set_to_none)

    def step(self) -> None:
        """One step of each."""
        for optimizer in self.optimizers:
            optimizer.step()


Optimizer = torch.optim.Optimizer | CombinedOptimizer


def build_optimizer(named: Mapping[str, Tensor], config: OptimizerConfig) -> Optimizer:
    """The optimizer of the settings over named parameters; its learning rate is set before every step.

    Raises:
        ConfigError: this torch does not have it.
    """
    return OPTIMIZERS[config.optimizer](named, config)


def _groups(named: Mapping[str, Tensor], weight_decay: float) -> Groups:
    matrices = [value for value in named.values() if value.dim() > 1]
    vectors = [value for value in named.values() if value.dim() <= 1]
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def _adamw(named: Mapping[str, Tensor], config: OptimizerConfig) -> Optimizer:
    """Loshchilov and Hutter 2019: the decay is not part of the gradient."""
    betas = (config.adam_beta1, config.adam_beta2)
    return torch.optim.AdamW(_groups(named, config.weight_decay), lr=0.0, betas=betas, eps=config.adam_eps, fused=True)


def _adam(named: Mapping[str, Tensor], config: OptimizerConfig) -> Optimizer:
    """Kingma and Ba 2015: the decay, if there is one, is part of the gradient."""
    betas = (config.adam_beta1, config.adam_beta2)
    return torch.optim.Adam(_groups(named, config.weight_decay), lr=0.0, betas=betas, eps=config.adam_eps, fused=True)


def _sgd(named: Mapping[str, Tensor], config: OptimizerConfig) -> Optimizer:
    return torch.optim.SGD(_groups(named, config.weight_decay), lr=0.0, momentum=config.momentum)


def _adafactor(named: Mapping[str, Tensor], config: OptimizerConfig) -> Optimizer:
    """Shazeer and Stern 2018: of a matrix's squared gradients only the means of rows and columns are kept."""
    return torch.optim.Adafactor(_groups(named, config.weight_decay), lr=0.0)


def _muon(named: Mapping[str, Tensor], config: OptimizerConfig) -> Optimizer:
    """Jordan et al. 2024: orthogonalised momentum for the matrices inside the model, AdamW for all else.

    Its steps are as large as AdamW's (Liu et al. 2025, section 2.2), so both go by one learning rate.
    """
    if not hasattr(torch.optim, "Muon"):
        raise ConfigError(
            f"optimizer='muon' needs torch 2.9 or newer, and this is {torch.__version__}; choose optimizer='adamw', "
            "or install a newer torch"
        )
    hidden = {name: value for name, value in named.items() if value.dim() == 2 and not _is_table(name)}
    rest = {name: value for name, value in named.items() if name not in hidden}
    muon = torch.optim.Muon(
        list(hidden.values()),
        lr=0.0,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
        adjust_lr_fn="match_rms_adamw",
    )
    adamw = _adamw(rest, config)
    assert isinstance(adamw, torch.optim.Optimizer)
    return CombinedOptimizer([muon, adamw])


def _is_table(name: str) -> bool:
    """Whether a matrix holds a vector for every id or label: such rows are no linear map of features."""
    return any("embedding" in part or part in ("head", "tokens", "positions", "output") for part in name.split("."))


OPTIMIZERS: dict[str, Callable[[Mapping[str, Tensor], OptimizerConfig], Optimizer]] = {
    "adamw": _adamw,
    "adam": _adam,
    "sgd": _sgd,
    "adafactor": _adafactor,
    "muon": _muon,
}


def _parts(optimizer: Optimizer) -> tuple[torch.optim.Optimizer, ...]:
    return optimizer.optimizers if isinstance(optimizer, CombinedOptimizer) else (optimizer,)


def set_learning_rate(optimizer: Optimizer, lr: float) -> None:
    """The learning rate of the next step."""
    for group in optimizer.param_groups:
        group["lr"] = lr


def optimizer_tensors(optimizer: Optimizer, named: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state of the optimizer as tensors under "KEY.PARAMETER", such as "exp_avg.head.weight"."""
    found: dict[str, Tensor] = {}
    for part in _parts(optimizer):
        held = {id(value) for group in part.param_groups for value in group["params"]}
        for name, parameter in named.items():
            if id(parameter) in held and parameter in part.state:
                states = part.state[parameter].items()
                found |= {f"{key}.{name}": value for key, value in states if isinstance(value, Tensor)}
    return found


def load_optimizer_tensors(optimizer: Optimizer, named: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> None:
    """The inverse of `optimizer_tensors`, through `load_state_dict`.

    Raises:
        FormatError: a tensor is missing, of another shape or type, or of another optimizer.
    """
    used: set[str] = set()
    names = {id(parameter): name for name, parameter in named.items()}
    for part in _parts(optimizer):
        saved = part.state_dict()
        held = [value for group in part.param_groups for value in group["params"]]
        for index, parameter in enumerate(held):
            name = names[id(parameter)]
            states = {key: tensors[f"{key}.{name}"] for key in STATE_SHAPES if f"{key}.{name}" in tensors}
            if not states:
                continue
            _check_states(part, name, tuple(parameter.shape), states)
            used |= {f"{key}.{name}" for key in states}
            saved["state"][index] = states
        part.load_state_dict(saved)
    if unknown := sorted(set(tensors) - used):
        raise FormatError(f"optimizer.{unknown[0]} is not a state of this optimizer")


Shape = tuple[int, ...]
# the states that optimizers keep for a parameter, and their shapes
STATE_SHAPES: dict[str, Callable[[Shape], Shape]] = {
    "step": lambda shape: (),
    "exp_avg": lambda shape: shape,
    "exp_avg_sq": lambda shape: shape,
    "momentum_buffer": lambda shape: shape,
    "row_var": lambda shape: (*shape[:-1], 1),
    "col_var": lambda shape: (*shape[:-2], 1, shape[-1]),
    "variance": lambda shape: shape,
}


def _state_names(part: torch.optim.Optimizer, shape: Shape) -> tuple[str, ...]:
    if isinstance(part, (torch.optim.AdamW, torch.optim.Adam)):
        return ("step", "exp_avg", "exp_avg_sq")
    if isinstance(part, torch.optim.Adafactor):
        return ("step", "row_var", "col_var") if len(shape) > 1 else ("step", "variance")
    return ("momentum_buffer",)


def _check_states(part: torch.optim.Optimizer, name: str, shape: Shape, states: Mapping[str, Tensor]) -> None:
    if set(states) != set(_state_names(part, shape)):
        raise FormatError(f"of the optimizer's states of {name} only {', '.join(states)} is there")
    for key, value in states.items():
        expected = STATE_SHAPES[key](shape)
        if tuple(value.shape) != expected or not value.is_floating_point():
            raise FormatError(f"optimizer.{key}.{name} is {value.dtype} of shape {tuple(value.shape)}, not {expected}")
