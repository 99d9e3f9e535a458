"""Line plots that several views share: in the terminal, and as SVG."""

from bpe_transformer.inspection.render.plots.line import Line, Plot
from bpe_transformer.inspection.render.plots.svg import svg_plot
from bpe_transformer.inspection.render.plots.terminal import TerminalPlot

__all__ = ["Line", "Plot", "TerminalPlot", "svg_plot"]
