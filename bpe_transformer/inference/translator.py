"""A trained translation model that takes and gives text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, overload

import torch
from torch import Tensor

from bpe_transformer.data import SpecialIds
from bpe_transformer.data.batches import pad
from bpe_transformer.errors import ConfigError, EncodingError
from bpe_transformer.inference.attention_weights import AttentionWeights, token_bytes, weights_of_row
from bpe_transformer.inference.batches import length_batches, text_list
from bpe_transformer.inference.long_texts import split_text
from bpe_transformer.inference.missing_tokens import ids_without_token
from bpe_transformer.inference.options import TranslationOptions
from bpe_transformer.inference.search.beam import Hypothesis, beam_search, length_normalizer
from bpe_transformer.inference.search.constraints import Constraints
from bpe_transformer.inference.search.decoding_session import TranslationSession
from bpe_transformer.inference.search.greedy import greedy_search
from bpe_transformer.inference.translation import ScoredToken, Translation, TranslationHypothesis
from bpe_transformer.inference.unknowns import Unknowns
from bpe_transformer.io.printable import times
from bpe_transformer.models import EncoderDecoder, RecurrentSeq2Seq, TransformerOptions
from bpe_transformer.tokenizer import Tokenizer
from bpe_transformer.training.checkpoint import CheckpointInfo

Progress = Callable[[int, int], None]
LONGEST_TARGET = 16  # times max_len: what a translation takes grows with the square of its length
_BLANK = TranslationHypothesis("", None, None, (), "ended")


@dataclass
class Piece:
    """A source that is translated as one: a text, or a piece of a long one."""

    row: int
    text: str
    ids: list[int]
    space: str = ""  # after it in the text
    prefix: Sequence[int] = ()
    found: tuple[TranslationHypothesis, ...] = ()


class Translator:
    """A translation model with its tokenizer. Decoding settings not given are those of its `config.json`."""

    def __init__(self, model: EncoderDecoder | RecurrentSeq2Seq, tokenizer: Tokenizer, info: CheckpointInfo) -> None:
        self.model, self.tokenizer, self.info = model, tokenizer, info
        self.special = SpecialIds.of(tokenizer)
        self.unknowns = Unknowns(tokenizer)
        self.missing = ids_without_token(tokenizer, info.vocab_size)

    @overload
    def translate(self, texts: str, **options: Any) -> str: ...
    @overload
    def translate(self, texts: Sequence[str], **options: Any) -> list[str]: ...

    def translate(self, texts: str | Sequence[str], **options: Any) -> str | list[str]:
        """The translation of a text, or one a text of a list, in order; otherwise as `search`, without scores."""
        found = self.search(text_list(texts), scores=False, **options)
        written = [translation.text for translation in found]
        return written[0] if isinstance(texts, str) else written

    @overload
    def search(self, texts: str, **options: Any) -> Translation: ...
    @overload
    def search(self, texts: Sequence[str], **options: Any) -> list[Translation]: ...

    def search(
        self,
        texts: str | Sequence[str],
        *,
        prefix: str | Sequence[str] = "",
        scores: bool = True,
        progress: Progress | None = None,
        **options: Any,
    ) -> Translation | list[Translation]:
        """The best translations of a text, or of each of a list, in order, with scores; an empty text gives an empty one.

        Special tokens in texts are plain text. A text of more ids than max_len is split, cut or left out, as
        `options` say, and told in `Translation.long`.

        Args:
            prefix: with what each translation begins, one for all texts or one a text.
            scores: false leaves the log-probabilities out, which makes greedy search faster.
            progress: called with the texts done, or pieces of them, and those in all.
            options: fields of `TranslationOptions`.

        Raises:
            ConfigError: an option is out of range, or asks for what the model cannot do.
            EncodingError: what is no text, with its row.
        """
        chosen = self._options(options)
        rows = text_list(texts)
        prefixes = self._prefixes(prefix, len(rows))
        results, pieces = self._pieces(rows, prefixes, chosen)
        budget = max(1, (chosen.batch_tokens or 1) // (chosen.beam or 1))
        done = len(rows) - len({piece.row for piece in pieces})  # rows that need no work
        total = done + len(pieces)
        for batch in length_batches([len(piece.ids) for piece in pieces], budget):
            group = [pieces[place] for place in batch]
            for piece, found in zip(group, self._written(group, chosen, scores), strict=True):
                piece.found = tuple(self._hypothesis(piece, one, chosen) for one in found[: chosen.n_best])
            done += len(batch)
            if progress is not None:
                progress(done, total)
        by_row: dict[int, list[Piece]] = {}
        for piece in pieces:
            by_row.setdefault(piece.row, []).append(piece)
        translations = [_together(result, by_row.get(row, [])) for row, result in enumerate(results)]
        return translations[0] if isinstance(texts, str) else translations

    @overload
    def score(  # type: ignore[overload-overlap]  # a str is not meant as a sequence
        self, texts: str, targets: str, *, length_penalty: float | None = None, batch_tokens: int | None = None
    ) -> TranslationHypothesis: ...
    @overload
    def score(
        self,
        texts: Sequence[str],
        targets: Sequence[str],
        *,
        length_penalty: float | None = None,
        batch_tokens: int | None = None,
    ) -> list[TranslationHypothesis]: ...

    @torch.inference_mode()
    def score(
        self,
        texts: str | Sequence[str],
        targets: str | Sequence[str],
        *,
        length_penalty: float | None = None,
        batch_tokens: int | None = None,
    ) -> TranslationHypothesis | list[TranslationHypothesis]:
        """How probable the model finds given translations, token by token; long texts are read whole.

        Raises `ConfigError` when there are not as many targets as texts, or the model has no positions for so long a one.
        """
        sources, wanted = text_list(texts), text_list(targets)
        if len(sources) != len(wanted) or isinstance(texts, str) != isinstance(targets, str):
            raise ConfigError(
                f"{times(len(sources), 'text')} and {times(len(wanted), 'target')} cannot be paired; give one target a text"
            )
        chosen = self._options({"length_penalty": length_penalty, "batch_tokens": batch_tokens})
        src = [self._encode(text) for text in sources]
        tgt = [self.tokenizer.encode_ordinary(text) for text in wanted]
        results: list[TranslationHypothesis] = [_BLANK] * len(src)
        lengths = [max(len(one), len(other) + 1) for one, other in zip(src, tgt, strict=True)]
        for batch in length_batches(lengths, max(1, (chosen.batch_tokens or 1) // 4)):
            read = [[self.special.bos, *tgt[row]] for row in batch]
            logits = self.model(self._padded([src[row] for row in batch]), self._padded(read))
            for row, steps in zip(batch, logits.float().log_softmax(dim=-1), strict=True):
                ids = [*tgt[row], self.special.eos]
                values = steps[torch.arange(len(ids)), ids].tolist()
                total = sum(values)
                score = total / length_normalizer(len(ids), chosen.length_penalty or 0.0)
                found = Hypothesis(tgt[row], total, score, tuple(values), "given")
                results[row] = self._hypothesis(Piece(row, sources[row], src[row]), found, chosen)
        return results[0] if isinstance(texts, str) else results

    def attention(self, src: str, tgt: str | None = None) -> AttentionWeights:
        """The weights while writing `tgt`, or the model's own (greedy) translation when it is None."""
        src_ids = self._encode(src)
        if tgt is None:
            (found,) = self._written([Piece(0, src, src_ids)], TranslationOptions(beam=1), scores=False)
            ids = found[0].ids
        else:
            ids = self.tokenizer.encode_ordinary(tgt)
        return self._attention(src_ids, ids)

    @property
    def device(self) -> torch.device:
        """Where the model is; move it with `model.to`."""
        return self.model.head.weight.device

    @torch.inference_mode()
    def _attention(self, src_ids: Sequence[int], ids: Sequence[int]) -> AttentionWeights:
        tgt_ids = [self.special.bos, *ids]
        weights = self.model.attention(
            torch.tensor([src_ids], device=self.device), torch.tensor([tgt_ids], device=self.device)
        )
        return weights_of_row(weights, self.tokenizer, src_ids=src_ids, tgt_ids=tgt_ids, end_id=self.special.eos)

    def _options(self, options: dict[str, Any]) -> TranslationOptions:
        """The options with the run's settings where none is given. Raises `ConfigError`."""
        decoding = self.info.settings.decoding
        run = {name: getattr(decoding, name) for name in ("beam", "length_penalty", "batch_tokens")}
        given = {name: value for name, value in options.items() if value is not None}
        unknown = [name for name in given if name not in TranslationOptions.__dataclass_fields__]
        if unknown:
            raise ConfigError(f"{unknown[0]}={given[unknown[0]]!r} is unknown; the options are {', '.join(_names())}")
        if "beam" not in given:
            run["beam"] = max(run["beam"], given.get("n_best", 1))
        chosen = TranslationOptions(**{**run, **given})
        if chosen.n_best > (chosen.beam or 1):
            raise ConfigError(
                f"n_best={chosen.n_best} is more than beam={chosen.beam} finds; ask for fewer, or a wider beam"
            )
        if chosen.unknowns == "copy" and "cross" not in self.info.family.attention:
            raise ConfigError(
                f"unknowns='copy' follows attention to the source, and family={self.info.settings.family!r} has none; "
                "choose 'keep' or 'avoid'"
            )
        return chosen

    def _prefixes(self, prefix: str | Sequence[str], count: int) -> list[list[int]]:
        each = [prefix] * count if isinstance(prefix, str) else list(prefix)
        if len(each) != count:
            raise ConfigError(f"{len(each)} prefixes for {times(count, 'text')}; give one for all, or one a text")
        return [list(self.tokenizer.encode_ordinary(text)) for text in each]

    def _pieces(
        self, texts: Sequence[str], prefixes: Sequence[list[int]], options: TranslationOptions
    ) -> tuple[list[Translation], list[Piece]]:
        """What is known of every text before it is translated, and the pieces to translate."""
        longest = self.info.settings.model.max_len
        results, pieces = [], []
        for row, (text, encoded) in enumerate(
            zip(texts, self.tokenizer.encode_batch(texts, disallowed_special=()), strict=True)
        ):
            ids = [*encoded.tolist(), self.special.eos]
            long: Any = options.long if len(ids) > longest else None
            results.append(Translation(text, len(ids), self.unknowns.count(ids), long, ()))
            if not text.strip():
                results[-1] = Translation(text, len(ids), 0, None, (_BLANK,))
            elif long == "truncate":
                pieces.append(Piece(row, text, [*ids[: longest - 1], self.special.eos], prefix=prefixes[row]))
            elif long == "split":
                cut = split_text(text, lambda piece: len(self.tokenizer.encode_ordinary(piece)), longest - 1)
                for number, (piece, space) in enumerate(cut):
                    prefix = prefixes[row] if number == 0 else []
                    pieces.append(Piece(row, piece, self._encode(piece), space, prefix))
            elif long is None:
                pieces.append(Piece(row, text, ids, prefix=prefixes[row]))
        return results, pieces

    def source_facts(self, text: str) -> tuple[int, int]:
        """How many ids a text has, the end included, and how many of them are <unk>."""
        ids = self._encode(text)
        return len(ids), self.unknowns.count(ids)

    def _encode(self, text: str) -> list[int]:
        return [*self.tokenizer.encode_ordinary(text), self.special.eos]

    def _padded(self, rows: Sequence[Sequence[int]]) -> Tensor:
        """(B, T) on the model's device"""
        return pad([list(row) for row in rows], self.special.pad).to(self.device)

    def _written(self, pieces: Sequence[Piece], options: TranslationOptions, scores: bool) -> list[list[Hypothesis]]:
        """The hypotheses of every piece, best first."""
        limits = self._limits([len(piece.ids) for piece in pieces], [len(piece.prefix) for piece in pieces])
        constraints = Constraints(
            prefixes=[piece.prefix for piece in pieces] if any(piece.prefix for piece in pieces) else (),
            no_repeat_ngram=options.no_repeat_ngram,
            repetition_penalty=options.repetition_penalty,
            suppressed=(*self.missing, *(self.unknowns.ids if options.unknowns == "avoid" else ())),
        )
        start = torch.full((len(pieces),), self.special.bos, device=self.device)
        session = TranslationSession(self.model, self._padded([piece.ids for piece in pieces]))
        beam = options.beam or 1
        if beam == 1 and not scores:
            plain = greedy_search(session, start, eos_id=self.special.eos, limits=limits, constraints=constraints)
            return [[Hypothesis(one.ids, 0.0, 0.0, (), one.finish)] for one in plain]
        return beam_search(
            session,
            start,
            eos_id=self.special.eos,
            limits=limits,
            beam=beam,
            n_best=options.n_best,
            length_penalty=options.length_penalty or 0.0,
            constraints=constraints,
        )

    def _limits(self, lengths: Sequence[int], prefixes: Sequence[int]) -> Tensor:
        """(B,): how many ids each translation has at most, its prefix at least."""
        settings = self.info.settings
        limits = (
            torch.tensor(lengths, device=self.device) * settings.decoding.max_len_ratio
            + settings.decoding.max_len_extra
        )
        limits = limits.clamp(max=LONGEST_TARGET * settings.model.max_len).long()
        limits = limits.maximum(torch.tensor(prefixes, device=self.device))
        if isinstance(settings.model, TransformerOptions) and settings.model.positions == "learned":
            last = settings.model.max_len - 1
            if max(prefixes) > last:
                raise EncodingError(
                    f"a prefix of {times(max(prefixes), 'id')} leaves no room in max_len={last + 1}; shorten it"
                )
            limits = limits.clamp(max=last)
        return limits

    def _hypothesis(self, piece: Piece, found: Hypothesis, options: TranslationOptions) -> TranslationHypothesis:
        """What was found for a piece, as text and tokens."""
        steps = found.token_log_probabilities
        ids = found.ids if found.finish == "limit" and not steps else [*found.ids, self.special.eos]
        tokens = token_bytes(self.tokenizer, ids)
        unknown = self.unknowns.count(found.ids)
        if unknown and options.unknowns == "copy":
            weights = self._attention(piece.ids, found.ids).cross
            assert weights is not None
            text = self.unknowns.copied(found.ids, piece.text, weights[-1].mean(axis=0))
        else:
            text = self.unknowns.decode(found.ids)
        scored = tuple(map(ScoredToken, tokens, steps or [None] * len(tokens)))
        if not steps:
            return TranslationHypothesis(text, None, None, scored, found.finish, unknown)
        return TranslationHypothesis(text, found.score, found.log_probability, scored, found.finish, unknown)


def _together(result: Translation, pieces: Sequence[Piece]) -> Translation:
    """The translation of a text from those of its pieces: all hypotheses of one, the best of each of several."""
    found = result.hypotheses
    if len(pieces) == 1:
        found = pieces[0].found
    elif pieces:
        best = [piece.found[0] if piece.found else _BLANK for piece in pieces]
        known = [one.log_probability for one in best if one.log_probability is not None]
        scores = [one.score for one in best if one.score is not None]
        text = "".join(one.text + (" " if piece.space else "") for one, piece in zip(best, pieces, strict=True))
        joined = TranslationHypothesis(
            text.rstrip(),
            sum(scores) / len(scores) if scores else None,
            sum(known) if known else None,
            tuple(token for one in best for token in one.tokens),
            "limit" if any(one.finish == "limit" for one in best) else "ended",
            sum(one.unknown for one in best),
        )
        found = (joined,)
    return Translation(result.source, result.source_ids, result.unknown, result.long, found)


def _names() -> list[str]:
    return list(TranslationOptions.__dataclass_fields__)
