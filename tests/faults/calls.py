"""What the fault tests do by Python, since no command does it: called by name, with errors that end it as a command."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any

from bpe_transformer import Tokenizer, TokenStore
from bpe_transformer.errors import BpeTransformerError

WORDS = ["one", "two", "three", "four", "five"]


def call(name: str, *arguments: str) -> None:
    try:
        CALLS[name](*arguments)
    except (BpeTransformerError, OSError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        sys.exit(1)


def write_flat(store: str, output: str, format: str) -> None:
    from bpe_transformer.tokenizer.store.flat_formats import write_flat as write

    write(TokenStore.load(store), output, format)  # type: ignore[arg-type]


def read_flat(source: str, output: str, tokenizer: str) -> None:
    from bpe_transformer.tokenizer.store.flat_formats import read_flat as read

    read(source, Tokenizer.load(tokenizer), output, overwrite=True)


def save_store(store: str, output: str) -> None:
    TokenStore.load(store).save(output)


CALLS: dict[str, Any] = {"write flat": write_flat, "read flat": read_flat, "save store": save_store}


def stores(folder: Path) -> None:
    """The folders `ids` and `older-ids` with token stores of different sizes, and `flat.bin` with its index."""
    choose = random.Random(1)
    for name, tokenizer, rows in (("ids", "tok", 20), ("older-ids", "older", 31)):
        text = folder / f"{name}.txt"
        text.write_text("\n".join(" ".join(choose.choices(WORDS, k=5)) for _ in range(rows)) + "\n")
        Tokenizer.load(folder / tokenizer).encode_files(text, folder / name, documents="line")
    write_flat(str(folder / "ids"), str(folder / "flat"), "megatron")


def models(folder: Path) -> None:
    """The folders `run` and `older-run` with small models that nobody has trained, and figures of their steps."""
    import json

    import torch

    from bpe_transformer.data import SpecialIds
    from bpe_transformer.training import CheckpointInfo, Settings
    from bpe_transformer.training.checkpoint import build_model, save_checkpoint, weights_of

    small = {"family": "gpt", "d_model": 16, "n_layers": 1, "n_heads": 2, "d_ff": 16, "max_len": 32}
    settings = Settings().override(small)
    for name, tokenizer in (("run", "tok"), ("older-run", "older")):
        learned = Tokenizer.load(folder / tokenizer)
        pad = SpecialIds.of(learned).pad
        info = CheckpointInfo(learned.digest, learned.vocab_size, pad, ("text",), "plain.txt", settings)
        torch.manual_seed(1)
        save_checkpoint(folder / name, weights_of(build_model(info)), info, learned)
        figures = [{"step": step, "train_loss": 4.0 / step, "validation_loss": 5.0 / step} for step in range(1, 4)]
        (folder / name / "metrics.jsonl").write_text("".join(json.dumps(one) + "\n" for one in figures))
