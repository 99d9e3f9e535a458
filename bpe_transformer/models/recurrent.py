"""Recurrent encoder-decoders: through one context vector (Sutskever et al. 2014), or with attention (Bahdanau et al.
2015, Luong et al. 2015)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bpe_transformer.models.config import RecurrentAttentionConfig, RecurrentConfig
from bpe_transformer.models.heads import LanguageModelHead
from bpe_transformer.models.layers import (
    Dropout,
    RecurrentCell,
    RecurrentStack,
    State,
    TokenEmbedding,
    make_attention,
    make_cell,
    xavier_linear,
)
from bpe_transformer.models.outputs import AttentionWeights, Cache, Memory

Config = RecurrentConfig | RecurrentAttentionConfig


class RecurrentCache:
    """What a recurrent decoder keeps between steps: its state, and the projected memory if it attends."""

    def __init__(self) -> None:
        self.state: State = ()  # (n_layers, B, H) each
        self.keys: Tensor | None = None  # (A, S, K)

    def reorder(self, rows: Tensor, sentences: Tensor) -> None:
        """Keeps `sentences` (A',) of those there are, each with its K' of the beams `rows` (A' · K',), in that order."""
        self.state = tuple(part[:, rows] for part in self.state)
        if self.keys is not None and sentences.numel() < len(self.keys):
            self.keys = self.keys[sentences]


class RecurrentEncoder(nn.Module):
    """An LSTM, GRU or plain network over the source, in both directions if `bidirectional`; rows end at their own length.

    A bidirectional GRU of one layer is that of Bahdanau et al. 2015, appendix A.2.1; further layers and LSTMs are not
    the paper's.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.rnn = RecurrentStack(
            config.cell,
            config.embedding_dim,
            config.d_model,
            config.n_layers,
            bidirectional=config.bidirectional,
            dropout=config.dropout,
        )
        self.directions = self.rnn.directions

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, State]:
        """x (B, S, E), lengths (B,) -> states (B, S, D·H), zeros after each row's end, and final states.

        The final states are (n_layers, D, B, H) each: forwards after the last id, backwards after the first.
        """
        # rows without ids count as one id long, since packing has no empty rows
        states, final = self.rnn(x, lengths=lengths.clamp(min=1))
        return states, tuple(part.view(-1, self.directions, *part.shape[1:]) for part in final)


class Bridge(nn.Module):
    """The decoder's first state from the encoder's final ones.

    From an encoder with two directions h₀ = tanh(W [h→; h←] + b), and c₀ = W' [c→; c←] + b' of an LSTM. The paper's is
    s₀ = tanh(W h←₁), from the backward direction's state at the first word alone and without a bias (Bahdanau et al.
    2015, appendix A.2.2). An encoder with one direction hands its state over as it is (Sutskever et al. 2014,
    section 3).
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        parts = 2 if config.cell == "lstm" else 1
        self.maps = (
            nn.ModuleList(xavier_linear(2 * config.d_model, config.d_model) for _ in range(parts))
            if config.bidirectional
            else None
        )

    def forward(self, final: State) -> State:
        """(n_layers, D, B, H) each -> (n_layers, B, H) each"""
        if self.maps is None:
            return tuple(part[:, 0] for part in final)
        mapped = [
            linear(torch.cat((part[:, 0], part[:, 1]), dim=-1)) for linear, part in zip(self.maps, final, strict=True)
        ]
        return (mapped[0].tanh(), *mapped[1:])


class PlainDecoder(nn.Module):
    """An LSTM, GRU or plain network that knows the source only by its first state."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.rnn = RecurrentStack(
            config.cell, config.embedding_dim, config.d_model, config.n_layers, dropout=config.dropout
        )

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """x (B, T, E) and the last state, (n_layers, B, H) each -> outputs (B, T, H) and the next state."""
        output, final = self.rnn(x, state)
        return output, final


