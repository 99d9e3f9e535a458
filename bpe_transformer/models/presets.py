"""Named shapes: those of the papers, and small ones for a CPU. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from bpe_transformer.models.config import ModelOptions, RecurrentAttentionOptions, TransformerOptions


class Shape(NamedTuple):
    """A family and its options."""

    family: str
    options: ModelOptions


# Vaswani et al. 2017, table 3
_TRANSFORMER_BASE = TransformerOptions(
    d_model=512, n_layers=6, n_heads=8, d_ff=2048, max_len=256, norm_place="post", attention_dropout=0.1
)

# Radford et al. 2019, table 2
_GPT2 = TransformerOptions(
    d_model=768,
    n_layers=12,
    n_heads=12,
    d_ff=3072,
    max_len=1024,
    dropout=0.1,
    attention_dropout=0.1,
    positions="learned",
    activation="gelu_tanh",
    scale_embeddings=False,
    init="gpt2",
)

# Devlin et al. 2019, section 3
_BERT_BASE = TransformerOptions(
    d_model=768,
    n_layers=12,
    n_heads=12,
    d_ff=3072,
    max_len=512,
    dropout=0.1,
    attention_dropout=0.1,
    positions="learned",
    norm_place="post",
    norm_eps=1e-12,
    activation="gelu",
    scale_embeddings=False,
    embedding_norm=True,
    n_segments=2,
    init="bert",
)

SHAPES: dict[str, Shape] = {
    "tiny": Shape("transformer", TransformerOptions()),
    "small": Shape("transformer", TransformerOptions(d_model=256, n_layers=4, n_heads=4, d_ff=1024, max_len=256)),
    "transformer-base": Shape("transformer", _TRANSFORMER_BASE),
    "transformer-big": Shape(
        "transformer", replace(_TRANSFORMER_BASE, d_model=1024, n_heads=16, d_ff=4096, dropout=0.3)
    ),
    "gpt2": Shape("gpt", _GPT2),
    "gpt2-medium": Shape("gpt", replace(_GPT2, d_model=1024, n_layers=24, n_heads=16, d_ff=4096)),
    # rotary positions (Su et al. 2021), RMSNorm (Zhang and Sennrich 2019), normalised queries and keys (Henry et al.
    # 2020), ReLU² (So et al. 2021)
    "gpt": Shape(
        "gpt",
        TransformerOptions(
            d_model=768,
            n_layers=12,
            n_heads=6,
            d_ff=3072,
            max_len=1024,
            dropout=0.0,
            positions="rope",
            norm="rmsnorm",
            bias=False,
            qk_norm=True,
            activation="relu2",
            tie_embeddings=False,
            scale_embeddings=False,
            init="gpt2",
        ),
    ),
    "bert-base": Shape("bert", _BERT_BASE),
    "bert-large": Shape("bert", replace(_BERT_BASE, d_model=1024, n_layers=24, n_heads=16, d_ff=4096)),
    # Bahdanau et al. 2015, appendix A.2: 1000 hidden units and 620 embedding features; the maxout layer has 620 units
    # here (500 there)
    "rnnsearch": Shape(
        "bahdanau",
        RecurrentAttentionOptions(
            d_model=1000, d_embedding=620, n_layers=1, max_len=50, dropout=0.0, tie_embeddings=False
        ),
    ),
}
