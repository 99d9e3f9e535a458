"""The lesson `schedule`: the warm-up of "Attention is all you need" and the curves beside it."""

from __future__ import annotations

from collections.abc import Callable

import torch

from bpe_transformer.inspection.lessons.lesson import Curves, Step, Table
from bpe_transformer.inspection.lessons.request import Request
from bpe_transformer.inspection.lessons.writer import Writer
from bpe_transformer.models.config import ModelOptions, TransformerOptions
from bpe_transformer.training.config.schedule import ScheduleConfig
from bpe_transformer.training.schedules import inverse_sqrt, learning_rate, noam

D_MODEL, WARMUP, STEPS = 512, 4000, 20_000  # of the base model of Vaswani et al. 2017, section 5.3
_NEIGHBOURS = ("inverse-sqrt", "cosine", "linear", "wsd", "constant")
_POINTS = 80


def schedule_lesson(writer: Writer, request: Request) -> tuple[str, tuple[Step, ...]]:
    """Where the numbers come from, and the steps."""
    model: ModelOptions = TransformerOptions(d_model=D_MODEL, n_heads=8)
    warmup, steps, basis = WARMUP, STEPS, writer.label("basis_paper")
    config: ScheduleConfig | None = None
    if request.run is not None:
        from bpe_transformer.training import load_checkpoint_info

        info = load_checkpoint_info(request.run)
        model, config = info.settings.model, info.settings.training
        warmup, basis = max(config.warmup, 1), writer.label("basis_run", run=request.run)
        steps = max(int(info.result.get("steps", 0)), 2 * warmup)
    peak = noam(warmup, d_model=model.d_model, warmup=warmup)
    found = [_formula_step(writer, model.d_model, warmup, steps), _doubled_step(writer, model.d_model, warmup, steps)]
    chosen = peak if config is None else config.lr or peak
    found.append(_neighbours_step(writer, model, warmup, steps, chosen))
    if config is not None:
        rate = _rates(config, model, warmup, steps)
        lines = ((config.schedule, _curve(rate, steps)),)
        curves = Curves(writer.label("own", run=request.run), writer.label("step"), writer.label("rate"), lines)
        found.append(writer.step("own", curves, kind=config.schedule, peak=chosen, warmup=warmup, steps=steps))
    return basis, tuple(found)


def _formula_step(writer: Writer, d_model: int, warmup: int, steps: int) -> Step:
    def rate(step: int) -> float:
        return noam(step, d_model=d_model, warmup=warmup)

    curves = Curves("noam", writer.label("step"), writer.label("rate"), (("noam", _curve(rate, steps)),))
    places = sorted({1, max(1, warmup // 2), warmup, 4 * warmup})
    rows = tuple((f"{place:,}", f"{rate(place):.2e}") for place in places)
    worked = (
        f"{d_model}^−0.5 · min({warmup}^−0.5, {warmup} · {warmup}^−1.5) = {rate(warmup):.2e}",
        *(f"Adam: {gradient:g} → {_first_move(gradient):.3f} · lr" for gradient in (0.001, 1.0, 1000.0)),
    )
    table = Table("", (writer.label("step"), writer.label("rate")), rows)
    return writer.step("formula", curves, table, worked=worked, warmup=warmup, peak=rate(warmup), d_model=d_model)


@torch.enable_grad()
def _first_move(gradient: float) -> float:
    """How far Adam's first step moves a weight, in learning rates."""
    weight = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.Adam([weight], lr=1.0, betas=(0.9, 0.98), eps=1e-9)  # as in the paper, section 5.3
    weight.grad = torch.tensor([gradient])
    optimizer.step()
    return abs(float(weight.detach()))


def _doubled_step(writer: Writer, d_model: int, warmup: int, steps: int) -> Step:
    """What a wider model and a longer warm-up change."""
    choices = ((d_model, warmup), (2 * d_model, warmup), (d_model, 2 * warmup))
    lines = []
    for width, length in choices:
        name = f"d_model {width}, warmup {length:,}"
        lines.append((name, _curve(lambda step, w=width, n=length: noam(step, d_model=w, warmup=n), steps)))  # type: ignore[misc]
    peaks = [noam(length, d_model=width, warmup=length) for width, length in choices]
    curves = Curves("noam", writer.label("step"), writer.label("rate"), tuple(lines))
    return writer.step("doubled", curves, wider=peaks[1] / peaks[0], longer=peaks[2] / peaks[0])


def _neighbours_step(writer: Writer, model: ModelOptions, warmup: int, steps: int, peak: float) -> Step:
    lines = []
    for name in _NEIGHBOURS:
        config = ScheduleConfig(schedule=name, lr=peak, warmup=warmup)
        lines.append((name, _curve(_rates(config, model, warmup, steps), steps)))
    curves = Curves(writer.label("neighbours"), writer.label("step"), writer.label("rate"), tuple(lines))
    half = inverse_sqrt(4 * warmup, lr=peak, warmup=warmup) / peak
    return writer.step("neighbours", curves, half=half, four=4 * warmup)


def _rates(config: ScheduleConfig, model: ModelOptions, warmup: int, steps: int) -> Callable[[int], float]:
    def rate(step: int) -> float:
        progress = max(0.0, (step - warmup) / max(steps - warmup, 1))
        ramp = min(1.0, step / warmup)
        return learning_rate(step, ramp=ramp, warmup=warmup, progress=progress, model=model, config=config)

    return rate


def _curve(rate: Callable[[int], float], steps: int) -> tuple[tuple[float, float], ...]:
    places = sorted({max(1, round(steps * number / _POINTS)) for number in range(_POINTS + 1)})
    return tuple((float(step), rate(step)) for step in places)