class LuongDecoder(PlainDecoder):
    """The same, then h̃ = tanh(W [c; h]) with the context c that h attends to (Luong et al. 2015, equation 5).

    Attention is global, and h̃ is not fed into the next step (their sections 3.1 and 3.3).
    """

    def __init__(self, config: RecurrentAttentionConfig, d_memory: int) -> None:
        super().__init__(config)
        self.attention = make_attention(
            config.score, d_query=config.d_model, d_memory=d_memory, d_attention=config.d_model
        )
        self.combine = xavier_linear(d_memory + config.d_model, config.d_model)

    def attend(self, x: Tensor, state: State, keys: Tensor, memory: Memory) -> tuple[Tensor, State, Tensor]:
        """x (B, T, E), keys (A, S, K) -> outputs (B, T, H), the next state, weights (B, T, S)."""
        assert memory.states is not None
        h, state = self(x, state)
        query = h.reshape(len(memory), -1, h.size(-1))  # the beams of a source attend together
        context, weights = self.attention(query, keys, memory.states, memory.mask)
        context = context.reshape(*h.shape[:2], -1)
        output = self.combine(torch.cat((context, h), dim=-1)).tanh()
        return output, state, weights.reshape(*h.shape[:2], -1)


class BahdanauDecoder(nn.Module):
    """s' = f(s, y, c) where the context c is what s attends to (Bahdanau et al. 2015, appendix A.2.2).

    As in the paper: the alignment model reads the state before the step (A.1.2), c enters every gate of the cell
    beside y (A.1.1), and the output is the maxout, over pairs of neighbours, of 2l values U s + V y + C c of that same
    state, whose product with a matrix of their own gives the logits.
    Not the paper's: l is the width of a token vector (500 there, beside vectors of 620), so that the matrix can be
    tied; the GRU resets U h where the paper resets h (see `GRUCell`); biases; dropout, LSTM cells and layers above the
    first, which read no context; weights begin as torch's and Xavier's (orthogonal and N(0, 0.01²) there, B.1).
    """

    def __init__(self, config: RecurrentAttentionConfig, d_memory: int) -> None:
        super().__init__()
        self.attention = make_attention(
            config.score, d_query=config.d_model, d_memory=d_memory, d_attention=config.d_model
        )
        widths = [config.embedding_dim + d_memory] + [config.d_model] * (config.n_layers - 1)
        self.cells = nn.ModuleList(make_cell(config.cell, width, config.d_model) for width in widths)
        self.d_embedding = config.embedding_dim
        self.dropout = Dropout(config.dropout)
        self.readout = xavier_linear(config.d_model + config.embedding_dim + d_memory, 2 * config.embedding_dim)

    def attend(self, x: Tensor, state: State, keys: Tensor, memory: Memory) -> tuple[Tensor, State, Tensor]:
        """x (B, T, E), keys (A, S, K) -> outputs (B, T, E), the next state, weights (B, T, S)."""
        assert memory.states is not None
        first = self.cells[0]
        assert isinstance(first, RecurrentCell)
        # the part of the first cell's gates that comes from y is the same whatever is attended to
        from_y, from_context = first.input.weight[:, : self.d_embedding], first.input.weight[:, self.d_embedding :]
        gates = nn.functional.linear(x, from_y, first.input.bias)  # (B, T, G·H)
        layers = [tuple(part[layer] for part in state) for layer in range(len(self.cells))]
        tops, contexts, kept = [], [], []  # the last layer's state before each step, and what it attends to
        for step in range(x.size(1)):
            query = layers[-1][0].view(len(memory), -1, layers[-1][0].size(-1))  # beams attend together
            context, weights = self.attention(query, keys, memory.states, memory.mask)
            context = context.reshape(x.size(0), -1)
            tops.append(layers[-1][0])
            layers[0] = first.step(gates[:, step] + nn.functional.linear(context, from_context), layers[0])
            for index in range(1, len(layers)):
                cell = self.cells[index]
                layers[index] = cell(self.dropout(layers[index - 1][0]), layers[index])
            contexts.append(context)
            kept.append(weights.reshape(x.size(0), -1))
        s, c = torch.stack(tops, dim=1), torch.stack(contexts, dim=1)
        pairs = self.readout(torch.cat((s, x, c), dim=-1))  # (B, T, 2E)
        output = pairs.view(*x.shape, 2).amax(dim=-1)
        state = tuple(torch.stack(parts) for parts in zip(*layers, strict=True))
        return output, state, torch.stack(kept, dim=1)


