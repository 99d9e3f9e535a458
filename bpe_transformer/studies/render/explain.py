"""The study `explain`: how right attention and other measures are, what other weights do, and how τ is distributed."""

from __future__ import annotations

from rich.console import RenderableType

from bpe_transformer.inspection.base.view import draws
from bpe_transformer.inspection.render.elements import Column, Columns, percent
from bpe_transformer.inspection.render.plots import Line, Plot
from bpe_transformer.inspection.render.plots.line import MARKS
from bpe_transformer.studies.explain import BINS, ExplainStudy
from bpe_transformer.studies.render.base.result import laid_out, plus_minus


def plot_of(found: ExplainStudy) -> Plot:
    """The share of steps by Kendall's τ of attention with each measure."""
    lines = []
    for place, one in enumerate(found.agreements):
        points = [(-1 + (2 * number + 1) / BINS, share) for number, share in enumerate(one.histogram)]
        lines.append(Line(one.measure, points, points[1::3], letter=MARKS[place], color=place))
    return Plot(lines, "Kendall's tau with attention", "share of steps")


@draws
def _(found: ExplainStudy) -> RenderableType:
    measures = Columns(
        [
            Column("measure", "left", ["attention", *(one.measure for one in found.agreements), "chance"]),
            Column(
                "right word, %",
                "right",
                [
                    _percent(found.hits, found.hits_error),
                    *(_percent(one.hits, one.hits_error) for one in found.agreements),
                    _percent(found.chance, None),
                ],
            ),
            Column(
                "tau with attention",
                "right",
                ["1", *(plus_minus(one.tau, one.tau_error, 2) for one in found.agreements), "0"],
            ),
        ]
    )
    others = found.others
    weights = Columns(
        [
            Column("other weights", "left", [one.weights for one in others]),
            Column("divergence", "right", [f"{one.divergence:.3f}" for one in others]),
            Column("change of output", "right", [f"{one.change:.3f}" for one in others]),
            Column("right word", "right", ["–" if one.hits is None else percent(one.hits) for one in others]),
            Column("right id", "right", ["–" if one.right is None else percent(one.right) for one in others]),
        ]
    )
    return laid_out(found, [measures, weights], plot_of(found), found.answer(), _note(found))


def _percent(share: float, error: float | None) -> str:
    return plus_minus(100 * share, None if error is None else 100 * error, 1)


def _note(found: ExplainStudy) -> str:
    models = f"{found.models} model{'' if found.models == 1 else 's'}, {found.settings.pairs} pairs"
    seeds = "" if found.seed_divergence is None else f", of two {found.compared} {found.seed_divergence:.3f}"
    uniform = "" if found.exact_uniform is None else f" (trained with uniform weights {percent(found.exact_uniform)})"
    return (
        f"{models}, {percent(found.exact)} translated exactly{uniform}, {percent(found.right)} of their ids right; right word: "
        "the largest source word is one that the gold alignment links; divergence: Jensen and Shannon's from the model's weights "
        f"(0.693 at most), by words of adversarial ones {found.adversarial_divergence:.3f}{seeds}; change: total variation of "
        f"the output; adversarial weights were found for {percent(found.found)} of the steps"
    )
