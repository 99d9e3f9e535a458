"""How text becomes pre-tokens in a `tokenizer.json`: its normalizer, pre-tokenizer and decoder, read and written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from bpe_transformer.errors import FormatError
from bpe_transformer.tokenizer import patterns
from bpe_transformer.tokenizer.formats.checks import Node
from bpe_transformer.tokenizer.model import BpeModel, PrefixSpace, Unit
from bpe_transformer.tokenizer.pretokenization import Normalization, PreTokenization, any_of

SPACE_MARK = "▁"
_REMEDY = "export the vocabulary without it"
_FORMS: dict[str, Normalization] = {"NFC": "NFC", "NFD": "NFD", "NFKC": "NFKC", "NFKD": "NFKD"}
# each mark begins a pre-token of its own; the pattern "metaspace" keeps marks that follow each other together
_MARK_BY_MARK = f"[ {SPACE_MARK}][^ {SPACE_MARK}]*|[^ {SPACE_MARK}]+"
_EVERYTHING = r"[\s\S]+"  # the pattern "none", as Oniguruma reads it too
_PUNCTUATION = r"[\p{P}$+<=>^`|~]"  # Unicode's and that of ASCII


@dataclass
class Splitting:
    """What the parts of a file say, put together."""

    end_of_word: str | None
    unit: Unit = "char"
    form: Normalization | None = None
    marks_spaces: bool = False
    prefix: PrefixSpace = "never"
    splits: list[str] = field(default_factory=list)  # expressions whose matches become pieces, one after another
    mark_by_mark: bool = False

    def pretokenization(self, made: list[str], names: list[str], ignore_merges: bool) -> PreTokenization:
        """`made` are the tokens that merges make, `names` all: what they can join decides where splitting changes nothing."""
        splits = list(self.splits)
        if self.marks_spaces:
            joined = names if ignore_merges else made
            inside = any(SPACE_MARK in name.lstrip(SPACE_MARK) for name in joined)
            runs = any(SPACE_MARK * 2 in name for name in joined)
            if self.mark_by_mark:
                splits.append(_MARK_BY_MARK if runs or inside else "metaspace")
            elif not splits:
                splits.append("none" if inside or ignore_merges else "metaspace")
        protected, splits = _unprotected(splits)
        return PreTokenization(splits[-1] if splits else "none", self.form, protected, before=tuple(splits[:-1]))


def read(document: Node, end_of_word: str | None) -> Splitting:
    """Raises `FormatError` for anything that would split otherwise than we can, by its name."""
    found = Splitting(end_of_word)
    for step in _steps(document, "normalizer", "normalizers"):
        _read_normalizer(step, found)
    steps = list(_steps(document, "pre_tokenizer", "pretokenizers"))
    for i, step in enumerate(steps):
        _read_pre_tokenizer(step, found, is_last=i == len(steps) - 1)
    return found


def _steps(parent: Node, key: str, children: str) -> Iterator[Node]:
    node = parent.optional(key)
    waiting = [node] if node is not None else []
    while waiting:
        node = waiting.pop()
        if node.get("type", str) == "Sequence":
            waiting += reversed(node.children(children))
        else:
            yield node


# --- reading -----------------------------------------------------------------------------------------------------------


def _read_normalizer(step: Node, found: Splitting) -> None:
    kind = step.get("type", str)
    if kind in _FORMS and found.form is None and not found.marks_spaces:
        found.form = _FORMS[kind]
    elif kind == "Prepend" and step.get("prepend", str) in (SPACE_MARK, " ") and found.prefix == "never":
        found.prefix = "always"
    elif (
        kind == "Replace" and step.child("pattern").value == {"String": " "} and step.get("content", str) == SPACE_MARK
    ):
        found.marks_spaces = True
    else:
        shown = {key: value for key, value in step.value.items() if key != "precompiled_charsmap"}
        raise FormatError(f"{step.place} is {shown}, which is not supported; {_REMEDY}")


def _read_pre_tokenizer(step: Node, found: Splitting, is_last: bool) -> None:
    kind = step.get("type", str)
    if found.unit == "byte":
        raise FormatError(f"{step.place} is {kind} after ByteLevel, which is not supported; {_REMEDY}")
    if kind == "ByteLevel":
        if step.get("add_prefix_space", bool, True):
            if found.splits or found.prefix != "never":
                raise FormatError(
                    f"{step.place}.add_prefix_space is set after a split, which is not supported; {_REMEDY}"
                )
            found.prefix = "always_if_none"
        if step.get("use_regex", bool, True):
            found.splits.append("gpt2")
        found.unit = "byte"
    elif kind == "Metaspace":
        _read_metaspace(step, found)
    elif kind == "Split":
        _read_split(step, found, is_last)
    elif kind == "Digits":
        found.splits.append(r"\p{N}" if step.get("individual_digits", bool, False) else r"\p{N}+")
    elif kind == "Punctuation" and step.get("behavior", str, "Isolated") in ("Isolated", "Contiguous"):
        once = step.get("behavior", str, "Isolated") == "Isolated"
        found.splits.append(_PUNCTUATION if once else _PUNCTUATION + "+")
    elif kind == "WhitespaceSplit" and found.end_of_word is not None and is_last:
        found.splits.append("whitespace")
    else:
        raise FormatError(f"{step.place} is {step.value}, which is not supported; {_REMEDY}")


def _read_metaspace(step: Node, found: Splitting) -> None:
    if step.get("replacement", str) != SPACE_MARK:
        raise FormatError(
            f"{step.place}.replacement is {step.value['replacement']!r}; only {SPACE_MARK!r} is supported"
        )
    legacy = step.get("add_prefix_space", bool, True)
    scheme = step.get("prepend_scheme", str, "always" if legacy else "never")
    if scheme not in ("never", "first", "always"):
        raise FormatError(f"{step.place}.prepend_scheme is {scheme!r}, not never, first or always")
    if scheme != "never":
        if found.prefix != "never" or found.splits:
            raise FormatError(f"{step.place} prepends a space a second time, which is not supported; {_REMEDY}")
        found.prefix = "first_if_none" if scheme == "first" else "always_if_none"
    found.marks_spaces = True
    found.mark_by_mark = step.get("split", bool, True)


def _read_split(step: Node, found: Splitting, is_last: bool) -> None:
    pattern = step.child("pattern")
    text = pattern.get("String", str, None)
    expression = pattern.get("Regex", str, None)
    if text is not None and found.marks_spaces and " " in text:
        return  # no space is left in the text; Gemma's files have such a split
    if text is not None:
        expression = _escaped(text)
    if not expression:
        raise FormatError(f"{pattern.place} has neither a String nor a Regex")
    behavior, invert = step.get("behavior", str), step.get("invert", bool, False)
    if found.end_of_word is not None and is_last and step.value == DROP_WHITE_SPACE:
        return  # the end-of-word mark does that
    name = patterns.canonical(patterns.literally(expression))
    # where the matches of a pattern leave nothing out, it is all the same whether they or the rest are kept
    if behavior == "Isolated" or (behavior == "Removed" and invert and name in patterns.PATTERNS):
        found.splits.append(name)
    elif behavior in _JOINED and not invert:
        other = rf"(?:(?!{expression})[\s\S])"
        found.splits.append(patterns.canonical(_JOINED[behavior].format(match=f"(?:{expression})", rest=other)))
    else:
        raise FormatError(
            f"{step.place} is a Split with behavior {behavior!r} and invert {str(invert).lower()}, which is not supported; "
            "make it an Isolated split by the same pre-tokens"
        )


# the pieces of a split that joins matches to what is beside them, as one expression; a match after a match stays alone
_JOINED = {
    "MergedWithPrevious": "{rest}*{match}|{rest}+",
    "MergedWithNext": "{match}{rest}*|{rest}+",
    "Contiguous": "{match}+|{rest}+",
}


def _unprotected(splits: list[str]) -> tuple[tuple[str, ...], list[str]]:
    """Protected expressions, if the first split is by them and the others leave them whole; and the other splits."""
    if len(splits) < 2 or not (expressions := _alternatives(splits[0])):
        return (), splits
    whole = _whole(splits[0])
    if not all(split.startswith(whole) for split in splits[1:]):
        return (), splits
    rest = [split.removeprefix(whole) for split in splits[1:]]
    return expressions, ["none" if split == _EVERYTHING else patterns.canonical(split) for split in rest]


def _alternatives(expression: str) -> tuple[str, ...]:
    """The a, b, … of "(?:a)|(?:b)|…"; nothing if it is not written so."""
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
    inner = tuple(part[3:-1] for part in found)
    return inner if any_of(inner) == expression else ()


def _escaped(text: str) -> str:
    import regex

    return str(regex.escape(text))


# --- writing -----------------------------------------------------------------------------------------------------------


def _split(expression: str, behavior: str) -> dict[str, Any]:
    return {"type": "Split", "pattern": {"Regex": expression}, "behavior": behavior, "invert": False}


def _byte_level(**changes: bool) -> dict[str, Any]:
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False, **changes}


def _whole(protected: str) -> str:
    """What stands before a pattern, so that a piece that is a protected match is not split further."""
    return rf"\A(?:{protected})\z|"


DROP_WHITE_SPACE = _split(r"\A\s+|\s+\z", "Removed")


def _sequence(steps: list[dict[str, Any]], children: str) -> dict[str, Any] | None:
    if len(steps) < 2:
        return steps[0] if steps else None
    return {"type": "Sequence", children: steps}


def normalizer(model: BpeModel) -> dict[str, Any] | None:
    form = model.pretokenization.normalization
    steps: list[dict[str, Any]] = [{"type": form}] if form is not None else []
    if model.prefix_space == "always":
        steps.append({"type": "Prepend", "prepend": model.space_mark or " "})
    if model.space_mark is not None:
        steps.append({"type": "Replace", "pattern": {"String": " "}, "content": model.space_mark})
    return _sequence(steps, "normalizers")


def pre_tokenizer(model: BpeModel) -> dict[str, Any] | None:
    steps: list[dict[str, Any]] = []
    byte_level = _byte_level()
    if model.prefix_space in ("first_if_none", "always_if_none"):
        scheme = model.prefix_space.removesuffix("_if_none")
        if model.space_mark is not None:
            steps.append(
                {"type": "Metaspace", "replacement": model.space_mark, "prepend_scheme": scheme, "split": False}
            )
        elif (
            scheme == "always"
            and model.unit == "byte"
            and model.pretokenization == PreTokenization("gpt2", model.pretokenization.normalization)
        ):
            return _byte_level(add_prefix_space=True, use_regex=True)
        else:
            raise FormatError(
                f"tokenizer.json cannot hold prefix_space={model.prefix_space!r} with pattern {model.pattern!r}; "
                "only vocabularies with the pattern gpt2 or with a space mark can have it"
            )
    splits = [patterns.expression(pattern) for pattern in (*model.pretokenization.before, model.pattern)]
    if model.pretokenization.protected:
        protected = any_of(model.pretokenization.protected)
        splits[-1] = _EVERYTHING if model.pattern == "none" else splits[-1]
        splits = [protected, *(_whole(protected) + split for split in splits)]
    elif model.pattern == "none":
        splits.pop()
    steps += [_split(split, "Isolated") for split in splits]
    if model.unit == "byte":
        steps.append(byte_level)
    elif model.end_of_word is not None:
        steps.append(DROP_WHITE_SPACE)
    return _sequence(steps, "pretokenizers")


def decoder(model: BpeModel) -> dict[str, Any]:
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
