"""Training beside the peers, in one sitting: `python tests/benchmarks/training.py [--from DIR] [--steps N] [--rounds N]`.

Two pieces of work: translation with Multi30k's model and batches (needs its files below DIR), and a language model of nanoGPT's
CPU setting (4 layers, 4 heads, d 128, block 64, batch 12) on the running Python's standard library. Of each, in turn, round
after round: our trainer as `train` runs it, a bare loop over the same batches made beforehand with the same objective and
optimizer, and the peer's model and step over the same ids. The best round of each counts, since other work on the machine only
ever slows one down. Parameters are compared before anything is timed.

JoeyNMT 2.3 is used if it can be imported (`pip install --no-deps joeynmt==2.3.0` beside matplotlib, seaborn, pyyaml and
importlib_metadata; its other requirements would replace packages). Its batches are ready tensors, too, which spares it its
loader. nanoGPT's step is written here from its description: GPT-2's blocks without biases, tied weights, fused attention,
AdamW, a new learning rate every step, windows at random places of one array.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bpe_transformer import Tokenizer
from bpe_transformer.data import choose_columns, corpus_info, load_with_validation, prepare_corpus
from bpe_transformer.training import (
    Callback,
    CheckpointInfo,
    Engine,
    Progress,
    Settings,
    learn_tokenizer,
    recommended_settings,
    train_model,
)
from bpe_transformer.training.checkpoint import build_model
from bpe_transformer.training.tasks import language_model_task, translation_task

WARM = 5  # steps before the clock runs
Run = Callable[[], float]  # predicted ids a second


class Clock(Callback):
    """Times the steps of our trainer after the first `WARM`, without validations and saving."""

    def __init__(self, steps: int) -> None:
        self.steps, self.rate = steps, 0.0
        self._began, self._ids = 0.0, 0

    def on_step(self, now: Progress, model: nn.Module) -> None:
        if now.step == WARM:
            self._began, self._ids = time.perf_counter(), now.tokens
        if now.step == self.steps - 1:  # the last one is followed by a validation
            self.rate = (now.tokens - self._ids) / (time.perf_counter() - self._began)


class Work:
    """Rows, a tokenizer and settings: what ours trains on."""

    def __init__(self, name: str, family: str, settings: dict[str, Any], split: str, source: str | None) -> None:
        self.info = corpus_info(name)
        self.columns = choose_columns(self.info, task="translation" if family == "transformer" else "language-model")
        base = recommended_settings(self.info, self.columns.task, family=family)
        self.settings: Settings = base.override(settings)
        texts = load_with_validation(name, split, source_dir=source)
        self.tokenizer: Tokenizer = learn_tokenizer(texts[0], self.columns.columns, self.settings)
        self.train, self.validation = (
            prepare_corpus(rows, self.tokenizer, self.columns, max_len=self.settings.model.max_len)
            for rows in texts[:2]
        )

    def trainer(self, steps: int) -> tuple[float, float]:
        """Ids a second of `train`, and the share of the time in which it waited for data."""
        clock = Clock(steps)
        settings = self.settings.override({"steps": steps, "eval_steps": 10**9, "eval_tokens": 1, "save_minutes": 0})
        with tempfile.TemporaryDirectory() as folder:
            train_model(
                self.train, self.validation, self.tokenizer, self.columns,
                settings=settings, directory=folder, callbacks=[clock],
            )  # fmt: skip
            lines = [json.loads(line) for line in Path(folder, "metrics.jsonl").read_text().splitlines()]
        return clock.rate, float(np.mean([line["data_wait"] for line in lines if line["step"] > WARM]))

    def objective(self) -> tuple[Any, list[Any], Engine]:
        """The objective as the trainer has it, all batches of an epoch, and the engine."""
        training = self.settings.training
        engine = Engine(device=training.device, precision=training.precision)
        pad = self.tokenizer.special_tokens["<pad>"]
        info = CheckpointInfo(
            self.tokenizer.digest, self.tokenizer.vocab_size, pad, self.columns.columns, "", self.settings
        )
        torch.manual_seed(1)
        model = build_model(info)
        if self.columns.task == "translation":
            task = translation_task(model, self.train, self.validation, self.settings, self.tokenizer, engine.dtype)
        else:
            task = language_model_task(model, self.train, self.validation, self.settings, self.tokenizer, engine.dtype)
        return engine.prepare(task.objective), list(islice(task.train.batches(0), 200)), engine


def bare_loop(work: Work, steps: int) -> Run:
    """The same objective, optimizer and clipping over tensors that are ready."""
    objective, batches, engine = work.objective()
    training = work.settings.training
    optimizer = torch.optim.AdamW(
        objective.parameters(), lr=1e-4, betas=(training.adam_beta1, training.adam_beta2), fused=True
    )

    def step(batch: Any) -> int:
        with engine.autocast():
            loss = objective(engine.move(batch))
        optimizer.zero_grad(set_to_none=True)
        (loss.total / loss.count).backward()
        nn.utils.clip_grad_norm_(objective.parameters(), training.clip_norm)
        optimizer.step()
        return int(loss.count)

    return timed(step, batches, steps, objective)


def timed(step: Callable[[Any], int], batches: Sequence[Any], steps: int, model: nn.Module) -> Run:
    """A run of `steps` steps over the batches, from where the last one ended."""
    endless: Iterator[Any] = cycle(batches)

    def run() -> float:
        model.train()
        for _ in range(WARM):
            step(next(endless))
        began = time.perf_counter()
        ids = sum(step(next(endless)) for _ in range(steps - WARM))
        return ids / (time.perf_counter() - began)

    return run


def joeynmt(work: Work, steps: int) -> tuple[Run, int] | None:
    """JoeyNMT's Transformer and step over the same batches, and its parameters; None where it is not installed."""
    try:
        from joeynmt.batch import Batch
        from joeynmt.model import build_model as build
        from joeynmt.vocabulary import Vocabulary
    except ImportError as missing:
        print(f"JoeyNMT is left out: {missing}", file=sys.stderr)
        return None
    special = work.tokenizer.special_tokens
    names = SimpleNamespace(
        unk_token="<unk>", pad_token="<pad>", bos_token="<s>", eos_token="</s>", sep_token=None,
        unk_id=0, pad_id=1, bos_id=2, eos_id=3, sep_id=None, lang_tags=[],
    )  # fmt: skip
    words = Vocabulary([f"w{id}" for id in range(work.tokenizer.vocab_size - 4)], names)
    shape: Any = work.settings.model
    side = {
        "type": "transformer", "num_layers": shape.n_layers, "num_heads": shape.n_heads, "hidden_size": shape.d_model,
        "ff_size": shape.d_ff, "dropout": shape.dropout, "layer_norm": shape.norm_place,
        "embeddings": {"embedding_dim": shape.d_model, "scale": True, "dropout": shape.dropout},
    }  # fmt: skip
    config = {
        "initializer": "xavier_uniform", "embed_initializer": "xavier_uniform", "bias_initializer": "zeros",
        "init_gain": 1.0, "embed_init_gain": 1.0, "tied_embeddings": True, "tied_softmax": True,
        "encoder": side, "decoder": side,
    }  # fmt: skip
    model = build(config, words, words)
    model.loss_function = ("crossentropy", work.settings.training.label_smoothing)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, betas=(0.9, 0.98))
    # its specials are the ids 0 to 3, ours the last ones
    moved = torch.arange(work.tokenizer.vocab_size) + 4
    for place, name in ((1, "<pad>"), (2, "<s>"), (3, "</s>")):
        moved[special[name]] = place
    moved = moved.clamp(max=len(words) - 1)
    _, batches, _ = work.objective()

    def made(batch: Any) -> Any:
        src, tgt = moved[batch.src], moved[batch.tgt]
        return Batch(
            src=src, src_length=(src != 1).sum(dim=1), src_prompt_mask=None, trg=tgt, trg_prompt_mask=None,
            indices=torch.arange(len(src)), device=torch.device("cpu"), pad_index=1, eos_index=3,
        )  # fmt: skip

    def step(batch: Any) -> int:
        loss, _, _, _ = model(return_type="loss", **vars(batch))
        loss = batch.normalize(loss, "tokens")
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
        optimizer.step()
        optimizer.zero_grad()
        return int(batch.ntokens)

    parameters = sum(value.numel() for value in model.parameters())
    return timed(step, [made(batch) for batch in batches], steps, model), parameters


