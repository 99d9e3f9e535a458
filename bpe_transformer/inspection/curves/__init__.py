"""Curves of training runs: what their `metrics.jsonl` say side by side, and a run while it goes on."""

from bpe_transformer.inspection.curves.live_run import LiveRun, RunSample
from bpe_transformer.inspection.curves.run_curves import AXES, RunCurve, RunCurves, run_curves
from bpe_transformer.inspection.curves.run_samples import write_samples

__all__ = ["AXES", "LiveRun", "RunCurve", "RunCurves", "RunSample", "run_curves", "write_samples"]
