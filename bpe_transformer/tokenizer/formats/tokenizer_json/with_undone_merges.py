"""The form in which a vocabulary with undone merges is saved: a `tokenizer.json` that only this program reads."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

from bpe_transformer.tokenizer.formats.tokenizer_json import undone_merges
from bpe_transformer.tokenizer.formats.tokenizer_json.file import read, to_json, token_names
from bpe_transformer.tokenizer.vocabulary.model import BpeModel

NAME = "tokenizer.json with undone merges"


def write(model: BpeModel, path: str | os.PathLike[str]) -> None:
    """Writes the file. Raises `FormatError` for a model that the format cannot hold."""
    document = undone_merges.added_to(to_json(replace(model, undone={})), model, token_names(model))
    Path(path).write_text(json.dumps(document, ensure_ascii=False, indent=1), encoding="utf-8", newline="\n")


def read_back(model: BpeModel, path: str | os.PathLike[str]) -> BpeModel:
    """Reads a file written for `model`; the format holds everything."""
    return read(path)
