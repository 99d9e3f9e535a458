"""Normalizers that also align the normalised text with its source, and sequences of them.

Steps of a sequence are tuples of strings, so that they can be saved. The steps are those of the `tokenizers` package: a form of
Unicode by its name, such as ("NFC",); ("lowercase",), each character on its own; ("replace", expression, content), content
taken literally; ("prepend", content), unless the text is empty; ("nmt",); ("bert", names of its settings); and
("precompiled", map), the map of SentencePiece in base64 (see `precompiled_charsmap.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from bpe_transformer import _core
from bpe_transformer.errors import FormatError, PatternError
from bpe_transformer.tokenizer.splitting import patterns
from bpe_transformer.tokenizer.splitting.alignment import Aligned
from bpe_transformer.tokenizer.splitting.compiled_patterns import matcher_of
from bpe_transformer.tokenizer.splitting.precompiled_charsmap import bytes_of

Step = tuple[str, ...]
_FORMS = ("NFC", "NFD", "NFKC", "NFKD")
_ARGUMENTS = dict.fromkeys((*_FORMS, "lowercase", "nmt"), 0) | {"prepend": 1, "bert": 1, "precompiled": 1, "replace": 2}
_NMT: list[Step] = [
    ("replace", r"[\x01-\x08\x0b\x0e-\x1f\x7f\x8f\x9f]", ""),
    ("replace", r"[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]", " "),
]
_IDEOGRAPH = (
    r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    r"\U00020000-\U0002a6df\U0002a700-\U0002b81f\U0002b920-\U0002ceaf\U0002f800-\U0002fa1f]"
)
_BERT: dict[str, list[Step]] = {
    "clean_text": [
        ("replace", r"(?![\t\n\r])[\p{Cc}\p{Cf}\p{Co}\x00\uFFFD]", ""),
        ("replace", r"[\t\n\r\p{Z}]", " "),
    ],
    "handle_chinese_chars": [("replace", f"(?={_IDEOGRAPH})", " "), ("replace", f"(?<={_IDEOGRAPH})", " ")],
    "strip_accents": [("NFD",), ("replace", r"\p{Mn}", "")],
    "lowercase": [("lowercase",)],
}


class Normalizer:
    """A normaliser of the native core: a sequence of steps that also tells where every byte comes from.

    Bytes that are not UTF-8, and lone surrogates, stay as they are.
    """

    def __init__(self, steps: tuple[tuple[Any, ...], ...]) -> None:
        self.core = _core.Normalizer(steps)

    def normalize(self, text: str) -> str:
        """The normalised text. Raises `PatternError` if a step makes it a thousand times as long."""
        try:
            return self.core.normalize(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")
        except _core.TextGrows as cause:
            raise grown(cause) from None

    def aligned(self, text: str) -> Aligned:
        """The normalised text, aligned with its source. Raises `PatternError` as `normalize` does."""
        try:
            normalized, starts, ends = self.core.normalize_aligned(text.encode("utf-8", "surrogateescape"))
        except _core.TextGrows as cause:
            raise grown(cause) from None
        return normalized.decode("utf-8", "surrogateescape"), starts, ends


def grown(cause: Exception) -> PatternError:
    """The error for a text of which normalisation makes too much, from the core's."""
    return PatternError(f"normalisation made more than {cause.args[0]} bytes of a text; leave steps of it out")


def check(steps: Sequence[Step]) -> None:
    """Raises `PatternError` for a step that does not exist, or an expression that does not compile."""
    for step in steps:
        if not step or _ARGUMENTS.get(step[0]) != len(step) - 1:
            raise PatternError(f"{step!r} is not a step of normalisation; choose from {', '.join(_ARGUMENTS)}")
        if step[0] == "replace":
            patterns.compiled_expression(step[1])
        if step[0] == "bert" and (unknown := set(step[1].split()) - _BERT.keys()):
            raise PatternError(f"{min(unknown)!r} is not a setting of bert; choose from {', '.join(_BERT)}")


class NormalizerSequence(Normalizer):
    """A normaliser that applies several steps in order.

    >>> NormalizerSequence([("NFC",), ("replace", r"\\s+", " "), ("lowercase",)]).normalize("A  B")
    'a b'
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        super().__init__(tuple(_core_step(basic) for step in steps for basic in basic_steps(step)))


class CharsmapNormalizer(Normalizer):
    """Normalises as a SentencePiece model with this `charsmap` and, if `squeeze`, "remove_extra_whitespaces" does.

    The strings of `unchanged` are not normalised.

    >>> CharsmapNormalizer(None, True).normalize("  a   b ")
    'a b'
    """

    def __init__(self, charsmap: str | None, squeeze: bool, unchanged: Sequence[str] = ()) -> None:
        self._map = _core_map(charsmap, squeeze, tuple(unchanged))
        super().__init__((("charsmap", self._map),))

    @property
    def entries(self) -> dict[str, str]:
        """The strings that are replaced, or kept, with what stands for them."""
        return {key.decode(): text.decode() for key, text in self._map.entries}


def basic_steps(step: Step) -> list[Step]:
    """The basic steps that a step stands for."""
    if step[0] == "nmt":
        return _NMT
    if step[0] == "bert":
        return [basic for name in step[1].split() for basic in _BERT[name]]
    return [step]


def _core_step(step: Step) -> tuple[Any, ...]:
    """A basic step for the core: one of its own, or one that finds matches with `regex` where it cannot compile them."""
    kind, *arguments = step
    if kind == "lowercase":
        return ("lowercase",)
    if kind == "prepend":
        return ("prepend", arguments[0].encode("utf-8", "surrogatepass"))
    if kind == "replace":
        expression, content = arguments
        return ("replace", matcher_of(expression), content.encode("utf-8", "surrogatepass"))
    if kind == "precompiled":
        return ("graphemes", _core_map(arguments[0]))
    return ("form", _core.FORMS.index(kind))


def by_python(steps: Sequence[Step]) -> list[str]:
    """The expressions whose matches the core cannot find by itself."""
    basics = [basic for step in steps for basic in basic_steps(step) if basic[0] == "replace"]
    return [expression for _, expression, _ in basics if callable(matcher_of(expression))]


@lru_cache(maxsize=2)  # the largest take tens of MB
def _core_map(charsmap: str | None, squeeze: bool = False, unchanged: tuple[str, ...] = ()) -> _core.Charsmap:
    data = None if charsmap is None else bytes_of(charsmap)
    try:
        return _core.Charsmap(data, [text.encode() for text in unchanged], squeeze)
    except _core.DamagedCharsmap as cause:
        raise FormatError(f"precompiled_charsmap {cause}") from None
