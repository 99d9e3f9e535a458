"""What every model is built of. Layers take modules and plain numbers, and know no configuration."""

from bpe_transformer.models.layers.additive_attention import (
    AdditiveAttention,
    Attention,
    ConcatAttention,
    DotAttention,
    GeneralAttention,
    make_attention,
)
from bpe_transformer.models.layers.attention import MultiHeadAttention, attend, fused_attend, scaled_scores
from bpe_transformer.models.layers.dropout import Dropout
from bpe_transformer.models.layers.embeddings import TokenEmbedding
from bpe_transformer.models.layers.feed_forward import FeedForward, activation_named, xavier_linear
from bpe_transformer.models.layers.kv_cache import DecodingCache, KVCache, ProjectedMemory
from bpe_transformer.models.layers.masks import cached_mask, causal_mask, document_mask, padding_mask
from bpe_transformer.models.layers.norms import LayerNorm, RMSNorm, make_norm
from bpe_transformer.models.layers.positional import (
    LearnedPositions,
    SinusoidalPositions,
    make_positions,
    sinusoids,
)
from bpe_transformer.models.layers.recurrent_cells import GRUCell, LSTMCell, RecurrentCell, State, make_cell
from bpe_transformer.models.layers.recurrent_stack import RecurrentStack
from bpe_transformer.models.layers.rope import RotaryPositions
from bpe_transformer.models.layers.transformer_layer import TransformerLayer

__all__ = [
    "AdditiveAttention",
    "Attention",
    "ConcatAttention",
    "DecodingCache",
    "DotAttention",
    "Dropout",
    "FeedForward",
    "GRUCell",
    "GeneralAttention",
    "KVCache",
    "LSTMCell",
    "LayerNorm",
    "LearnedPositions",
    "MultiHeadAttention",
    "ProjectedMemory",
    "RMSNorm",
    "RecurrentCell",
    "RecurrentStack",
    "RotaryPositions",
    "SinusoidalPositions",
    "State",
    "TokenEmbedding",
    "TransformerLayer",
    "activation_named",
    "attend",
    "cached_mask",
    "causal_mask",
    "document_mask",
    "fused_attend",
    "make_attention",
    "make_cell",
    "make_norm",
    "make_positions",
    "padding_mask",
    "scaled_scores",
    "sinusoids",
    "xavier_linear",
]
