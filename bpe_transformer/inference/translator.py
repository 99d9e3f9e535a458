"""A trained translation model that takes and gives text."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence

import torch

from bpe_transformer.data import SpecialIds
from bpe_transformer.errors import CheckpointError, ConfigError, EncodingError
from bpe_transformer.inference.attention_weights import AttentionWeights, token_bytes, weights_of_row
from bpe_transformer.inference.beam import beam_search
from bpe_transformer.inference.decoding_session import TranslationSession
from bpe_transformer.inference.greedy import greedy_search
from bpe_transformer.models import EncoderDecoder, RecurrentSeq2Seq, TransformerOptions
from bpe_transformer.tokenizer import Tokenizer
from bpe_transformer.training.checkpoint import CheckpointInfo, load_checkpoint

LONGEST_SOURCE = 16  # times max_len: what a translation takes grows with the square of its source


class Translator:
    """A translation model with its tokenizer. Decoding settings not given are those of its `config.json`."""

    def __init__(self, model: EncoderDecoder | RecurrentSeq2Seq, tokenizer: Tokenizer, info: CheckpointInfo) -> None:
        self.model, self.tokenizer, self.info = model, tokenizer, info
        self.special = SpecialIds.of(tokenizer)

    def translate(
        self,
        texts: Sequence[str],
        *,
        beam: int | None = None,
        length_penalty: float | None = None,
        batch_tokens: int | None = None,
        progress: Callable[[int, int], None] | None = None,
        on_long: Callable[[int, int], None] | None = None,
        first_row: int = 1,
    ) -> list[str]:
        """One translation a text, in order; an empty text gives an empty one. Special tokens in texts are plain text.

        Args:
            beam: width of beam search; 1 is greedy search.
            length_penalty: exponent of length normalization (GNMT); 0 is none.
            batch_tokens: source ids, padding included, that are translated together.
            progress: called with the texts done and the texts in all.
            on_long: called with the row and the ids of a text of more than the `max_len` that the model was trained on.
            first_row: the row of the first text, for `on_long` and for messages.

        Raises `EncodingError`, with the row, for a text of more than 16 times `max_len` ids.
        """
        decoding = self.info.settings.decoding
        beam = decoding.beam if beam is None else beam
        length_penalty = decoding.length_penalty if length_penalty is None else length_penalty
        if beam < 1:
            raise ConfigError(f"beam={beam} must be at least 1; 1 is greedy search")
        sources = [self._encode(text) for text in texts]
        for row, ids in enumerate(sources, first_row):
            self._check_length(row, len(ids), on_long)
        translations = [""] * len(texts)
        rows = sorted((row for row, text in enumerate(texts) if text.strip()), key=lambda row: len(sources[row]))
        done = len(texts) - len(rows)
        for batch in _batches(rows, sources, batch_tokens or decoding.batch_tokens):
            written = self._write([sources[row] for row in batch], beam, length_penalty)
            for row, ids in zip(batch, written, strict=True):
                translations[row] = self.tokenizer.decode(ids, skip_special_tokens=True)
            done += len(batch)
            if progress is not None:
                progress(done, len(texts))
        return translations

    def attention(self, src: str, tgt: str | None = None) -> AttentionWeights:
        """The weights while writing `tgt`, or the model's own (greedy) translation when it is None."""
        src_ids = self._encode(src)
        ids = self._write([src_ids], 1, 0.0)[0] if tgt is None else self.tokenizer.encode_ordinary(tgt)
        tgt_ids = [self.special.bos, *ids]
        with torch.inference_mode():
            weights = self.model.attention(
                torch.tensor([src_ids], device=self.device), torch.tensor([tgt_ids], device=self.device)
            )
        return weights_of_row(
            weights,
            src_tokens=token_bytes(self.tokenizer, src_ids),
            tgt_tokens=token_bytes(self.tokenizer, tgt_ids),
            end_token=self.tokenizer.token_bytes(self.special.eos),
        )

    @property
    def device(self) -> torch.device:
        """Where the model is; move it with `model.to`."""
        return self.model.head.weight.device

    def _encode(self, text: str) -> list[int]:
        return [*self.tokenizer.encode_ordinary(text), self.special.eos]

    def _check_length(self, row: int, length: int, on_long: Callable[[int, int], None] | None) -> None:
        longest = self.info.settings.model.max_len
        if length > LONGEST_SOURCE * longest:
            raise EncodingError(
                f"row {row:,} has {length:,} ids, more than {LONGEST_SOURCE} times the {longest:,} (max_len) that the model was "
                "trained on; cut it up, a sentence a row"
            )
        if length > longest and on_long is not None:
            on_long(row, length)

    def _write(self, sources: list[list[int]], beam: int, length_penalty: float) -> list[list[int]]:
        width = max(map(len, sources))
        padded = [ids + [self.special.pad] * (width - len(ids)) for ids in sources]
        src = torch.tensor(padded, device=self.device)
        settings, eos_id = self.info.settings, self.special.eos
        lengths = torch.tensor([len(ids) for ids in sources], device=self.device)
        limits = (lengths * settings.decoding.max_len_ratio + settings.decoding.max_len_extra).long()
        if isinstance(settings.model, TransformerOptions) and settings.model.positions == "learned":
            limits = limits.clamp(max=settings.model.max_len - 1)
        start = torch.full((len(sources),), self.special.bos, device=self.device)
        session = TranslationSession(self.model, src)
        if beam == 1:
            return greedy_search(session, start, eos_id=eos_id, limits=limits)
        found = beam_search(session, start, eos_id=eos_id, limits=limits, beam=beam, length_penalty=length_penalty)
        return [hypotheses[0].ids for hypotheses in found]


def load_translator(directory: str | os.PathLike[str], tokenizer: Tokenizer | None = None) -> Translator:
    """Raises `CheckpointError` (missing, damaged, not a translation model) or `DigestMismatchError`."""
    model, info, tokenizer = load_checkpoint(directory, tokenizer)
    if not isinstance(model, (EncoderDecoder, RecurrentSeq2Seq)):
        remedy = "use generate" if info.task == "language-model" else "train one on pairs of texts"
        raise CheckpointError(f"{directory} holds a {info.kind}, which does not translate; {remedy}")
    return Translator(model, tokenizer, info)


def _batches(rows: Sequence[int], sources: Sequence[Sequence[int]], batch_tokens: int) -> Iterator[list[int]]:
    """Rows, sorted by length, in batches of at most `batch_tokens` padded source ids (one row at least)."""
    batch: list[int] = []
    for row in rows:
        if batch and len(sources[row]) * (len(batch) + 1) > batch_tokens:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch
