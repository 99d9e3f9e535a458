"""A saved translator with the engine that it is to run on."""

from __future__ import annotations

import os
from typing import Literal

from bpe_transformer.errors import CheckpointError
from bpe_transformer.inference.translator import Translator
from bpe_transformer.models import EncoderDecoder, RecurrentSeq2Seq
from bpe_transformer.tokenizer import Tokenizer
from bpe_transformer.training.checkpoint import load_checkpoint

Engine = Literal["torch", "ctranslate2"]


def load_translator(
    directory: str | os.PathLike[str],
    tokenizer: Tokenizer | None = None,
    *,
    engine: Engine = "torch",
    threads: int | None = None,
) -> Translator:
    """The translator in a folder that `train` wrote.

    engine: "torch", or "ctranslate2", which translates with that engine on the CPU, with `threads` (None: as it likes).

    Raises:
        CheckpointError: missing, damaged, not a translation model.
        DigestMismatchError: it was trained with another tokenizer.
        ConversionError: CTranslate2 cannot hold the model, or is not installed.
    """
    model, info, tokenizer = load_checkpoint(directory, tokenizer)
    if not isinstance(model, (EncoderDecoder, RecurrentSeq2Seq)):
        remedy = "use generate" if info.task == "language-model" else "train one on pairs of texts"
        raise CheckpointError(f"{directory} holds a {info.kind}, which does not translate; {remedy}")
    if engine == "torch":
        return Translator(model, tokenizer, info)
    from bpe_transformer.inference.ctranslate2_engine import EngineTranslator

    return EngineTranslator(model, tokenizer, info, threads=threads)
