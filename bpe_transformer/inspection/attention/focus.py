"""What one word attends to: the heads that look hardest at another word, with their weights over the text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bpe_transformer.errors import ConfigError
from bpe_transformer.inspection.attention.units import UNIT_NOUNS, Unit, Units
from bpe_transformer.inspection.base.view import View
from bpe_transformer.inspection.base.visible import token_dict, visible

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class HeadFocus(View):
    """The weights of one head for the word: layer and head from 1, `weights` over the source units; `peak` is the
    place of the largest among other words that are text."""

    layer: int
    head: int
    weights: tuple[float, ...]
    peak: int

    def as_dict(self) -> dict[str, Any]:
        return {"layer": self.layer, "head": self.head, "weights": list(self.weights), "peak": self.peak}


@dataclass(frozen=True, slots=True)
class WordFocus(View):
    """A word, the units that it may attend to, and the strongest heads, strongest first.

    place: of the word among the units that attend. title: the kind of attention. unit: what a "word" is here.
    """

    title: str
    unit: Unit
    word: bytes
    place: int
    src_tokens: tuple[bytes, ...]
    heads: tuple[HeadFocus, ...]

    def as_dict(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "unit": self.unit,
            "word": token_dict(self.word),
            "place": self.place,
            "src_tokens": [token_dict(token) for token in self.src_tokens],
            "heads": [head.as_dict() for head in self.heads],
        }


def focus_on(
    word: str,
    weights: NDArray[np.float32],
    src: Units,
    tgt: Units,
    *,
    src_special: Sequence[bool],
    same_text: bool,
    title: str,
    unit: Unit = "words",
    limit: int = 5,
) -> WordFocus:
    """The `limit` heads with the largest weight from `word` on another word that is text.

    Args:
        word: a unit of the target, the last that is written so; or its place, from 1.
        weights: (layers, heads, T, S) over tokens.
        src_special: for each source unit, whether it is a special token.
        same_text: source and target are one text, in which a word's look at itself does not count.

    Raises:
        ConfigError: there is no such word, or no other word to look at.
    """
    place = _place(word, tgt.names, UNIT_NOUNS[unit])
    folded = tgt.mean_rows(src.sum_columns(weights))[:, :, place]  # (layers, heads, units)
    others = [
        number
        for number, special in enumerate(src_special)
        if not special and not (same_text and number == place) and folded[..., number].max() > 0
    ]
    if not others:
        raise ConfigError(
            f"{visible(tgt.names[place])} attends to no other {UNIT_NOUNS[unit]}; choose a later one, or give a longer text"
        )
    found = []
    for layer, of_layer in enumerate(folded, 1):
        for head, row in enumerate(of_layer, 1):
            peak = max(others, key=lambda number: float(row[number]))
            found.append(HeadFocus(layer, head, tuple(map(float, row)), peak))
    found.sort(key=lambda one: -one.weights[one.peak])
    return WordFocus(title, unit, tgt.names[place], place, src.names, tuple(found[:limit]))


def _place(word: str, names: Sequence[bytes], noun: str) -> int:
    wanted = word.strip().encode("utf-8", "surrogateescape")
    places = [place for place, name in enumerate(names) if (name.strip() or name) == wanted or visible(name) == word]
    if places:
        return places[-1]
    if word.isdecimal() and 1 <= int(word) <= len(names):
        return int(word) - 1
    written = " ".join(visible(name) for name in names)
    raise ConfigError(f"{word!r} is no {noun} of this text; choose one of: {written}; or its place, 1 to {len(names)}")