class RecurrentSeq2Seq(nn.Module):
    """A recurrent encoder, a bridge, a decoder, and a head over the vocabulary.

    With `tie_embeddings` one matrix serves source, target and output, which takes a joint vocabulary; a map brings the
    decoder's outputs to the width of the token vectors where the two differ.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.src_embedding = self._embedding(config)
        self.tgt_embedding = self.src_embedding if config.tie_embeddings else self._embedding(config)
        self.encoder = RecurrentEncoder(config)
        self.bridge = Bridge(config)
        d_memory = config.d_model * self.encoder.directions
        self.decoder: PlainDecoder | BahdanauDecoder
        if not isinstance(config, RecurrentAttentionConfig):
            self.decoder = PlainDecoder(config)
        elif config.score == "additive":
            self.decoder = BahdanauDecoder(config, d_memory)
        else:
            self.decoder = LuongDecoder(config, d_memory)
        self.dropout = Dropout(config.dropout)
        d_output = config.embedding_dim if isinstance(self.decoder, BahdanauDecoder) else config.d_model
        self.output = None if config.embedding_dim == d_output else xavier_linear(d_output, config.embedding_dim)
        self.head = LanguageModelHead(
            d_model=config.embedding_dim,
            vocab_size=config.vocab_size,
            embedding=self.tgt_embedding.tokens if config.tie_embeddings else None,
        )

    @staticmethod
    def _embedding(config: Config) -> TokenEmbedding:
        return TokenEmbedding(vocab_size=config.vocab_size, d_model=config.embedding_dim, dropout=config.dropout)

    def new_cache(self, *, capacity: int = 64) -> RecurrentCache:
        """An empty cache for decoding step by step; a state takes the same room after any number of ids."""
        return RecurrentCache()

    def encode(self, src: Tensor) -> Memory:
        """src (B, S), padded at the end -> the decoder's first state and, if it attends, states (B, S, D·H)."""
        mask = src != self.config.pad_id
        x = self.src_embedding(src, src, 0)  # no positions
        states, final = self.encoder(x, mask.sum(dim=1))
        attends = isinstance(self.decoder, (BahdanauDecoder, LuongDecoder))
        return Memory(states if attends else None, mask, self.bridge(final))

    def decode(self, tgt: Tensor, memory: Memory, *, cache: Cache | None = None) -> Tensor:
        """tgt (B, T) (bos first) -> states (B, T, E) for `head`; otherwise as `EncoderDecoder.decode`."""
        return self._decode(tgt, memory, cache)[0]

    def forward(self, src: Tensor, tgt: Tensor) -> Tensor:
        """src (B, S), tgt (B, T) (bos first) -> logits of the id after each of tgt (B, T, V)."""
        logits: Tensor = self.head(self.decode(tgt, self.encode(src)))
        return logits

    def attention(self, src: Tensor, tgt: Tensor) -> AttentionWeights:
        """The weights with which tgt (B, T) (bos first) is written from src (B, S), as one layer with one head."""
        _, weights = self._decode(tgt, self.encode(src), None)
        return AttentionWeights(cross=None if weights is None else weights[None, :, None])

    def _decode(self, tgt: Tensor, memory: Memory, cache: Cache | None) -> tuple[Tensor, Tensor | None]:
        kept = cache if isinstance(cache, RecurrentCache) else RecurrentCache()
        x = self.tgt_embedding(tgt, tgt, 0)
        state = kept.state
        if not state:  # the beams of a source begin alike
            state = tuple(part.repeat_interleave(tgt.size(0) // len(memory), dim=1) for part in memory.hidden)
        weights = None
        if isinstance(self.decoder, (BahdanauDecoder, LuongDecoder)):
            assert memory.states is not None
            if kept.keys is None:
                kept.keys = self.decoder.attention.project_keys(memory.states)
            output, kept.state, weights = self.decoder.attend(x, state, kept.keys, memory)
        else:
            output, kept.state = self.decoder(x, state)
        states: Tensor = self.dropout(output)
        return states if self.output is None else self.output(states), weights
