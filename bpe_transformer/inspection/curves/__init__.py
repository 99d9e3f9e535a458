"""Curves of training runs: what their `metrics.jsonl` say, side by side."""

from bpe_transformer.inspection.curves.run_curves import AXES, RunCurve, RunCurves, run_curves

__all__ = ["AXES", "RunCurve", "RunCurves", "run_curves"]
