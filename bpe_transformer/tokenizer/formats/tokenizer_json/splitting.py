"""The normalizer, pre-tokenizer and decoder of a `tokenizer.json`, read to a `Pretokenizer` and written from one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, get_args

from bpe_transformer.errors import FormatError
from bpe_transformer.io import Node
from bpe_transformer.tokenizer.formats.checks import escaped
from bpe_transformer.tokenizer.formats.tokenizer_json import normalizers, oniguruma
from bpe_transformer.tokenizer.formats.tokenizer_json.normalizers import MARK_SPACES, SPACE_MARK, Step, any_mark_inside
from bpe_transformer.tokenizer.splitting import patterns
from bpe_transformer.tokenizer.splitting.alignment import Normalization
from bpe_transformer.tokenizer.splitting.pretokenizer import Pretokenizer, any_of
from bpe_transformer.tokenizer.vocabulary.model import BpeModel, PrefixSpace, Unit

_REMEDY = "export the vocabulary without it"
# each mark begins a separate pre-token; the pattern "metaspace" keeps marks that follow each other together
_MARK_BY_MARK = f"[ {SPACE_MARK}][^ {SPACE_MARK}]*|[^ {SPACE_MARK}]+"
_MOST_STEPS = 200
_EVERYTHING = r"[\s\S]+"  # the pattern "none", in a form that Oniguruma reads as well
_PUNCTUATION = r"[\p{P}$+<=>^`|~]"  # Unicode's punctuation and ASCII's


@dataclass
class Splitting:
    """The settings found so far in the normalizer and pre-tokenizer of a file."""

    end_of_word: str | None
    unit: Unit = "char"
    steps: list[Step] = field(default_factory=list)  # of normalisation
    prepended: bool = False  # the last step prepends a space or its mark
    marks_spaces: bool = False  # spaces become space marks
    split_at_spaces: bool = False  # a split before that may tell spaces from other characters
    marks_early: bool = False  # the normalizer does it, before added tokens are searched for
    prefix: PrefixSpace = "never"
    splits: list[str] = field(default_factory=list)  # expressions, each splits the spans of the one before
    byte_splits: list[str] = field(default_factory=list)
    words_alone: bool = False  # white space between words is dropped before added tokens could be found in it
    spaceless: bool = False  # pre-tokens neither begin nor end with white space

    def pretokenizer(self, merged: list[str], names: Iterable[str], ignore_merges: bool) -> Pretokenizer:
        """The pre-tokenizer of the file. `merged` are the names of merged tokens, `names` those of all tokens.

        Where no token goes across a space mark, a faster pattern gives the same ids.
        """
        splits = list(self.splits)
        if self.marks_spaces:
            joined = list(names) if ignore_merges else merged
            inside = any_mark_inside(joined)
            runs = any(SPACE_MARK * 2 in name for name in joined)
            if not splits:
                splits.append("none" if inside or ignore_merges else "metaspace")
            elif splits[-1] == _MARK_BY_MARK and not runs and not inside:
                splits[-1] = "metaspace"
        protected, splits = _unprotected(splits)
        steps = tuple(self.steps)
        form: Normalization | None = None
        if len(steps) == 1 and steps[0][0] in get_args(Normalization):
            form, steps = steps[0][0], ()  # type: ignore[assignment]
        return Pretokenizer(
            splits[-1] if splits else "none",
            form,
            protected,
            before=tuple(splits[:-1]),
            rewriting=steps,
            byte_splits=tuple(self.byte_splits),
        )


def read(document: Node, end_of_word: str | None) -> Splitting:
    """The splitting of a file. Raises `FormatError`, with its name, for a setting that is not supported."""
    found = Splitting(end_of_word)
    steps = list(_steps(document, "pre_tokenizer", "pretokenizers"))
    kinds = [step.get("type", str) for step in steps]
    for step in _steps(document, "normalizer", "normalizers"):
        _read_normalizer(step, found, marked="ByteLevel" not in kinds)
    if found.prepended and not found.marks_spaces and found.steps[-1][1] == SPACE_MARK:
        found.prepended = False  # the mark is an ordinary character here
    if found.prepended:
        found.steps.pop()
        found.prefix = "always"
    for i, step in enumerate(steps):
        _read_pre_tokenizer(step, found, is_last=i == len(steps) - 1)
    dropped = any(map(patterns.drops, found.splits)) if found.unit == "byte" else found.spaceless
    if end_of_word is not None and (found.marks_spaces or not dropped):
        raise FormatError(
            f"model.end_of_word_suffix is {end_of_word!r} where pre-tokens hold white space, which is not supported; "
            "let the pre-tokenizer begin with WhitespaceSplit"
        )
    return found


def _steps(parent: Node, key: str, children: str) -> Iterator[Node]:
    node = parent.optional(key)
    waiting = [node] if node is not None else []
    number = 0
    while waiting:
        node = waiting.pop()
        number += 1
        if number > _MOST_STEPS:
            raise FormatError(f"{node.place}: {key} has more than {_MOST_STEPS} steps; check the file")
        if node.get("type", str) == "Sequence":
            waiting += reversed(node.children(children))
        else:
            yield node


# --- reading -----------------------------------------------------------------------------------------------------------


def _read_normalizer(step: Node, found: Splitting, marked: bool) -> None:
    """Adds the steps of one normalizer. With `marked`, the step that replaces spaces by marks sets `marks_spaces`."""
    steps = normalizers.read(step)
    if steps == [MARK_SPACES] and marked:
        found.marks_spaces = found.marks_early = True
        return
    prepends = bool(steps) and steps[0] in (("prepend", SPACE_MARK), ("prepend", " "))
    blind = steps in _BLIND_STEPS or (prepends and steps[0][1] == SPACE_MARK)
    if found.marks_spaces and (found.prepended or not blind):  # a later step may treat spaces and marks differently
        found.steps.append(MARK_SPACES)
        found.marks_spaces = found.marks_early = False
    found.steps += steps
    found.prepended = prepends


_BLIND_STEPS: tuple[list[Step], ...] = ([("NFC",)], [("NFD",)], [("lowercase",)], [])


def _read_pre_tokenizer(step: Node, found: Splitting, is_last: bool) -> None:
    kind = step.get("type", str)
    if found.unit == "byte" and kind not in ("Split", "Digits", "Punctuation"):
        raise FormatError(f"{step.place} is {kind} after ByteLevel, which is not supported; {_REMEDY}")
    if kind == "ByteLevel":
        _read_byte_level(step, found)
    elif kind == "Metaspace":
        _read_metaspace(step, found)
    elif kind == "WhitespaceSplit" and found.end_of_word is not None and is_last and found.unit == "char":
        found.splits.append("whitespace")
        found.spaceless = True
    elif kind in _READERS:
        found.spaceless |= kind in ("Whitespace", "WhitespaceSplit", "BertPreTokenizer")
        for split in _READERS[kind](step, found, is_last):
            _add_split(step, found, split)
    else:
        raise FormatError(f"{step.place} is {step.value}, which is not supported; {_REMEDY}")


def _add_split(step: Node, found: Splitting, split: str) -> None:
    if found.unit == "byte":
        if patterns.drops(split):
            raise FormatError(f"{step.place} drops bytes after ByteLevel, which is not supported; {_REMEDY}")
        found.byte_splits.append(split)
        return
    if found.marks_spaces and _sees_spaces(patterns.expression(split)) and found.steps[-1:] != [MARK_SPACES]:
        if found.prefix != "never" or found.split_at_spaces:
            raise FormatError(
                f"{step.place} splits at spaces after they were marked, which is not supported; {_REMEDY}"
            )
        found.steps.append(MARK_SPACES)
    found.splits.append(split)


def _sees_spaces(expression: str) -> bool:
    """Whether an expression may treat a space and its mark differently. Gemma's files split at a space when none is left."""
    if expression in (_MARK_BY_MARK, patterns.expression("metaspace")):
        return False
    return any(construct in expression for construct in _CONSTRUCTS_WITH_SPACE)


