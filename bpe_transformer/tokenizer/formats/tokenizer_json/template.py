"""The post-processor of a `tokenizer.json`, read and written: the special tokens that it adds before and after a text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from bpe_transformer.errors import FormatError
from bpe_transformer.io import Node
from bpe_transformer.tokenizer.vocabulary.model import BpeModel

Side = tuple[str, ...]


def _steps(root: Node) -> list[Node]:
    node = root.optional("post_processor")
    return [] if node is None else node.children("processors") if node.value.get("type") == "Sequence" else [node]


def read_trims(root: Node) -> tuple[bool, ...]:
    """The steps that trim offsets (see `BpeModel.offset_trims`). Raises `FormatError`."""
    trimming = [
        step
        for step in _steps(root)
        if step.get("type", str) in ("ByteLevel", "RobertaProcessing") and step.get("trim_offsets", bool, True)
    ]
    return tuple(step.get("add_prefix_space", bool, True) for step in trimming)


def read(root: Node, tokens: Mapping[str, int]) -> tuple[Side, Side]:
    """(tokens before a text, tokens after it), each a special or added token. Raises `FormatError`."""
    prefix: list[str] = []
    suffix: list[str] = []
    for step in _steps(root):
        kind = step.get("type", str)
        if kind == "ByteLevel":
            continue  # it changes offsets only
        if kind in ("RobertaProcessing", "BertProcessing"):
            sides = ([_named_pair(step, "cls", tokens)], [_named_pair(step, "sep", tokens)])
        elif kind == "TemplateProcessing":
            sides = _template(step, tokens)
        else:
            raise FormatError(f"{step.place} is {kind!r}, which is not supported; export the vocabulary without it")
        prefix[:0], suffix[len(suffix) :] = sides
    return tuple(prefix), tuple(suffix)


def read_pair(root: Node, tokens: Mapping[str, int]) -> tuple[tuple[str, str, int], ...] | None:
    """The pieces of a row of two texts (see `BpeModel.pair_template`); None if the file has none. Raises `FormatError`."""
    found: list[tuple[tuple[str, str, int], ...]] = []
    for step in _steps(root):
        kind = step.get("type", str)
        if kind in ("RobertaProcessing", "BertProcessing"):
            first, last = (("token", _named_pair(step, key, tokens), 0) for key in ("cls", "sep"))
            if kind == "RobertaProcessing":
                found.append((first, ("text", "A", 0), last, last, ("text", "B", 0), last))
            else:
                found.append((first, ("text", "A", 0), last, ("text", "B", 1), (*last[:2], 1)))
        elif kind == "TemplateProcessing":
            found.append(_pair(step, tokens))
    return found[0] if len(found) == 1 else None


def _pair(step: Node, tokens: Mapping[str, int]) -> tuple[tuple[str, str, int], ...]:
    pieces: list[tuple[str, str, int]] = []
    for piece in step.children("pair"):
        if "Sequence" in piece.value:
            sequence = piece.child("Sequence")
            name = sequence.get("id", str)
            if name not in ("A", "B"):
                raise FormatError(f"{sequence.place}.id is {name!r}, not A or B")
            pieces.append(("text", name, sequence.get("type_id", int, 0)))
        else:
            token = piece.child("SpecialToken")
            name = token.get("id", str)
            if name not in tokens:
                raise FormatError(
                    f"{piece.place} adds {name!r} to a pair, which is not a special token; add it to added_tokens"
                )
            pieces.append(("token", name, token.get("type_id", int, 0)))
    return tuple(pieces)


def _named_pair(step: Node, key: str, tokens: Mapping[str, int]) -> str:
    pair = step.get(key, list)
    if len(pair) != 2 or not isinstance(pair[0], str):
        raise FormatError(f"{step.place}.{key} is {pair!r}, not a token and its id")
    return _checked(pair[0], [pair[1]], f"{step.place}.{key}", tokens)


def _template(step: Node, tokens: Mapping[str, int]) -> tuple[list[str], list[str]]:
    sides: tuple[list[str], list[str]] = ([], [])
    known = step.optional("special_tokens")
    after_text = 0
    for piece in step.children("single"):
        if "Sequence" in piece.value:
            if after_text:
                raise FormatError(f"{piece.place} has the text a second time, which is not supported")
            after_text = 1
            continue
        name = piece.child("SpecialToken").get("id", str)
        ids = known.child(name).get("ids", list) if known is not None and name in known.value else [tokens.get(name)]
        sides[after_text].append(_checked(name, ids, piece.place, tokens))
    return sides


def _checked(name: str, ids: list[Any], place: str, tokens: Mapping[str, int]) -> str:
    if name not in tokens:
        raise FormatError(f"{place} adds {name!r} to a text, which is not a special token; add it to added_tokens")
    if ids != [tokens[name]]:
        raise FormatError(f"{place} adds the ids {ids!r} to a text for {name!r}, which has id {tokens[name]}")
    return name


def write(model: BpeModel) -> dict[str, Any] | None:
    """The post-processor of a file for a model: the one that was read, if it still says the same; None if it adds nothing."""
    prefix, suffix = model.bos_eos_tokens
    ids_of = {**model.added_tokens, **model.special_tokens}
    kept = model.file_settings.get("post_processor")
    with suppress(FormatError):  # ids are others after pruning
        root = Node({"post_processor": kept})
        if (
            kept is not None
            and read(root, ids_of) == (prefix, suffix)
            and read_pair(root, ids_of) == model.pair_template
            and read_trims(root) == model.offset_trims
        ):
            return dict(kept)
    steps: list[dict[str, Any]] = [
        {"type": "ByteLevel", "add_prefix_space": spares, "trim_offsets": True, "use_regex": True}
        for spares in model.offset_trims
    ]
    if prefix or suffix or model.pair_template is not None:
        steps.append(_written_template(model, prefix, suffix))
    return {"type": "Sequence", "processors": steps} if len(steps) > 1 else steps[0] if steps else None


def _written_template(model: BpeModel, prefix: Side, suffix: Side) -> dict[str, Any]:
    ids_of = {**model.added_tokens, **model.special_tokens}

    def written(pieces: Iterable[tuple[str, str, int]]) -> list[dict[str, Any]]:
        kinds = {"token": "SpecialToken", "text": "Sequence"}
        return [{kinds[kind]: {"id": name, "type_id": type_id}} for kind, name, type_id in pieces]

    single = [*(("token", name, 0) for name in prefix), ("text", "A", 0), *(("token", name, 0) for name in suffix)]
    pair = model.pair_pieces
    names = dict.fromkeys(name for kind, name, _ in (*single, *pair) if kind == "token")
    return {
        "type": "TemplateProcessing",
        "single": written(single),
        "pair": written(pair),
        "special_tokens": {name: {"id": name, "ids": [ids_of[name]], "tokens": [name]} for name in names},
    }
