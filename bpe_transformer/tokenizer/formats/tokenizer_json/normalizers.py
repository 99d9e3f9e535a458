"""The normalizers of a `tokenizer.json`, read to and written from the steps of `splitting/normalizers.py`.

The steps in `_NAMES` keep their kind; all others are read as equivalent replacements.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from bpe_transformer.errors import FormatError
from bpe_transformer.io import Node
from bpe_transformer.tokenizer.formats.checks import check_expression, escaped
from bpe_transformer.tokenizer.formats.tokenizer_json import oniguruma
from bpe_transformer.tokenizer.splitting.normalizers import NormalizerSequence
from bpe_transformer.tokenizer.splitting.pretokenizer import Pretokenizer
from bpe_transformer.tokenizer.vocabulary.model import BpeModel

Step = tuple[str, ...]
_NAMES = {  # step: its type in a file, and the name of its argument there
    "lowercase": ("Lowercase",),
    "nmt": ("Nmt",),
    "prepend": ("Prepend", "prepend"),
    "precompiled": ("Precompiled", "precompiled_charsmap"),
}
_LONGEST_CONTENT = 1000
SPACE_MARK = "▁"
MARK_SPACES: Step = ("replace", " ", SPACE_MARK)
_SQUEEZE: tuple[Step, ...] = (("replace", rf"\A +|[ {SPACE_MARK}]+\z", ""), ("replace", " {2,}", " "))
_FORMS = ("NFC", "NFD", "NFKC", "NFKD")
_BERT = ("clean_text", "handle_chinese_chars", "strip_accents", "lowercase")


def read(node: Node) -> list[Step]:
    """The steps of one normalizer that is not a Sequence. Raises `FormatError` with its name."""
    kind = node.get("type", str)
    if kind in _READERS:
        return _READERS[kind](node)
    raise FormatError(
        f"{node.place} is {kind}, which is not supported; export the vocabulary without it (known are {', '.join(_READERS)})"
    )


def _replace(node: Node) -> list[Step]:
    pattern = node.child("pattern")
    text, expression = pattern.get("String", str, ""), pattern.get("Regex", str, "")
    if not text and not expression:
        raise FormatError(f"{pattern.place} has neither a String nor a Regex")
    found = text if text == " " else escaped(text) if text else oniguruma.to_regex(expression, pattern.place)
    check_expression(found, f"{pattern.place}.Regex")
    return [("replace", found, _content(node, "content"))]


def _prepend(node: Node) -> list[Step]:
    return [("prepend", _content(node, "prepend"))]


def _content(node: Node, key: str) -> str:
    text = node.get(key, str)
    if len(text) > _LONGEST_CONTENT:
        raise FormatError(
            f"{node.place}.{key} has {len(text)} characters, more than {_LONGEST_CONTENT}; check the file"
        )
    return text


def _strip(node: Node) -> list[Step]:
    sides = [side for side, key in ((r"\A\s+", "strip_left"), (r"\s+\z", "strip_right")) if node.get(key, bool, True)]
    return [("replace", "|".join(sides), "")] if sides else []


def _precompiled(node: Node) -> list[Step]:
    charsmap = node.get("precompiled_charsmap", str, "")
    return [("precompiled", charsmap)] if charsmap else []


def _bert(node: Node) -> list[Step]:
    lowercase = node.get("lowercase", bool, True)
    active = [name for name in _BERT if node.get(name, bool, lowercase if name == "strip_accents" else True)]
    return [("bert", " ".join(active))] if active else []


_READERS: dict[str, Callable[[Node], list[Step]]] = {
    **{form: lambda node: [(node.get("type", str),)] for form in _FORMS},
    "Lowercase": lambda node: [("lowercase",)],
    "StripAccents": lambda node: [("replace", r"\p{M}", "")],
    "Strip": _strip,
    "Replace": _replace,
    "Prepend": _prepend,
    "Precompiled": _precompiled,
    "Nmt": lambda node: [("nmt",)],
    "BertNormalizer": _bert,
}


def write(model: BpeModel, marks: bool) -> list[dict[str, Any]]:
    """The normalizers of a model, in order. With `marks`, they also replace spaces by the model's space mark, if it has one."""
    steps = [_written(step) for step in steps_of(model.pretokenizer)]
    if model.prefix_space == "always":
        steps.append({"type": "Prepend", "prepend": model.space_mark or " "})
    if model.space_mark is not None and marks:
        steps.append({"type": "Replace", "pattern": {"String": " "}, "content": model.space_mark})
    return steps


def steps_of(split: Pretokenizer) -> tuple[Step, ...]:
    """The normalisation of a pre-tokenizer as steps."""
    if split.charsmap is not None or split.squeeze_spaces:
        charsmap: tuple[Step, ...] = (("precompiled", split.charsmap),) if split.charsmap is not None else ()
        return (*charsmap, *(_SQUEEZE if split.squeeze_spaces else ()))
    return split.rewriting if split.normalization is None else ((split.normalization,),)


def joins_line_ends(split: Pretokenizer) -> bool:
    """Whether Precompiled makes something else of "\\r\\n", one grapheme, than SentencePiece of its two characters."""
    if split.charsmap is None or split.squeeze_spaces:
        return False
    return NormalizerSequence(steps_of(split)).normalize("\r\n") != split.normalize("\r\n")


def _written(step: Step) -> dict[str, Any]:
    if step[0] == "replace":
        return {"type": "Replace", "pattern": {"Regex": oniguruma.from_regex(step[1])}, "content": step[2]}
    if step[0] == "bert":
        return {"type": "BertNormalizer", **{name: name in step[1].split() for name in _BERT}}
    kind, *keys = _NAMES.get(step[0], (step[0],))
    return {"type": kind, **dict(zip(keys, step[1:], strict=True))}


def any_mark_inside(names: Sequence[str]) -> bool:
    """Whether one of the names holds a space mark after another character.

    >>> any_mark_inside(["▁", "▁▁a"]), any_mark_inside(["a", "b▁"])
    (False, True)
    """
    together = "\n".join(["", *names])
    if together.count("\n") > len(names):  # one of them has a line end itself
        return any(SPACE_MARK in name.lstrip(SPACE_MARK) for name in names)
    return SPACE_MARK in re.sub(f"\n{SPACE_MARK}+", "\n", together)
