"""`tokenizer_config.json` and `special_tokens_map.json`, in which `transformers` keeps the roles of special tokens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bpe_transformer.errors import FormatError
from bpe_transformer.tokenizer.vocabulary.roles import Roles

CONFIG_FILE, MAP_FILE = "tokenizer_config.json", "special_tokens_map.json"
_CLASS = "PreTrainedTokenizerFast"  # of transformers, which reads any tokenizer.json


def write(roles: Roles, folder: Path) -> None:
    """Writes both files, so that `AutoTokenizer.from_pretrained(folder)` knows the roles."""
    tokens = roles.to_special_tokens_map()
    config = {"tokenizer_class": _CLASS, "clean_up_tokenization_spaces": False, **tokens}
    for name, data in ((CONFIG_FILE, config), (MAP_FILE, tokens)):
        (folder / name).write_text(json.dumps(data, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def read(folder: Path) -> Roles:
    """The roles in both files, where they are; tokenizer_config.json comes first. Raises `FormatError`."""
    roles = Roles()
    for name in (CONFIG_FILE, MAP_FILE):
        path = folder / name
        if path.is_file():
            try:
                roles = roles.over(Roles.from_special_tokens_map(_parsed(path)))
            except FormatError as cause:
                raise FormatError(f"{path}: {cause}") from None
    return roles


def _parsed(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as problem:
        raise FormatError(f"it cannot be read ({problem}); correct the file or remove it") from None
    if not isinstance(data, dict):
        raise FormatError("it holds no object; correct the file or remove it")
    return data
