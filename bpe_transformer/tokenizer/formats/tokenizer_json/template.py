"""The post-processor of a `tokenizer.json`, read and written: the special tokens that it adds before and after a text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bpe_transformer.errors import FormatError
from bpe_transformer.io import Node
from bpe_transformer.tokenizer.vocabulary.model import BpeModel

Side = tuple[str, ...]


def read(root: Node, tokens: Mapping[str, int]) -> tuple[Side, Side]:
    """(tokens before a text, tokens after it), each a special or added token. Raises `FormatError`."""
    node = root.optional("post_processor")
    steps = [] if node is None else node.children("processors") if node.value.get("type") == "Sequence" else [node]
    prefix: list[str] = []
    suffix: list[str] = []
    for step in steps:
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
    """The post-processor of a file for a model; None if encoding adds no tokens."""
    prefix, suffix = model.bos_eos_tokens
    ids_of = {**model.added_tokens, **model.special_tokens}
    if not prefix and not suffix:
        return None

    def pieces(sequence: str, type_id: int) -> list[dict[str, Any]]:
        first, last = (
            [{"SpecialToken": {"id": token, "type_id": type_id}} for token in side] for side in (prefix, suffix)
        )
        return [*first, {"Sequence": {"id": sequence, "type_id": type_id}}, *last]

    ids = {token: {"id": token, "ids": [ids_of[token]], "tokens": [token]} for token in (*prefix, *suffix)}
    return {
        "type": "TemplateProcessing",
        "single": pieces("A", 0),
        "pair": [*pieces("A", 0), *pieces("B", 1)],
        "special_tokens": ids,
    }
