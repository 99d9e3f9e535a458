"""The keys that a `tokenizer.json` may have: any other says something that this program does not know, and is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bpe_transformer.errors import FormatError
from bpe_transformer.io import shown

_ROOT = {
    *(
        "version",
        "truncation",
        "padding",
        "added_tokens",
        "normalizer",
        "pre_tokenizer",
        "post_processor",
        "decoder",
        "model",
    ),
}
_MODEL = {
    *("type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", "byte_fallback"),
    *("ignore_merges", "vocab", "merges", "undone"),
}
_ADDED = {"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"}
_BERT = {"clean_text", "handle_chinese_chars", "strip_accents", "lowercase"}
_BYTE_LEVEL = {"add_prefix_space", "trim_offsets", "use_regex"}
_AROUND = {"sep", "cls", "trim_offsets", "add_prefix_space"}
# by type, of normalizers, pre-tokenizers and post-processors; other types are refused where they are read
_STEPS: dict[str, set[str]] = {
    **{key: set() for key in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt")},
    **{key: set() for key in ("Whitespace", "WhitespaceSplit", "BertPreTokenizer", "UnicodeScripts")},
    "Strip": {"strip_left", "strip_right"},
    "Replace": {"pattern", "content"},
    "Prepend": {"prepend"},
    "Precompiled": {"precompiled_charsmap"},
    "BertNormalizer": _BERT,
    "ByteLevel": _BYTE_LEVEL,
    "Metaspace": {"replacement", "add_prefix_space", "prepend_scheme", "split", "str_rep"},
    "Split": {"pattern", "behavior", "invert"},
    "Digits": {"individual_digits"},
    "Punctuation": {"behavior"},
    "CharDelimiterSplit": {"delimiter"},
    "FixedLength": {"length"},
    "BertProcessing": {"sep", "cls"},
    "RobertaProcessing": _AROUND,
    "TemplateProcessing": {"single", "pair", "special_tokens"},
}
_LISTS = {"normalizer": "normalizers", "pre_tokenizer": "pretokenizers", "post_processor": "processors"}


# of settings of a call: what their keys may hold, in words, and whether a value is that
_Setting = tuple[str, Callable[[Any], bool]]
_DIRECTION: _Setting = ("Left or Right", lambda value: value in ("Left", "Right"))
_CUTS: _Setting = (
    "LongestFirst, OnlyFirst or OnlySecond",
    lambda value: value in ("LongestFirst", "OnlyFirst", "OnlySecond"),
)
_COUNT: _Setting = ("a whole number from 0 to 4294967295", lambda value: type(value) is int and 0 <= value < 1 << 32)
_SETTINGS: dict[str, dict[str, _Setting]] = {
    "truncation": {"max_length": _COUNT, "strategy": _CUTS, "stride": _COUNT},
    "padding": {
        "strategy": ('"BatchLongest" or {"Fixed": LENGTH}', lambda value: value == "BatchLongest" or _is_fixed(value)),
        "direction": _DIRECTION,
        "pad_id": _COUNT,
        "pad_type_id": _COUNT,
        "pad_token": ("text", lambda value: isinstance(value, str)),
    },
}


def _is_fixed(value: Any) -> bool:
    return isinstance(value, Mapping) and value.keys() == {"Fixed"} and _COUNT[1](value["Fixed"])


def _check_settings(document: Mapping[str, Any]) -> None:
    for name, required in _SETTINGS.items():
        if (found := document.get(name)) is None:
            continue
        if not isinstance(found, Mapping):
            raise FormatError(f"{name} is {shown(found)}, not an object; set it to null")
        optional = {"direction": _DIRECTION} if "direction" in found else {}
        for key, (possible, is_possible) in {**optional, **required}.items():
            if key not in found:
                raise FormatError(
                    f"{name}.{key} is missing, which is {possible}; correct the file, or set {name} to null"
                )
            if not is_possible(found[key]):
                said = "null" if found[key] is None else shown(found[key])
                raise FormatError(f"{name}.{key} is {said}, not {possible}; correct the file, or set {name} to null")


def check(document: Mapping[str, Any]) -> None:
    """Raises `FormatError` with the place of a key that is not known, or of a value that no program of this format takes."""
    _check(document, _ROOT, "")
    _check_settings(document)
    if isinstance(model := document.get("model"), Mapping):
        _check(model, _MODEL, "model")
    added = document.get("added_tokens")
    for number, token in enumerate(added if isinstance(added, list) else ()):
        if isinstance(token, Mapping):
            _check(token, _ADDED, f"added_tokens[{number}]")
    for name, listed in _LISTS.items():
        _check_step(document.get(name), listed, name)


def _check_step(step: object, listed: str, place: str) -> None:
    if not isinstance(step, Mapping):
        return
    kind = step.get("type")
    if kind == "Sequence":
        _check(step, {"type", listed}, place)
        steps = step.get(listed)
        if not isinstance(steps, list):
            found = f"is {'null' if steps is None else shown(steps)}" if listed in step else "is missing"
            raise FormatError(
                f"{place}.{listed} {found}, where a list of steps belongs; [] is possible, correct the file"
            )
        for number, one in enumerate(steps):
            _check_step(one, listed, f"{place}.{listed}[{number}]")
    elif isinstance(kind, str) and kind in _STEPS:
        _check(step, {"type", *_STEPS[kind]}, place)


def _check(found: Mapping[str, Any], known: set[str], place: str) -> None:
    if unknown := next((key for key in found if key not in known), None):
        raise FormatError(
            f"{f'{place}.' if place else ''}{unknown} is not known to this program, which may encode otherwise without it; "
            "export the vocabulary without it"
        )
