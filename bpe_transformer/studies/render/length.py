"""The study `length`: exact match and BLEU of the models at every length, and BLEU over the length."""

from __future__ import annotations

from rich.console import RenderableType

from bpe_transformer.inspection.base.view import draws
from bpe_transformer.inspection.render.elements import Column, Columns
from bpe_transformer.inspection.render.plots import Line, Plot
from bpe_transformer.inspection.render.plots.line import MARKS
from bpe_transformer.studies.length import MODELS, LengthPoint, LengthStudy
from bpe_transformer.studies.render.base.result import laid_out


def plot_of(found: LengthStudy) -> Plot:
    """BLEU by the words of the source."""
    lines = []
    for place, model in enumerate(MODELS):
        points = [(point.words, point.bleu) for point in found.of(model)]
        errors = [point.bleu_error or 0.0 for point in found.of(model)]
        lines.append(Line(model, points, points, errors, letter=MARKS[place], color=place))
    return Plot(lines, "words of the source", "BLEU")


@draws
def _(found: LengthStudy) -> RenderableType:
    first = found.of(MODELS[0])
    trained = [f"{point.links}{'' if point.links <= found.settings.trained else ' *'}" for point in first]
    table = Columns(
        [
            Column("links", "mark", trained),
            Column("words", "right", [f"{point.words:.1f}" for point in first]),
            *(Column(model, "right", [_scores(point) for point in found.of(model)]) for model in MODELS),
        ]
    )
    sizes = ", ".join(
        f"{model} {found.parameters[model]:,} weights (d_model {found.widths[model]})" for model in MODELS
    )
    note = f"exact match and BLEU; * longer than any chain trained on; {sizes}"
    return laid_out(found, [table], plot_of(found), found.answer(), note)


def _scores(point: LengthPoint) -> str:
    return f"{100 * point.exact:.0f} %  {point.bleu:5.1f}"
