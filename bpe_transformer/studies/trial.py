"""A small language model trained on a stream of ids for a fixed number of steps, and its loss on another stream."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bpe_transformer.data import PackedBatch
from bpe_transformer.errors import CorpusError
from bpe_transformer.models.checked import Checked, option
from bpe_transformer.models.config import TransformerConfig, TransformerOptions
from bpe_transformer.models.decoder_only import LanguageModel
from bpe_transformer.studies.base.training import warm_cosine
from bpe_transformer.tokenizer import Tokenizer
from bpe_transformer.training.engine import Engine
from bpe_transformer.training.objectives import CausalLM

MODEL = TransformerOptions(
    d_model=128, n_layers=4, n_heads=4, d_ff=512, max_len=128, dropout=0.0, positions="rope", norm="rmsnorm",
    bias=False, init="gpt2", scale_embeddings=False,
)  # fmt: skip


@dataclass(frozen=True)
class TrialSettings(Checked):
    """How every model of a comparison is trained."""

    batch_ids: int = option(1024, unit="ids", meaning="predicted in a step", low=1)
    lr: float = option(3e-3, unit="per step", meaning="peak learning rate, reached after a tenth of the steps", low=0)
    weight_decay: float = option(0.01, unit="per step, times lr", meaning="decoupled decay", low=0)
    clip_norm: float = option(1.0, unit="gradient norm", meaning="clip to this", low=0)
    device: str = option("auto", unit="device", meaning="cpu, cuda, mps, or auto")
    precision: str = option(
        "auto",
        unit="kind",
        meaning="of matrix products; auto: bfloat16 if it is fast",
        choices=("float32", "bfloat16", "auto"),
    )


@dataclass(frozen=True, eq=False)
class IdStream:
    """Documents end to end, an id of its own before and after each, that no tokenizer has.

    ids: (N,) int32. num_bytes: UTF-8 bytes of the texts. lossless: whether decoding gives the texts back.
    """

    ids: NDArray[np.int32]
    vocab_size: int  # the separator included
    num_bytes: int
    num_tokens: int  # without separators
    lossless: bool

    @classmethod
    def of(cls, tokenizer: Tokenizer, texts: Sequence[str], *, check: bool = False) -> IdStream:
        """Encodes `texts`; special tokens in them are plain text. `check`: also decode them. Raises `CorpusError`."""
        separator = tokenizer.vocab_size
        encoded = tokenizer.encode_batch(list(texts), disallowed_special=())
        rows = [np.asarray(encoded[row], np.int32) for row in range(len(texts))]
        parts: list[NDArray[np.int32]] = [np.array([separator], np.int32)]
        for row in rows:
            parts += [row, np.array([separator], np.int32)]
        num_tokens = sum(map(len, rows))
        if not num_tokens:
            raise CorpusError("there is no text to train or validate on; name a corpus with some")
        lossless = not check or all(
            tokenizer.decode(row.tolist()) == text for row, text in zip(rows, texts, strict=True)
        )
        size = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
        return cls(np.concatenate(parts), separator + 1, size, num_tokens, lossless)


class Trial:
    """One model under one tokenizer and one seed."""

    def __init__(self, stream: IdStream, seed: int, model: TransformerOptions, settings: TrialSettings) -> None:
        self.stream, self.seed, self.settings, self.window = stream, seed, settings, model.max_len
        self.engine = Engine(device=settings.device, precision=settings.precision)
        torch.manual_seed(seed)
        config = TransformerConfig.of(model, vocab_size=stream.vocab_size, pad_id=stream.vocab_size - 1)
        self.model = LanguageModel(config)
        self.objective: Any = self.engine.prepare(CausalLM(self.model, dtype=self.engine.dtype))
        matrices = [value for value in self.model.parameters() if value.dim() > 1]
        vectors = [value for value in self.model.parameters() if value.dim() <= 1]
        decay = settings.weight_decay
        groups = [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.95), fused=True)
        self.rows = max(1, settings.batch_ids // self.window)
        self.num_windows = (len(stream.ids) - 1) // self.window
        if self.num_windows < 1:
            raise CorpusError(f"{len(stream.ids):,} ids do not fill one window of {self.window} + 1; use more text")

    @property
    def num_parameters(self) -> int:
        return sum(value.numel() for value in self.model.parameters())

    def train(self, steps: int, report: Callable[[int], None] = lambda _: None) -> float:
        """Takes `steps` steps of a schedule that ends with them; returns the seconds. `report` hears of steps done."""
        began = time.perf_counter()
        self.objective.train()
        rate = warm_cosine(steps, self.settings.lr, max(1, steps // 10))
        for step in range(1, steps + 1):
            for group in self.optimizer.param_groups:
                group["lr"] = rate(step)
            batch = self.engine.move(_predicted(self._batch(step - 1)))
            with self.engine.autocast():
                loss = self.objective(batch)
            self.optimizer.zero_grad(set_to_none=True)
            (loss.total / loss.count).backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.clip_norm)
            self.optimizer.step()
            report(step)
        return time.perf_counter() - began

    def _batch(self, number: int) -> torch.Tensor:
        """(rows, window + 1): the windows of step `number`, from orders that depend on the seed and the pass alone."""
        first = number * self.rows
        chosen = [
            self._order(place // self.num_windows)[place % self.num_windows]
            for place in range(first, first + self.rows)
        ]
        spans = [self.stream.ids[w * self.window : (w + 1) * self.window + 1] for w in chosen]
        return torch.from_numpy(np.stack(spans).astype(np.int64))

    def _order(self, epoch: int) -> NDArray[np.int64]:
        if getattr(self, "_epoch", None) != epoch:
            self._epoch = epoch
            generator = np.random.Generator(np.random.PCG64([self.seed, epoch]))
            self._windows: NDArray[np.int64] = generator.permutation(self.num_windows)
        return self._windows

    def negative_log_likelihood(self, stream: IdStream) -> float:
        """Of all ids but the first of `stream`, nats; a window sees only itself."""
        self.objective.eval()
        ids, total, span = torch.from_numpy(stream.ids.astype(np.int64)), 0.0, self.rows * self.window
        whole = (len(ids) - 1) // self.window * self.window
        with torch.inference_mode(), self.engine.autocast():
            for start in range(0, whole, span):
                windows = range(start, min(start + span, whole), self.window)
                batch = torch.stack([ids[first : first + self.window + 1] for first in windows])
                total += float(self.objective(self.engine.move(_predicted(batch))).total)
            if len(ids) - 1 > whole:
                total += float(self.objective(self.engine.move(_predicted(ids[None, whole:]))).total)
        return total


def _predicted(windows: torch.Tensor) -> PackedBatch:
    """Windows (B, T + 1): every id but the first of a row is predicted from those before it, across documents."""
    return PackedBatch(windows[:, :-1], windows[:, 1:])


def flops_per_step(vocab_size: int, model: TransformerOptions, batch_ids: int) -> float:
    """Floating-point operations of a training step: 6 N + 12 L d T an id, forwards and backwards.

    N counts what multiplies states: the layers and the output matrix. Source: Chowdhery et al. 2022 (PaLM), appendix B.
    """
    built = LanguageModel(TransformerConfig.of(model, vocab_size=1, pad_id=0))
    vectors = model.d_model * (1 if model.tie_embeddings else 2)  # of its one id: embedding and output
    layers = sum(value.numel() for value in built.parameters()) - vectors
    if model.positions == "learned":
        layers -= model.max_len * model.d_model
    multiplied = layers + vocab_size * model.d_model
    return batch_ids * (6.0 * multiplied + 12.0 * model.n_layers * model.d_model * model.max_len)
