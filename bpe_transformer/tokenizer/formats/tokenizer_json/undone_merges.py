"""Merges that are undone in a saved `tokenizer.json`: a model of a type that other readers refuse, with a table of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bpe_transformer.errors import FormatError
from bpe_transformer.io import Node
from bpe_transformer.tokenizer.splitting.byte_level import Names
from bpe_transformer.tokenizer.vocabulary.model import BpeModel
from bpe_transformer.tokenizer.vocabulary.undone_merges import check_undone

PLAIN = "BPE"
TYPE = "BPEWithUndoneMerges"  # `tokenizers` and older versions of this program refuse a type that they do not know
KEY = "undone"


def added_to(document: dict[str, Any], model: BpeModel, names: Sequence[str]) -> dict[str, Any]:
    """The content of a `tokenizer.json` with the table of a model: what each token becomes, by name."""
    table = {names[id]: [names[other] for other in becomes] for id, becomes in sorted(model.undone.items())}
    return {**document, "model": {**document["model"], "type": TYPE, KEY: table}}


def with_undone(model: BpeModel, body: Node, names: Names) -> BpeModel:
    """The model with the table in the file, if its type has one. Raises `FormatError`."""
    is_undone = body.get("type", str, PLAIN) == TYPE
    if (KEY in body.value) != is_undone:
        raise FormatError(f"model.{KEY} goes with model.type {TYPE!r} and with no other; get the file anew")
    if not is_undone:
        return model
    table: Mapping[str, Any] = body.get(KEY, dict)
    id_of = {name: id for id, name in enumerate(names) if name}
    undone = {}
    for name, becomes in table.items():
        others = becomes if isinstance(becomes, list) else [becomes]
        if missing := [other for other in (name, *others) if not isinstance(other, str) or other not in id_of]:
            raise FormatError(f"model.{KEY}: {str(missing[0])[:60]!r} is no token of model.vocab; get the file anew")
        undone[id_of[name]] = tuple(id_of[other] for other in others)
    model = replace(model, undone=undone)
    check_undone(model, f"model.{KEY}")
    return model
