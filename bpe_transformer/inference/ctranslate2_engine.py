"""Translation by CTranslate2: the same texts, options and results, with the engine in place of our searches."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from typing import Any

from bpe_transformer.inference.export.ctranslate2_folder import vocabulary_of
from bpe_transformer.inference.options import TranslationOptions
from bpe_transformer.inference.search.beam import Hypothesis, length_normalizer
from bpe_transformer.inference.translator import LONGEST_TARGET, Piece, Translator
from bpe_transformer.models import EncoderDecoder, RecurrentSeq2Seq
from bpe_transformer.models.convert.ctranslate2 import to_ctranslate2
from bpe_transformer.tokenizer import Tokenizer
from bpe_transformer.training.checkpoint import CheckpointInfo, weights_of


class EngineTranslator(Translator):
    """A `Translator` that writes with CTranslate2 in float32; attention and given translations are PyTorch's.

    Its beam search ends when it has as many hypotheses as beams and divides by another power of the length while it
    searches; what it found is scored and ordered as ours is.

    Raises:
        ConversionError: CTranslate2 cannot hold the model, or is not installed.
    """

    def __init__(
        self,
        model: EncoderDecoder | RecurrentSeq2Seq,
        tokenizer: Tokenizer,
        info: CheckpointInfo,
        *,
        threads: int | None = None,
    ) -> None:
        super().__init__(model, tokenizer, info)
        vocabulary = vocabulary_of(tokenizer, info)
        positions = (LONGEST_TARGET + 1) * info.settings.model.max_len
        spec = to_ctranslate2(info.family, info.config, weights_of(model), vocabulary, positions=positions)
        import ctranslate2

        self._names = list(vocabulary.tokens)
        self._ids = {name: id for id, name in enumerate(self._names)}
        self._end = vocabulary.eos
        with tempfile.TemporaryDirectory() as folder:
            spec.save(folder)
            self._engine = ctranslate2.Translator(
                folder, device="cpu", compute_type="float32", inter_threads=1, intra_threads=threads or 0
            )

    def _written(self, pieces: Sequence[Piece], options: TranslationOptions, scores: bool) -> list[list[Hypothesis]]:
        names, prefixes = self._names, None
        if any(piece.prefix for piece in pieces):
            prefixes = [[names[id] for id in piece.prefix] for piece in pieces]
        sources = [[names[id] for id in piece.ids] for piece in pieces]
        limits = self._limits([len(piece.ids) for piece in pieces], [len(piece.prefix) for piece in pieces])
        found = self._engine.translate_batch(
            sources,
            prefixes,
            beam_size=options.beam or 1,
            num_hypotheses=options.n_best if not scores else options.beam or 1,
            length_penalty=options.length_penalty or 0.0,
            no_repeat_ngram_size=options.no_repeat_ngram,
            repetition_penalty=options.repetition_penalty,
            disable_unk=options.unknowns == "avoid" and bool(self.unknowns.ids),
            suppress_sequences=[[names[id]] for id in self.missing] or None,
            max_decoding_length=int(limits.max()),
            max_input_length=0,
            return_end_token=True,
        )
        ids = [[[self._ids[name] for name in names] for names in result.hypotheses] for result in found]
        written = [[self._plain(one) for one in each] for each in ids]
        return self._scored(sources, written, options) if scores else written

    def _plain(self, ids: list[int]) -> Hypothesis:
        if ids and ids[-1] == self.special.eos:
            return Hypothesis(ids[:-1], 0.0, 0.0, (), "ended")
        return Hypothesis(ids, 0.0, 0.0, (), "limit")

    def _scored(
        self, sources: Sequence[list[str]], written: Sequence[Sequence[Hypothesis]], options: TranslationOptions
    ) -> list[list[Hypothesis]]:
        """The hypotheses with the engine's log-probabilities of their tokens, ordered by our score."""
        rows = [source for source, each in zip(sources, written, strict=True) for _ in each]
        targets = [[self._names[id] for id in one.ids] for each in written for one in each]
        values = iter(self._engine.score_batch(rows, targets, max_input_length=0))
        results = []
        for each in written:
            scored = []
            for one in each:
                steps: Any = tuple(next(values).log_probs)
                total = sum(steps)
                score = total / length_normalizer(len(steps), options.length_penalty or 0.0)
                scored.append(Hypothesis(one.ids, total, score, steps, one.finish))
            results.append(sorted(scored, key=lambda one: -one.score))
        return results