_CONSTRUCTS_WITH_SPACE = (" ", SPACE_MARK, r"\s", r"\S", r"\W", r"\P", r"\p{S", r"\p{Z", "[^", ".", "(?")


def _read_byte_level(step: Node, found: Splitting) -> None:
    if found.marks_spaces:
        raise FormatError(f"{step.place} is ByteLevel after Metaspace, which is not supported; {_REMEDY}")
    if step.get("add_prefix_space", bool, True):
        if found.splits or found.prefix != "never":
            after = "a split" if found.splits else "a space was put there"
            raise FormatError(f"{step.place}.add_prefix_space is set after {after}, which is not supported; {_REMEDY}")
        found.prefix = "always_if_none"
    if step.get("use_regex", bool, True):
        found.splits.append("gpt2")
    found.unit = "byte"


def _read_metaspace(step: Node, found: Splitting) -> None:
    if step.get("replacement", str) != SPACE_MARK:
        raise FormatError(
            f"{step.place}.replacement is {step.value['replacement']!r}; only {SPACE_MARK!r} is supported"
        )
    legacy = step.get("add_prefix_space", bool, True)
    scheme = step.get("prepend_scheme", str, "always" if legacy else "never")
    if scheme not in ("never", "first", "always"):
        raise FormatError(f"{step.place}.prepend_scheme is {scheme!r}, not never, first or always")
    split = step.get("split", bool, True)
    if scheme != "never":
        if found.splits == [_AT_WHITE_SPACE] and scheme == "always" and split and found.prefix == "never":
            found.splits, found.words_alone = [], True  # each word gets a mark: as if one space stood between words
            found.steps += [("replace", r"\A\s+|\s+\z|\s+(?=▁)", ""), ("replace", r"\s+", " ")]
        elif found.prefix != "never" or found.splits:
            raise FormatError(f"{step.place} prepends a space a second time, which is not supported; {_REMEDY}")
        found.prefix = "first_if_none" if scheme == "first" else "always_if_none"
    found.split_at_spaces = any(_sees_spaces(patterns.expression(split)) for split in found.splits)
    found.marks_spaces = True
    if split:
        found.splits.append(_MARK_BY_MARK)


