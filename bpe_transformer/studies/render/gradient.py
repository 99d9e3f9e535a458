"""The study `gradient`: how fast the gradient of each model falls, and its decimal logarithm over the distance."""

from __future__ import annotations

import math

from rich.console import RenderableType

from bpe_transformer.inspection.base.view import draws
from bpe_transformer.inspection.render.elements import Column, Columns, number
from bpe_transformer.inspection.render.plots import Line, Plot
from bpe_transformer.inspection.render.plots.line import MARKS
from bpe_transformer.studies.gradient import MODELS, GradientProfile, GradientStudy
from bpe_transformer.studies.render.base.result import laid_out


def plot_of(found: GradientStudy) -> Plot:
    """log₁₀ of the gradient, relative to that at the shortest distance; before training dashed."""
    lines = []
    for trained in (True, False):
        for place, model in enumerate(MODELS):
            relative = found.profile(model, trained=trained).relative
            points = [
                (float(distance), math.log10(value))
                for distance, value in zip(found.settings.lengths, relative, strict=True)
            ]
            name = f"{model}, {'after' if trained else 'before'} training"
            marked = points if trained else ()
            lines.append(Line(name, points, marked, letter=MARKS[place], color=place, dashed=not trained))
    return Plot(lines, "distance (words)", "log10 of the relative gradient", log_x=True)


@draws
def _(found: GradientStudy) -> RenderableType:
    pairs = [(found.profile(model, trained=False), found.profile(model, trained=True)) for model in MODELS]
    longest = found.settings.lengths[-1]
    table = Columns(
        [
            Column("", "mark", [MARKS[place] for place in range(len(MODELS))]),
            Column("model", "mark", list(MODELS)),
            Column("weights", "right", [number(found.parameters[model]) for model in MODELS], 1),
            Column("a word", "right", [_arrow(*(f"{found.factor(one):.2f}" for one in pair)) for pair in pairs]),
            Column(f"at {longest}", "right", [_arrow(*map(_furthest, pair)) for pair in pairs]),
            Column(
                f"right at {found.settings.lengths[0]}",
                "right",
                [f"{100 * after.accuracy[0]:.0f} %" for _, after in pairs],
            ),
            Column(f"at {longest}", "right", [f"{100 * after.accuracy[-1]:.0f} %" for _, after in pairs]),
        ]
    )
    note = (
        "before → after training: by what the gradient is multiplied with a word of distance, and what is left of it at "
        f"{longest} words (1: that at {found.settings.lengths[0]}); right: answers after training, at the shortest and at the "
        "longest distance"
    )
    return laid_out(found, [table], plot_of(found), found.answer(), note)


def _arrow(before: str, after: str) -> str:
    return f"{before} → {after}"


def _furthest(profile: GradientProfile) -> str:
    return f"{profile.relative[-1]:.1e}"
