"""Where the figures of a training run go: always `metrics.jsonl`, by option TensorBoard and trackio. Names load on first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpe_transformer.lazy import lazy_names

if TYPE_CHECKING:
    from bpe_transformer.training.loggers.json_lines import METRICS, JsonLinesLogger, read_metrics
    from bpe_transformer.training.loggers.logger_group import LOGGERS, LoggerGroup, open_loggers
    from bpe_transformer.training.loggers.metric_logger import MetricLogger
    from bpe_transformer.training.loggers.run_metrics import RunMetrics
    from bpe_transformer.training.loggers.tensorboard import TensorBoardLogger
    from bpe_transformer.training.loggers.trackio import TrackioLogger

_HOME = {
    "LOGGERS": "logger_group",
    "METRICS": "json_lines",
    "JsonLinesLogger": "json_lines",
    "LoggerGroup": "logger_group",
    "MetricLogger": "metric_logger",
    "RunMetrics": "run_metrics",
    "TensorBoardLogger": "tensorboard",
    "TrackioLogger": "trackio",
    "open_loggers": "logger_group",
    "read_metrics": "json_lines",
}

__all__ = [
    "LOGGERS",
    "METRICS",
    "JsonLinesLogger",
    "LoggerGroup",
    "MetricLogger",
    "RunMetrics",
    "TensorBoardLogger",
    "TrackioLogger",
    "open_loggers",
    "read_metrics",
]

__getattr__, __dir__ = lazy_names(__name__, _HOME, __all__)