def _read_split(step: Node, found: Splitting, is_last: bool) -> list[str]:
    pattern = step.child("pattern")
    text = pattern.get("String", str, None)
    expression = pattern.get("Regex", str, None)
    if text is not None and found.marks_spaces and " " in text:
        return []  # no space is left in the text; Gemma's files have such a split
    if not (text or expression):
        raise FormatError(f"{pattern.place} has neither a String nor a Regex")
    if found.end_of_word is not None and is_last and step.value == DROP_WHITE_SPACE and found.unit == "char":
        found.spaceless = True
        return []  # implied by the end-of-word mark
    name = (
        patterns.canonical(patterns.literally(escaped(text)))
        if text
        else oniguruma.pattern_of(str(expression), pattern.place)
    )
    behavior, invert = step.get("behavior", str), step.get("invert", bool, False)
    return [_split_expression(step, name, behavior, invert)]


def _read_punctuation(step: Node, found: Splitting, is_last: bool) -> list[str]:
    return [_split_expression(step, _PUNCTUATION, step.get("behavior", str, "Isolated"), False)]


def _split_expression(step: Node, pattern: str, behavior: str, invert: bool) -> str:
    """The expression whose matches are the spans that a split leaves. Raises `FormatError` for an unknown behaviour."""
    if behavior == "Isolated":
        return pattern
    expression = patterns.expression(pattern)
    if pattern in patterns.PATTERNS:  # inside a longer expression it needs translating
        expression = oniguruma.to_regex(expression, step.place)
    if re.search(r"\\[1-9]|\\k<", expression):
        raise FormatError(f"{step.place} has a backreference in {expression!r}, which is only supported with Isolated")
    if behavior == "Removed":
        if invert and pattern in patterns.PATTERNS:
            return pattern  # its matches cover all of the text
        return (patterns.keeping if invert else patterns.dropping)(expression)
    if behavior not in patterns.JOINED:
        raise FormatError(
            f"{step.place}.behavior is {behavior!r}; choose one of Isolated, Removed, {', '.join(patterns.JOINED)}"
        )
    if oniguruma.may_match_nothing(expression):
        raise FormatError(
            f"{step.place}: {expression!r} may match empty text, which is only supported with Isolated or Removed"
        )
    return patterns.canonical(patterns.joining(_INVERTED.get(behavior, behavior) if invert else behavior, expression))


