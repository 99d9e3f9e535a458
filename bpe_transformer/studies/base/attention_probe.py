"""What a decoder with attention would write under other weights, and which source ids its outputs depend on.

For the decoder of Bahdanau et al. 2015, whose output at a step is a function of its state before the step, the id read and
the context: with the state held as it is, other weights give another context and so another output (Jain and Wallace 2019).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from bpe_transformer.data.batches.batch import TranslationBatch
from bpe_transformer.errors import ConfigError
from bpe_transformer.models.recurrent import BahdanauDecoder, RecurrentSeq2Seq

LARGEST_DIVERGENCE = math.log(2)  # of two distributions, by Jensen and Shannon
_PENALTY = 500.0  # of an output that changes too much, as in the code of Jain and Wallace 2019
_RATE = 0.1


def total_variation(first: Tensor, second: Tensor) -> Tensor:
    """½ Σ |p − q| over the last axis: 0 for equal distributions, 1 for those that never agree.

    >>> float(total_variation(torch.tensor([0.5, 0.5]), torch.tensor([1.0, 0.0])))
    0.5
    """
    return 0.5 * (first - second).abs().sum(dim=-1)


def jensen_shannon(first: Tensor, second: Tensor) -> Tensor:
    """Jensen and Shannon's divergence over the last axis, nats: 0 for equal distributions, ln 2 = 0.693 at most.

    >>> round(float(jensen_shannon(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]))), 4)
    0.6931
    """
    middle = (first + second) / 2
    return (_relative(first, middle) + _relative(second, middle)) / 2


def _relative(p: Tensor, q: Tensor) -> Tensor:
    """Σ p ln(p / q) over the last axis; terms with p = 0 are 0."""
    tiny = torch.finfo(p.dtype).tiny
    return (p * (p.clamp(min=tiny) / q.clamp(min=tiny)).log()).sum(dim=-1)


class AttentionProbe:
    """One pass over a batch of pairs, its steps held so that they can be taken again with other weights.

    weights: (B, T, S), zeros at padding. probabilities: (B, T, V) of the id at each step, under those weights.
    mask: (B, S), True where the source is real.
    Raises `ConfigError` for a model without the decoder of Bahdanau et al. 2015.
    """

    def __init__(self, model: Any, batch: TranslationBatch) -> None:
        if not isinstance(model, RecurrentSeq2Seq) or not isinstance(model.decoder, BahdanauDecoder):
            raise ConfigError(
                "this study changes the weights of a decoder with one attention, family bahdanau with score additive; "
                "give a run of that family, or none"
            )
        self.model, self.batch = model, batch
        self._decoder = model.decoder
        self.mask = batch.src != model.config.pad_id
        features: list[Tensor] = []
        handle = self._decoder.readout.register_forward_pre_hook(lambda _, inputs: features.append(inputs[0]))
        try:
            with torch.no_grad():
                memory = model.encode(batch.src)
                assert memory.states is not None
                self._memory = memory.states  # (B, S, M)
                weights = model.attention(batch.src, batch.tgt[:, :-1]).cross
        finally:
            handle.remove()
        assert weights is not None
        self.weights: Tensor = weights[0, :, 0]
        self._features = features[0][..., : -self._memory.size(-1)]  # (B, T, H + E): the state and the id read
        with torch.no_grad():
            self.probabilities = self.outputs(self.weights)

    def states(self, context: Tensor) -> Tensor:
        """What the head reads under another context: (…, B, T, M) -> (…, B, T, E)."""
        features = self._features.expand(*context.shape[:-3], *self._features.shape)
        pairs = self._decoder.readout(torch.cat((features, context), dim=-1))
        output: Tensor = pairs.unflatten(-1, (-1, 2)).amax(dim=-1)
        if self.model.output is not None:
            output = self.model.output(output)
        return output

    def outputs(self, weights: Tensor) -> Tensor:
        """Under other weights (…, B, T, S), the probabilities of the id at each step (…, B, T, V)."""
        logits: Tensor = self.model.head(self.states(weights @ self._memory))
        return logits.softmax(dim=-1)

    def uniform(self) -> Tensor:
        """Weights (B, T, S) that are the same for every real id of the source."""
        real = self.mask[:, None].float()
        return (real / real.sum(dim=-1, keepdim=True)).expand_as(self.weights)

    def permuted(self, generator: torch.Generator) -> Tensor:
        """The weights of every step in another order, among the real ids of the source (B, T, S)."""
        keys = torch.rand(self.weights.shape, generator=generator).masked_fill(~self.mask[:, None], 2.0)
        places = keys.argsort(dim=-1)  # real ids first, in an order of chance
        real_first = (~self.mask[:, None]).float().expand_as(keys).argsort(dim=-1, stable=True)
        return torch.zeros_like(self.weights).scatter(-1, places, self.weights.gather(-1, real_first))

    def gradient_times_input(self) -> Tensor:
        """|∂ p(y) / ∂ x · x| of every source vector x for every id y written, weights held fixed (B, T, S).

        As in Jain and Wallace 2019, algorithm 1, no gradient flows through the weights.
        """
        batch, steps = self.batch, self.weights.size(1)
        found = []
        for row in range(len(batch.src)):
            # one copy of the pair for each step, so that one pass back gives the gradients of all
            src, tgt = batch.src[row].expand(steps, -1), batch.tgt[row].expand(steps, -1)
            vectors: list[Tensor] = []
            embedding: Any = self.model.src_embedding
            handle = embedding.register_forward_hook(lambda _, __, output, kept=vectors: kept.append(output))
            try:
                with _fixed_weights(self._decoder), torch.enable_grad():
                    probabilities = self.model(src, tgt[:, :-1]).softmax(dim=-1)
            finally:
                handle.remove()
            places = torch.arange(steps)
            written = probabilities[places, places, tgt[0, 1:]].sum()
            (gradient,) = torch.autograd.grad(written, vectors[0])
            found.append((gradient * vectors[0].detach()).sum(dim=-1).abs())
        return torch.stack(found).masked_fill(~self.mask[:, None], 0.0)

    @torch.no_grad()
    def leave_one_out(self) -> Tensor:
        """How far the output at each step goes when a source id is left out, total variation (B, T, S)."""
        src, pad = self.batch.src, self.model.config.pad_id
        found = []
        for place in range(src.size(1)):
            shorter = torch.cat((src[:, :place], src[:, place + 1 :], torch.full_like(src[:, :1], pad)), dim=1)
            # a source of one id stays as it is
            kept = torch.where((shorter != pad).any(dim=1, keepdim=True), shorter, src)
            other = self.model(kept, self.batch.tgt[:, :-1]).softmax(dim=-1)
            found.append(total_variation(self.probabilities, other))
        return torch.stack(found, dim=-1).masked_fill(~self.mask[:, None], 0.0)

    @torch.no_grad()
    def value_zeroing(self) -> Tensor:
        """1 − cos of what the head reads, with and without the value of a source id, weights as they are (B, T, S).

        Source: Mohebbi et al. 2023, "Quantifying Context Mixing in Transformers".
        """
        context = self.weights @ self._memory
        before = self.states(context)
        found = []
        for place in range(self.weights.size(-1)):
            part = self.weights[..., place, None] * self._memory[:, None, place]
            found.append(1 - torch.cosine_similarity(before, self.states(context - part), dim=-1))
        return torch.stack(found, dim=-1).masked_fill(~self.mask[:, None], 0.0)

    def adversarial(self, *, most: float, steps: int, restarts: int, generator: torch.Generator) -> Tensor:
        """Weights (B, T, S) as far as possible from the model's whose output changes by `most` at most, total variation.

        A search by gradient from `restarts` random beginnings: the divergence less a penalty for a change above `most`
        (Jain and Wallace 2019, section 4.2.2). A step for which nothing is found keeps its weights.
        """
        scores = torch.randn((restarts, *self.weights.shape), generator=generator).requires_grad_()
        optimizer = torch.optim.Adam([scores], lr=_RATE)
        best, found = torch.zeros(self.weights.shape[:2]), self.weights.clone()
        with torch.enable_grad():
            for _ in range(steps):
                weights = scores.masked_fill(~self.mask[:, None], -1e9).softmax(dim=-1)
                change = total_variation(self.outputs(weights), self.probabilities)
                distance = jensen_shannon(weights, self.weights.expand_as(weights))
                (scores.grad,) = torch.autograd.grad((_PENALTY * (change - most).clamp(min=0) - distance).sum(), scores)
                with torch.no_grad():
                    allowed = distance.masked_fill(change > most, -1.0)
                    far, which = allowed.max(dim=0)
                    chosen = weights.gather(0, which[None, ..., None].expand(1, *weights.shape[1:]))[0]
                    found = torch.where((far > best)[..., None], chosen, found)
                    best = best.maximum(far)
                optimizer.step()
        return found.detach()


@contextmanager
def _fixed_weights(decoder: BahdanauDecoder) -> Iterator[None]:
    """In this block no gradient flows through the weights of a decoder's attention."""

    def detached(_: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        weights = outputs[1].detach()
        return weights.to(inputs[2].dtype) @ inputs[2], weights

    handle = decoder.attention.register_forward_hook(detached)
    try:
        yield
    finally:
        handle.remove()
