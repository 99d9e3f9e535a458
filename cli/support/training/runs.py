"""What a training command needs besides its settings: the processes of torchrun, and a score of decoded rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import datasets
    from torch import nn

    from bpe_transformer import Tokenizer
    from bpe_transformer.data import TaskColumns
    from bpe_transformer.training import Settings
    from bpe_transformer.training.engine import Processes


def start_processes() -> Processes:
    """The processes of this run: one, or those that torchrun has started."""
    from bpe_transformer.training.engine import Processes

    return Processes.from_environment()


def decoded_score(
    settings: Settings, columns: TaskColumns, rows: datasets.Dataset, tokenizer: Tokenizer
) -> Callable[[nn.Module], float] | None:
    """BLEU or exact match of a model on `eval_rows` of `rows`, 0 to 1; None unless `patience_metric` asks for it."""
    training = settings.training
    if training.patience_metric not in ("bleu", "exact-match") or columns.task != "translation":
        return None
    import numpy as np

    from bpe_transformer.data.batches import sample_within
    from bpe_transformer.evaluation import bleu, exact_match
    from bpe_transformer.inference import Translator
    from bpe_transformer.training import CheckpointInfo

    shown = rows.select(sample_within(np.ones(len(rows), dtype=np.int64), training.eval_rows, training.seed))
    src, tgt = ([str(text or "") for text in shown[column]] for column in columns.columns)
    info = CheckpointInfo.of(tokenizer, columns.columns, settings)

    def score(model: Any) -> float:
        written = Translator(model, tokenizer, info).translate(src, beam=1)
        return bleu(written, tgt).score / 100 if training.patience_metric == "bleu" else exact_match(written, tgt).share

    return score
