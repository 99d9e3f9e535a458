"""Normalizers that also align the normalised text with its source, and sequences of them.

Steps of a sequence are tuples of strings, so that they can be saved. The steps are those of the `tokenizers` package: a form of
Unicode by its name, such as ("NFC",); ("lowercase",), each character on its own; ("replace", expression, content), content
taken literally; ("prepend", content), unless the text is empty; ("nmt",); ("bert", names of its settings); and
("precompiled", map), the map of SentencePiece in base64 (see `precompiled_charsmap.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from bpe_transformer.errors import PatternError
from bpe_transformer.lazy import np
from bpe_transformer.tokenizer.splitting import patterns
from bpe_transformer.tokenizer.splitting.alignment import Aligned, Normalization, align, normalize, normalize_aligned
from bpe_transformer.tokenizer.splitting.precompiled_charsmap import PrecompiledNormalizer
from bpe_transformer.tokenizer.splitting.time_limit import find_matches

Step = tuple[str, ...]
_MAX_GROWTH = 1000
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


class Normalizer(Protocol):
    """An object that normalises text and can align the result with its source."""

    def normalize(self, text: str) -> str:
        """The normalised text."""
        ...

    def aligned(self, text: str) -> Aligned:
        """The normalised text, aligned with its source."""
        ...


def check(steps: Sequence[Step]) -> None:
    """Raises `PatternError` for a step that does not exist, or an expression that does not compile."""
    for step in steps:
        if not step or _ARGUMENTS.get(step[0]) != len(step) - 1:
            raise PatternError(f"{step!r} is not a step of normalisation; choose from {', '.join(_ARGUMENTS)}")
        if step[0] == "replace":
            patterns.compiled_expression(step[1])
        if step[0] == "bert" and (unknown := set(step[1].split()) - _BERT.keys()):
            raise PatternError(f"{min(unknown)!r} is not a setting of bert; choose from {', '.join(_BERT)}")


class NormalizerSequence:
    """A normalizer that applies several steps in order.

    >>> NormalizerSequence([("NFC",), ("replace", r"\\s+", " "), ("lowercase",)]).normalize("A  B")
    'a b'
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = [_normalizer(basic) for step in steps for basic in _basic_steps(step)]

    def normalize(self, text: str) -> str:
        """The normalised text. Raises `PatternError` if a step makes it a thousand times as long."""
        most = _MAX_GROWTH * (len(text) + 1)
        for step in self._steps:
            text = step.normalize(text)
            if len(text) > most:
                raise PatternError(f"normalisation made more than {most} characters of a text; leave steps of it out")
        return text

    def aligned(self, text: str) -> Aligned:
        starts = np.arange(len(text.encode("utf-8", "surrogateescape")), dtype=np.int64)
        ends = starts + 1
        for step in self._steps:
            before = np.append(starts, ends[-1:])  # and the end of the text, for what a step appends
            text, first, last = step.aligned(text)
            if not len(before):
                before = np.zeros(1, np.int64)
            starts, ends = before[first], np.where(last > first, np.append(ends, 0)[last - 1], before[first])
        return text, starts, ends


class FormNormalizer:
    """A normalizer to one of Unicode's normalization forms."""

    def __init__(self, form: Normalization) -> None:
        self._form = form

    def normalize(self, text: str) -> str:
        return normalize(self._form, text)

    def aligned(self, text: str) -> Aligned:
        return normalize_aligned(self._form, text)


class _Lowercase:
    def normalize(self, text: str) -> str:
        return text.replace("Σ", "σ").lower()  # without Python's rule for the end of a word

    def aligned(self, text: str) -> Aligned:
        return align([(character, self.normalize(character)) for character in text])


class _Replace:
    def __init__(self, expression: str, content: str) -> None:
        self._pattern = patterns.compiled_expression(expression)
        self._content = content

    def normalize(self, text: str) -> str:
        replaced: list[str] = []
        end = 0
        for start, stop in self._matches(text):
            replaced += text[end:start], self._content
            end = stop
        return "".join([*replaced, text[end:]])

    def aligned(self, text: str) -> Aligned:
        return align(self._replacements(text))

    def _matches(self, text: str) -> Iterator[tuple[int, int]]:
        end = 0
        for match in find_matches(self._pattern, text) if text else ():
            start, stop = match.span()
            if start != stop or start != end or not end:  # an empty match right after a match does not count
                yield start, stop
                end = stop

    def _replacements(self, text: str) -> Iterator[tuple[str, str]]:
        end = 0
        for start, stop in self._matches(text):
            yield text[end:start], text[end:start]
            yield text[start:stop], self._content
            end = stop
        yield text[end:], text[end:]


def _basic_steps(step: Step) -> list[Step]:
    """The basic steps that a step stands for."""
    if step[0] == "nmt":
        return _NMT
    if step[0] == "bert":
        return [basic for name in step[1].split() for basic in _BERT[name]]
    return [("replace", r"\A(?=[\s\S])", step[1])] if step[0] == "prepend" else [step]


def _normalizer(step: Step) -> Normalizer:
    if step[0] == "lowercase":
        return _Lowercase()
    if step[0] == "replace":
        return _Replace(*step[1:])
    if step[0] == "precompiled":
        return PrecompiledNormalizer(step[1])
    return FormNormalizer(step[0])  # type: ignore[arg-type]
