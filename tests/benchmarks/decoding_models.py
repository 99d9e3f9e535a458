"""How fast a trained translator decodes beside CTranslate2, one thread each, in one process, in turn.

    python tests/benchmarks/decoding_models.py RUN SOURCES --engine DIR [--rows 1000] [--rounds 3] [--beam 5] [--peer-batch 32]

RUN is a folder of `train` with family transformer, SOURCES a text file, a sentence a line. Both sides get the same weights
in float32. First greedy outputs are compared, and beam outputs without length normalisation, where both searches want the
same: unless 98 of 100 are equal (limits cut others), nothing is timed. Then every way of decoding takes its turn in each round. Times are of the processor, so that a busy machine disturbs
less; tokens are those of the best translations, their ends included.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import ctranslate2
import tokenizers
import torch

from bpe_transformer.inference import Translator, load_translator
from bpe_transformer.inference.batches import length_batches
from bpe_transformer.inference.options import TranslationOptions


class Own:
    """CTranslate2 as its users feed it: the package `tokenizers` reads our tokenizer.json, and its own batches."""

    def __init__(self, folder: Path, size: int) -> None:
        self.size = size
        self.tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        options: dict[str, Any] = {"device": "cpu", "compute_type": "float32", "inter_threads": 1, "intra_threads": 1}
        self.engine = ctranslate2.Translator(str(folder), **options)

    def sources(self, texts: list[str]) -> list[list[str]]:
        return [encoded.tokens for encoded in self.tokenizer.encode_batch(texts)]

    def search(self, sources: list[list[str]], beam: int, length_penalty: float) -> list[list[str]]:
        found = self.engine.translate_batch(
            sources, beam_size=beam, length_penalty=length_penalty, max_batch_size=self.size, max_decoding_length=200
        )
        return [result.hypotheses[0] for result in found]

    def translate(self, texts: list[str], beam: int, length_penalty: float) -> list[str]:
        written = self.search(self.sources(texts), beam, length_penalty)
        ids = [[self.tokenizer.token_to_id(token) or 0 for token in tokens] for tokens in written]
        return self.tokenizer.decode_batch(ids)


def ours(model: Translator, texts: list[str], beam: int, length_penalty: float) -> list[list[int]]:
    """The ids of the best translations."""
    options = TranslationOptions(beam=beam, length_penalty=length_penalty)
    _, pieces = model._pieces(texts, [[]] * len(texts), options)
    results: list[list[int]] = [[]] * len(texts)
    budget = model.info.settings.decoding.batch_tokens // beam
    for batch in length_batches([len(piece.ids) for piece in pieces], budget):
        for place, found in zip(batch, model._written([pieces[p] for p in batch], options, scores=False), strict=True):
            results[pieces[place].row] = found[0].ids
    return results


def seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("sources", type=Path)
    parser.add_argument("--engine", type=Path, required=True, help="what export RUN DIR --format ctranslate2 wrote")
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--beam", type=int, default=5)
    parser.add_argument("--peer-batch", type=int, default=32, help="sentences that CTranslate2 takes at once")
    given = parser.parse_args()
    torch.set_num_threads(1)
    texts = [line for line in given.sources.read_text("utf-8").split("\n") if line.strip()][: given.rows]
    model, engine, peer = (
        load_translator(given.run),
        load_translator(given.run, engine="ctranslate2", threads=1),
        Own(given.engine, given.peer_batch),
    )
    sources = peer.sources(texts)
    names = engine._names  # type: ignore[attr-defined]
    tokens = {}
    for beam in (1, given.beam):
        one = [[names[id] for id in ids] for ids in ours(model, texts, beam, 0.0)]
        other = peer.search(sources, beam, 0.0)
        equal = sum(a == b for a, b in zip(one, other, strict=True))
        tokens[beam] = sum(len(ids) + 1 for ids in ours(model, texts, beam, 1.0))
        theirs = sum(len(ids) + 1 for ids in peer.search(sources, beam, 1.0))
        print(
            f"beam {beam}: {equal:,} of {len(texts):,} outputs equal; tokens {tokens[beam]:,} ours, {theirs:,} theirs"
        )
        if equal < 0.98 * len(texts):
            parser.error(f"{given.engine} writes others than {given.run}: export it from there")
    ways: dict[str, tuple[int, Callable[[int], object]]] = {}
    for beam in (1, given.beam):
        ways[f"ours, beam {beam}"] = (beam, lambda beam: ours(model, texts, beam, 1.0))
        ways[f"CTranslate2, beam {beam}"] = (beam, lambda beam: peer.search(sources, beam, 1.0))
        ways[f"translate --engine ctranslate2, beam {beam}"] = (
            beam,
            lambda beam: engine.translate(texts, beam=beam, length_penalty=1.0),
        )
        ways[f"CTranslate2 and tokenizers, beam {beam}"] = (beam, lambda beam: peer.translate(texts, beam, 1.0))
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(given.rounds):
        for name, (beam, work) in ways.items():
            taken[name].append(seconds(lambda beam=beam, work=work: work(beam)))  # type: ignore[misc]
    for name, (beam, _) in ways.items():
        print(f"{name}: {tokens[beam] / min(taken[name]):,.0f} tokens/s (best of {given.rounds})")
    for beam in (1, given.beam):
        for side, peer_side in (
            ("ours", "CTranslate2"),
            ("translate --engine ctranslate2", "CTranslate2 and tokenizers"),
        ):
            pairs = zip(taken[f"{side}, beam {beam}"], taken[f"{peer_side}, beam {beam}"], strict=True)
            ratios = [theirs / mine for mine, theirs in pairs]
            print(
                f"{side} / {peer_side}, beam {beam}: {statistics.median(ratios):.2f}x (rounds {', '.join(f'{r:.2f}' for r in ratios)})"
            )


if __name__ == "__main__":
    main()
