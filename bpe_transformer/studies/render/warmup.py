"""The study `warmup`: a table of its variants and their curves."""

from __future__ import annotations

from rich.console import RenderableType

from bpe_transformer.inspection.base.view import draws
from bpe_transformer.inspection.render.plots import Plot
from bpe_transformer.studies.render.base.training_curves import curves_drawn, curves_plot
from bpe_transformer.studies.warmup import WarmupStudy


def plot_of(found: WarmupStudy) -> Plot:
    """The losses of all variants over the steps."""
    return curves_plot(found)


@draws
def _(found: WarmupStudy) -> RenderableType:
    return curves_drawn(found)