_INVERTED = {"MergedWithPrevious": "MergedWithNext", "MergedWithNext": "MergedWithPrevious"}
_AT_WHITE_SPACE = patterns.dropping(r"\s+")


def _digits(step: Node, found: Splitting, is_last: bool) -> list[str]:
    return [r"\p{N}" if step.get("individual_digits", bool, False) else r"\p{N}+"]


def _at_delimiter(step: Node, found: Splitting, is_last: bool) -> list[str]:
    return [patterns.dropping(patterns.literally(escaped(step.get("delimiter", str))))]


def _fixed_length(step: Node, found: Splitting, is_last: bool) -> list[str]:
    length = step.get("length", int, 5)
    if not 0 < length <= 1 << 16:
        raise FormatError(f"{step.place}.length is {length}, not a number of characters from 1 to {1 << 16}")
    return [rf"[\s\S]{{1,{length}}}"]


_READERS: dict[str, Any] = {
    "Split": _read_split,
    "Digits": _digits,
    "Punctuation": _read_punctuation,
    "Whitespace": lambda step, found, is_last: [patterns.keeping(r"[\w]+|[^\w\s]+")],
    "WhitespaceSplit": lambda step, found, is_last: [_AT_WHITE_SPACE],
    "BertPreTokenizer": lambda step, found, is_last: [_AT_WHITE_SPACE, _PUNCTUATION],
    "CharDelimiterSplit": _at_delimiter,
    "FixedLength": _fixed_length,
}


def _unprotected(splits: list[str]) -> tuple[tuple[str, ...], list[str]]:
    """(protected expressions, other splits): the first split is of protected spans if all others leave its matches whole."""
    if len(splits) < 2 or not (expressions := _alternatives(splits[0])):
        return (), splits
    whole = _whole(splits[0])
    if not all(split.startswith(whole) for split in splits[1:]):
        return (), splits
    rest = [split.removeprefix(whole) for split in splits[1:]]
    return expressions, ["none" if split == _EVERYTHING else patterns.canonical(split) for split in rest]


def _alternatives(expression: str) -> tuple[str, ...]:
    """The alternatives (a, b, …) of an expression "(?:a)|(?:b)|…"; empty for any other expression."""
    found, start, depth, in_class, i = [], 0, 0, False, 0
    while i < len(expression):
        sign = expression[i]
        if sign == "\\":
            i += 1
        elif in_class:
            in_class = sign != "]" or expression[i - 1] == "["
        elif sign == "[":
            in_class = True
        elif sign in "()":
            depth += 1 if sign == "(" else -1
        elif sign == "|" and depth == 0:
            found.append(expression[start:i])
            start = i + 1
        i += 1
    found.append(expression[start:])
    inner = tuple(alternative[3:-1] for alternative in found)
    return inner if any_of(inner) == expression else ()


# --- writing -----------------------------------------------------------------------------------------------------------


def _split(expression: str, behavior: str, invert: bool = False) -> dict[str, Any]:
    pattern = {"Regex": oniguruma.from_regex(expression)}
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}


def _written(expression: str) -> dict[str, Any]:
    for opening, invert in ((patterns.dropping("|"), False), (patterns.keeping("|"), True)):
        before, after = opening.split("|")
        if expression.startswith(before):
            return _split(expression.removeprefix(before).removesuffix(after), "Removed", invert)
    return _split(expression, "Isolated")


def _byte_level(**changes: bool) -> dict[str, Any]:
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False, **changes}


def _whole(protected: str) -> str:
    """An alternative to put before a pattern, so that it does not split a span that is protected."""
    return rf"\A(?:{protected})\z|"


DROP_WHITE_SPACE = _split(r"\A\s+|\s+\z", "Removed")


def _sequence(steps: list[dict[str, Any]], children: str) -> dict[str, Any] | None:
    if len(steps) < 2:
        return steps[0] if steps else None
    return {"type": "Sequence", children: steps}


