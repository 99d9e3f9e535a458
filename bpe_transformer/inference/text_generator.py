"""A trained language model that continues texts and says how probable they are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from bpe_transformer.data import SpecialIds
from bpe_transformer.errors import CheckpointError, ConfigError
from bpe_transformer.inference.attention_weights import AttentionWeights, token_bytes, weights_of_row
from bpe_transformer.inference.decoding_session import LanguageModelSession
from bpe_transformer.inference.greedy import greedy_search
from bpe_transformer.inference.sampling import sample
from bpe_transformer.models import LanguageModel
from bpe_transformer.tokenizer import Tokenizer
from bpe_transformer.training.checkpoint import CheckpointInfo, load_checkpoint
from bpe_transformer.training.objectives.losses import projected_cross_entropy


class TextLikelihood(NamedTuple):
    """How probable a model finds texts: their negative log-likelihood in nats, and the number of ids predicted."""

    negative_log_likelihood: float
    num_ids: int


class TextGenerator:
    """A language model with its tokenizer. A document is taken to follow </s>, as in training."""

    def __init__(self, model: LanguageModel, tokenizer: Tokenizer, info: CheckpointInfo) -> None:
        self.model, self.tokenizer, self.info = model, tokenizer, info
        self.special = SpecialIds.of(tokenizer)

    def generate(
        self,
        prompt: str,
        *,
        max_new: int | None = None,
        samples: int = 1,
        temperature: float | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int = 0,
    ) -> list[str]:
        """`samples` continuations of `prompt`, without it, of at most `max_new` ids (None: up to max_len in all).

        temperature=0 takes the most probable id each time. The same seed draws the same texts.
        Raises `ConfigError` when prompt and continuation exceed the model's max_len, or a setting is out of range.
        """
        decoding, max_len = self.info.settings.decoding, self.info.settings.model.max_len
        ids = [self.special.eos, *self.tokenizer.encode_ordinary(prompt)]
        max_new = max_len - len(ids) if max_new is None else max_new
        if max_new < 1 or samples < 1 or len(ids) + max_new > max_len:
            raise ConfigError(
                f"{samples} samples of {len(ids)} prompt ids + max_new={max_new} cannot be written with "
                f"max_len={max_len}; ask for at least 1 of each, and shorten the prompt or max_new"
            )
        temperature = decoding.temperature if temperature is None else temperature
        session = LanguageModelSession(self.model, [ids] * samples)
        limits = torch.full((samples,), max_new, device=self.device)
        if temperature == 0:
            written = greedy_search(session, session.start, eos_id=self.special.eos, limits=limits)
        else:
            written = sample(
                session,
                session.start,
                eos_id=self.special.eos,
                limits=limits,
                temperature=temperature,
                top_k=decoding.top_k if top_k is None else top_k,
                top_p=decoding.top_p if top_p is None else top_p,
                seed=seed,
            )
        return [self.tokenizer.decode(ids, skip_special_tokens=True) for ids in written]

    def negative_log_likelihood(
        self, texts: Sequence[str], *, progress: Callable[[int, int], None] | None = None
    ) -> TextLikelihood:
        """That of all texts together, the </s> after each included.

        Texts are laid end to end and cut into windows of max_len ids, every id predicted once; a window sees only
        itself, so this is an upper bound of what a sliding window would give. `progress` hears of the ids read.
        """
        max_len = self.info.settings.model.max_len
        stream = [self.special.eos]
        for encoded in self.tokenizer.encode_batch(list(texts), disallowed_special=()):
            stream += [*encoded.tolist(), self.special.eos]
        total, rows = 0.0, max(1, self.info.settings.training.max_tokens // max_len)
        span = rows * max_len
        for start in range(0, len(stream) - 1, span):
            ids = torch.tensor(stream[start : start + span + 1])
            for inputs, targets in _windows(ids, max_len):
                total += self._window_loss(inputs, targets)
            if progress is not None:
                progress(min(start + span, len(stream) - 1), len(stream) - 1)
        return TextLikelihood(total, len(stream) - 1)

    @torch.inference_mode()
    def _window_loss(self, inputs: Tensor, targets: Tensor) -> float:
        """inputs, targets (B, T) -> summed negative log-likelihood"""
        head = self.model.head
        hidden = head.hidden(self.model.states(inputs.to(self.device))).flatten(0, 1)
        return float(projected_cross_entropy(hidden, head.weight, targets.to(self.device).flatten(), bias=head.bias))

    def attention(self, text: str) -> AttentionWeights:
        """The weights while reading `text`."""
        ids = [self.special.eos, *self.tokenizer.encode_ordinary(text)]
        with torch.inference_mode():
            weights = self.model.attention(torch.tensor([ids], device=self.device))
        tokens = token_bytes(self.tokenizer, ids)
        end_token = self.tokenizer.token_bytes(self.special.eos)
        return weights_of_row(weights, src_tokens=tokens, tgt_tokens=tokens, end_token=end_token)

    @property
    def device(self) -> torch.device:
        """Where the model is; move it with `model.to`."""
        return self.model.head.weight.device


def load_text_generator(directory: str | os.PathLike[str], tokenizer: Tokenizer | None = None) -> TextGenerator:
    """Raises `CheckpointError` (missing, damaged, not a language model) or `DigestMismatchError`."""
    model, info, tokenizer = load_checkpoint(directory, tokenizer)
    if not isinstance(model, LanguageModel):
        remedy = "use translate" if info.task == "translation" else "train one with family gpt"
        raise CheckpointError(f"{directory} holds a {info.kind}, which does not continue texts; {remedy}")
    return TextGenerator(model, tokenizer, info)


def _windows(ids: Tensor, max_len: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Inputs and targets (rows, max_len) of the full windows, then those (1, rest) of the shorter rest."""
    whole = (len(ids) - 1) // max_len * max_len
    if whole:
        yield ids[:whole].view(-1, max_len), ids[1 : whole + 1].view(-1, max_len)
    if len(ids) - 1 > whole:
        yield ids[None, whole:-1], ids[None, whole + 1 :]