class Block(nn.Module):
    """A block of GPT-2 as nanoGPT has it: norms first, one map for queries, keys and values, fused causal attention."""

    def __init__(self, d: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_1, self.norm_2 = nn.LayerNorm(d, bias=False), nn.LayerNorm(d, bias=False)
        self.qkv, self.out = nn.Linear(d, 3 * d, bias=False), nn.Linear(d, d, bias=False)
        self.up, self.down = nn.Linear(d, 4 * d, bias=False), nn.Linear(4 * d, d, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, T, C)"""
        rows, length, d = x.shape
        q, k, v = (
            part.view(rows, length, self.heads, d // self.heads).transpose(1, 2)
            for part in self.qkv(self.norm_1(x)).split(d, dim=2)
        )
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).contiguous().view(rows, length, d))
        added: Tensor = x + self.down(functional.gelu(self.up(self.norm_2(x))))
        return added


class NanoGpt(nn.Module):
    """The model of nanoGPT's description."""

    def __init__(self, vocab_size: int, block: int, d: int, layers: int, heads: int) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(vocab_size, d), nn.Embedding(block, d)
        self.blocks = nn.ModuleList(Block(d, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(d, bias=False)
        self.head = nn.Linear(d, vocab_size, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, ids: Tensor, targets: Tensor) -> Tensor:
        """ids, targets (B, T) -> the mean cross-entropy"""
        x = self.tokens(ids) + self.places(torch.arange(ids.shape[1]))
        for block in self.blocks:
            x = block(x)
        logits = self.head(self.norm(x))
        return functional.cross_entropy(logits.view(-1, logits.shape[-1]), targets.view(-1))


def nanogpt(work: Work, steps: int, batch: int = 12) -> tuple[Run, int]:
    """nanoGPT's step on windows at random places of the same ids, and the model's parameters."""
    shape: Any = work.settings.model
    block = shape.max_len
    model = NanoGpt(work.tokenizer.vocab_size, block, shape.d_model, shape.n_layers, shape.n_heads)
    matrices = [value for value in model.parameters() if value.dim() > 1]
    vectors = [value for value in model.parameters() if value.dim() <= 1]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99))
    data = np.concatenate([work.train[row] for row in range(min(len(work.train), 300))]).astype(np.uint16)
    taken = 0

    def step(_: None) -> int:
        nonlocal taken
        taken += 1
        for group in optimizer.param_groups:
            group["lr"] = 1e-4 + 9e-4 * 0.5 * (1 + math.cos(math.pi * min(taken / 2000, 1.0)))
        places = torch.randint(len(data) - block, (batch,)).tolist()
        ids = torch.stack([torch.from_numpy(data[at : at + block].astype(np.int64)) for at in places])
        targets = torch.stack([torch.from_numpy(data[at + 1 : at + 1 + block].astype(np.int64)) for at in places])
        loss = model(ids, targets)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return targets.numel()

    return timed(step, [None], steps, model), sum(value.numel() for value in model.parameters())


def report(name: str, work: Work, steps: int, rounds: int, peer: str, made: tuple[Run, int] | None) -> None:
    """Runs all in turn and prints the best rate of each, and the ratios."""
    objective, _, _ = work.objective()
    ours = sum(value.numel() for value in objective.parameters())
    print(f"{name}: {ours:,} parameters" + (f", {peer} {made[1]:,}" if made else ""))
    if made is not None:
        assert abs(made[1] / ours - 1) < 0.02, "the models differ"
    bare = bare_loop(work, steps)
    rates: dict[str, list[float]] = {"ours": [], "bare loop": [], peer: []}
    waits: list[float] = []
    for _ in range(rounds):
        rate, wait = work.trainer(steps)
        rates["ours"].append(rate)
        waits.append(wait)
        rates["bare loop"].append(bare())
        if made is not None:
            rates[peer].append(made[0]())
    best = {who: max(found) for who, found in rates.items() if found}
    for who, rate in best.items():
        ratio = "" if who == "ours" else f", ours is {best['ours'] / rate:.2f}x"
        print(f"  {who:10} {rate:>9,.0f} ids/s of {', '.join(f'{each:,.0f}' for each in rates[who])}{ratio}")
    print(f"  waiting for data: {100 * min(waits):.2f} % of the time (best round)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", dest="source", help="folder with Multi30k's files; without it that part is left out")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, help="default: torch's")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    if options.source:
        work = Work("multi30k", "transformer", {}, "train", options.source)
        report("Multi30k", work, options.steps, options.rounds, "JoeyNMT", joeynmt(work, options.steps))
    shape = {
        "n_layers": 4, "n_heads": 4, "d_model": 128, "d_ff": 512, "max_len": 64, "max_tokens": 12 * 64,
        "vocab_size": 300, "positions": "learned", "activation": "gelu", "bias": False, "dropout": 0.0,
        "scale_embeddings": False, "init": "gpt2", "precision": "auto", "epochs": 1,
    }  # fmt: skip
    work = Work("python-docstrings", "gpt", shape, "train", None)
    report(
        "nanoGPT's CPU setting", work, 5 * options.steps, options.rounds, "nanoGPT", nanogpt(work, 5 * options.steps)
    )


if __name__ == "__main__":
    main()