def normalizer(model: BpeModel) -> dict[str, Any] | None:
    """The normalizer of a file for a model."""
    by_metaspace = model.prefix_space.endswith("_if_none") or _marks_late(model)
    return _sequence(normalizers.write(model, marks=not by_metaspace), "normalizers")


def _marks_late(model: BpeModel) -> bool:
    """Whether spaces have to become marks only after splits and the search for added tokens, which depend on spaces."""
    split = model.pretokenizer
    if model.space_mark is None or split.rewriting[-1:] == (MARK_SPACES,):
        return False
    splits = [*split.protected, *split.before, *([] if split.pattern == "none" else [split.pattern])]
    by_splits = any(_sees_spaces(patterns.expression(pattern)) for pattern in splits)
    by_tokens = any("normalized" in flags and {"lstrip", "rstrip"} & {*flags} for flags in model.token_flags.values())
    if (by_splits and model.prefix_space != "never") or (by_tokens and model.prefix_space == "always"):
        raise FormatError(
            f"tokenizer.json cannot hold prefix_space={model.prefix_space!r} where spaces matter before they are marked; "
            "learn with the pattern metaspace"
        )
    return (by_splits or by_tokens) and model.prefix_space == "never"


def pre_tokenizer(model: BpeModel) -> dict[str, Any] | None:
    """The pre-tokenizer of a file for a model. Raises `FormatError` where the format has none for it."""
    steps: list[dict[str, Any]] = []
    byte_level = _byte_level()
    split = model.pretokenizer
    if model.prefix_space in ("first_if_none", "always_if_none"):
        scheme = model.prefix_space.removesuffix("_if_none")
        if model.space_mark is not None:
            steps.append(
                {"type": "Metaspace", "replacement": model.space_mark, "prepend_scheme": scheme, "split": False}
            )
        elif (
            scheme == "first"
            or model.unit != "byte"
            or split.before
            or split.protected
            or split.pattern not in ("gpt2", "none")
        ):
            raise FormatError(
                f"tokenizer.json cannot hold prefix_space={model.prefix_space!r} with pattern {model.pattern!r}; "
                "only vocabularies with the pattern gpt2 or with a space mark can have it"
            )
        else:
            byte_level = _byte_level(add_prefix_space=True, use_regex=split.pattern == "gpt2")
            split = replace(split, pattern="none")
    splits = [patterns.expression(pattern) for pattern in (*split.before, split.pattern)]
    if split.protected:
        if not split.keeps_all:
            raise FormatError(
                "tokenizer.json cannot hold protected spans where pre-tokens leave text out; learn without them"
            )
        protected = any_of(split.protected)
        splits[-1] = _EVERYTHING if split.pattern == "none" else splits[-1]
        splits = [protected, *(_whole(protected) + split for split in splits)]
    elif split.pattern == "none":
        splits.pop()
    steps += map(_written, splits)
    if _marks_late(model):
        steps.append({"type": "Metaspace", "replacement": model.space_mark, "prepend_scheme": "never", "split": False})
    if model.unit == "byte":
        steps += [byte_level, *map(_written, map(patterns.expression, split.byte_splits))]
    elif model.end_of_word is not None:
        steps.append(DROP_WHITE_SPACE)
    return _sequence(steps, "pretokenizers")


def decoder(model: BpeModel) -> dict[str, Any]:
    """The decoder of a file for a model."""
    if model.unit == "byte":
        return _byte_level(add_prefix_space=True, use_regex=True) if model.prefix_space != "never" else _byte_level()
    if model.end_of_word is not None:
        return {"type": "BPEDecoder", "suffix": model.end_of_word}
    steps: list[dict[str, Any]] = []
    if model.space_mark is not None:
        steps.append({"type": "Replace", "pattern": {"String": model.space_mark}, "content": " "})
    if model.byte_fallback:
        steps.append({"type": "ByteFallback"})
    steps.append({"type": "Fuse"})
    if model.prefix_space != "never":
        steps.append({"type": "Strip", "content": " ", "start": 1, "stop": 0})
    return _sequence(steps, "decoders") or {"type": "Fuse"}
