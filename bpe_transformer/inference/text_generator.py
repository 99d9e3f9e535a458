"""A trained language model that continues texts and says how probable they are."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import NamedTuple, cast

import torch

from bpe_transformer.data import FlatRows, PackedBatches, SpecialIds
from bpe_transformer.data.batches import Pack, on_device
from bpe_transformer.errors import CheckpointError, ConfigError
from bpe_transformer.inference.attention_weights import AttentionWeights, token_bytes, weights_of_row
from bpe_transformer.inference.decoding_session import LanguageModelSession
from bpe_transformer.inference.greedy import greedy_search
from bpe_transformer.inference.sampling import sample
from bpe_transformer.models import LanguageModel
from bpe_transformer.tokenizer import Tokenizer
from bpe_transformer.training.checkpoint import CheckpointInfo, load_checkpoint
from bpe_transformer.training.objectives.objective import CausalLM


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

        Texts are packed into windows of max_len ids as the model was trained, every id predicted once; a window sees
        only itself, so this is an upper bound of what a sliding window would give. `progress` hears of the ids read.
        """
        training = self.info.settings.training
        encoded = self.tokenizer.encode_batch(list(texts), disallowed_special=())
        source = PackedBatches(
            FlatRows.of([*ids.tolist(), self.special.eos] for ids in encoded),
            length=self.info.settings.model.max_len,
            max_tokens=training.max_tokens,
            seed=training.seed,
            pack=cast(Pack, training.pack),
            cross_documents=training.cross_documents,
            start_id=self.special.eos,
            pad_id=self.special.pad,
            shuffle=False,
        )
        total, done, num_ids = 0.0, 0, source.padding(0).ids
        objective = CausalLM(self.model).eval()
        with torch.inference_mode():
            for batch in source.batches(0):
                loss = objective(on_device(batch, self.device))
                total, done = total + float(loss.total), done + int(loss.count)
                if progress is not None:
                    progress(done, num_ids)
        return TextLikelihood(total, num_ids)

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
