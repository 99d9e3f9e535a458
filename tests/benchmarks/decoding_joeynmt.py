"""How fast beam search is beside JoeyNMT's, one thread each, in one process, in turn.

    python tests/benchmarks/decoding_joeynmt.py [--rows 100] [--length 14] [--rounds 3] [--beam 5]

JoeyNMT 2.3 is installed with `pip install --no-deps joeynmt==2.3.0` beside what it imports (matplotlib, pillow, seaborn,
plotly, sacremoses, subword-nmt, `importlib_metadata<8`, tensorboard with a protobuf of its time): its other requirements
would replace packages. Both models have the Multi30k shape with random weights (norm before, 6,000 ids, one matrix for
source, target and output), read the same random ids and write `--length` ids a sentence, so that the work is equal.
Times are of the processor; tokens are those of the best translations, their ends included.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch import Tensor

from bpe_transformer.inference import TranslationSession, beam_search
from bpe_transformer.models import EncoderDecoder, TransformerConfig

VOCABULARY, PAD, BOS, EOS, FIRST = 6000, 1, 2, 3, 4  # JoeyNMT's special ids come first


def ours(src: Tensor, length: int, beam: int) -> Callable[[], object]:
    shape: dict[str, Any] = {"d_model": 128, "n_layers": 4, "n_heads": 4, "d_ff": 512, "max_len": 128}
    config = TransformerConfig(**shape, vocab_size=VOCABULARY, pad_id=PAD, output_bias=True)
    model = EncoderDecoder(config).eval()
    torch.nn.init.constant_(model.head.bias[EOS], -1e4)  # no end before the limit
    start, limits = torch.full((len(src),), BOS), torch.full((len(src),), length - 1)

    def run() -> None:
        session = TranslationSession(model, src)
        for found in beam_search(session, start, eos_id=EOS, limits=limits, beam=beam, length_penalty=1.0):
            assert len(found[0].ids) + 1 == length

    return run


def joeynmt(src: Tensor, length: int, beam: int, size: int) -> Callable[[], object]:
    from joeynmt.model import build_model
    from joeynmt.search import beam_search as search
    from joeynmt.vocabulary import Vocabulary

    names = SimpleNamespace(
        unk_token="<unk>", pad_token="<pad>", bos_token="<s>", eos_token="</s>", sep_token=None,
        unk_id=0, pad_id=PAD, bos_id=BOS, eos_id=EOS, sep_id=None, lang_tags=[],
    )  # fmt: skip
    words = Vocabulary([f"w{id}" for id in range(VOCABULARY - FIRST)], names)
    side = {
        "type": "transformer", "num_layers": 4, "num_heads": 4, "hidden_size": 128, "ff_size": 512, "dropout": 0.0,
        "layer_norm": "pre", "embeddings": {"embedding_dim": 128, "scale": True, "dropout": 0.0},
    }  # fmt: skip
    config = {
        "initializer": "xavier_uniform", "embed_initializer": "xavier_uniform", "bias_initializer": "zeros",
        "init_gain": 1.0, "embed_init_gain": 1.0, "tied_embeddings": True, "tied_softmax": True,
        "encoder": side, "decoder": side,
    }  # fmt: skip
    model = build_model(config, words, words).eval()

    @torch.inference_mode()
    def run() -> None:
        for batch in src.split(size):
            mask = (batch != PAD)[:, None]
            states, hidden, _, _ = model(return_type="encode", src=batch, src_length=mask.sum(2)[:, 0], src_mask=mask)
            ids, _, _ = search(model, beam, states, hidden, mask, length, 1.0, min_output_length=length - 1)
            assert ids.shape[1] >= length - 1

    return run


def least(work: Callable[[], object], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("rows", 100), ("length", 14), ("rounds", 3), ("beam", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    src = torch.randint(FIRST, VOCABULARY, (given.rows, given.length))
    tokens = given.rows * given.length
    mine = least(ours(src, given.length, given.beam), given.rounds)
    print(f"ours, beam {given.beam}: {tokens / mine:,.0f} tokens/s (best of {given.rounds})", flush=True)
    for size in (20, given.rows):
        theirs = least(joeynmt(src, given.length, given.beam, size), given.rounds)
        print(f"JoeyNMT, batches of {size}: {tokens / theirs:,.0f} tokens/s; ours is {theirs / mine:.1f} times as fast")


if __name__ == "__main__":
    main()
