"""A text that a trained model has read, with all its attention, folded to words, characters or tokens."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bpe_transformer.errors import ConfigError
from bpe_transformer.inspection.attention.attention_map import AttentionMap
from bpe_transformer.inspection.attention.focus import WordFocus, focus_on
from bpe_transformer.inspection.attention.reading import Reading, read_attention
from bpe_transformer.inspection.attention.units import Unit, Units, fold

if TYPE_CHECKING:
    from bpe_transformer.inference import MaskFiller, TextGenerator, Translator
    from bpe_transformer.inference.attention_weights import AttentionKind, AttentionWeights
    from bpe_transformer.inference.value_norms import ValueNorms
    from bpe_transformer.tokenizer import Tokenizer


@dataclass(frozen=True)
class AttendedText:
    """All attention of one pass over a text, and the unit in which it is shown."""

    tokenizer: Tokenizer
    weights: AttentionWeights
    norms: ValueNorms
    unit: Unit

    def maps(self, reading: Reading) -> list[AttentionMap]:
        """The maps of a reading, between units."""
        kind = self.weights.kind_named(reading.kind)
        src, tgt = self._units(kind)
        found = read_attention(self.weights, reading, self.norms)
        return found if self.unit == "tokens" else [view.folded(src, tgt, self.unit) for view in found]

    def focus(self, word: str, kind: AttentionKind | None = None, limit: int = 5) -> WordFocus:
        """The heads of a kind that look hardest from a word at another."""
        kind = self.weights.kind_named(kind)
        src, tgt = self._units(kind)
        special = {name.encode() for name in self.tokenizer.special_tokens}
        return focus_on(
            word,
            getattr(self.weights, kind),
            src,
            tgt,
            src_special=[name in special for name in src.names],
            same_text=kind != "cross",
            title=self.weights.title(kind),
            unit=self.unit,
            limit=limit,
        )

    @property
    def is_empty(self) -> bool:
        """Whether a translation was followed that has no token but the one that ends it."""
        return len(self.weights.tgt_ids) == 1

    @property
    def lead(self) -> str:
        """What was read, and what was written, in a line."""
        decode = self.tokenizer.decode
        ends = {self.weights.end_id}
        src = decode([id for id in self.weights.src_ids if id not in ends])
        if self.weights.src_ids == self.weights.tgt_ids:
            return src
        return f"{src} → {decode(self.weights.tgt_ids[1:])}"

    def is_cross(self, kind: AttentionKind | None) -> bool:
        """Whether this kind of attention stands between two texts."""
        return self.weights.kind_named(kind) == "cross"

    def _units(self, kind: AttentionKind) -> tuple[Units, Units]:
        """The units of what is attended to and of what attends."""
        base = self.weights.layer(1, kind)
        columns, rows = self.weights.column_ids(kind), self.weights.row_ids(kind)
        return (
            fold(self.tokenizer, columns, base.src_tokens, self.unit),
            fold(self.tokenizer, rows, base.tgt_tokens, self.unit),
        )


@dataclass(frozen=True)
class AttentionReader:
    """A trained model that is asked for its attention over texts."""

    run: str
    model: Translator | TextGenerator | MaskFiller

    @classmethod
    def load(cls, run: str | os.PathLike[str]) -> AttentionReader:
        """The model in the folder `run`. Raises `CheckpointError` where it is missing, damaged or cannot be looked into."""
        from bpe_transformer.inference import load_mask_filler, load_text_generator, load_translator
        from bpe_transformer.training import load_checkpoint_info

        task = load_checkpoint_info(run).task
        if task == "translation":
            return cls(os.fspath(run), load_translator(run))
        reader = load_mask_filler(run) if task == "masked-language-model" else load_text_generator(run)
        return cls(os.fspath(run), reader)

    def attended(self, text: str, target: str | None = None, unit: Unit = "words") -> AttendedText:
        """Its attention over `text`; of a translator while it writes `target`, or its own translation.

        Raises:
            ConfigError: the text is empty, or there is a target for a model without one.
        """
        from bpe_transformer.inference import Translator
        from bpe_transformer.inference.value_norms import captured_value_norms

        if not text:
            raise ConfigError("the text is empty, so there is nothing to attend to; give a text with at least one word")
        model = self.model
        with captured_value_norms(model.model) as norms:
            if isinstance(model, Translator):
                return AttendedText(model.tokenizer, model.attention(text, target), norms, unit)
            if target is not None:
                raise ConfigError(
                    f"{self.run} holds a {model.info.kind}, which has no target; leave target={target!r} out"
                )
            return AttendedText(model.tokenizer, model.attention(text), norms, unit)


def attended_text(
    run: str | os.PathLike[str], text: str, target: str | None = None, unit: Unit = "words"
) -> AttendedText:
    """The attention of the model in the folder `run` over `text`, as `AttentionReader` gives it."""
    return AttentionReader.load(run).attended(text, target, unit)
