"""`tokenizer_config.json` and `special_tokens_map.json`, in which `transformers` keeps the roles of special tokens.

What else stands there, such as a chat template, is kept with the vocabulary and written back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from bpe_transformer.errors import FormatError
from bpe_transformer.tokenizer.vocabulary.roles import Roles

CONFIG_FILE, MAP_FILE = "tokenizer_config.json", "special_tokens_map.json"
CHAT_TEMPLATE_FILE = "chat_template.jinja"  # where transformers 5 keeps what is chat_template in earlier versions
_CLASS = "PreTrainedTokenizerFast"  # of transformers, which reads any tokenizer.json
_OF_ROLES = frozenset(f"{f.name}_token" for f in fields(Roles))


def write(roles: Roles, folder: Path, other_fields: Mapping[str, Any], tokens: Mapping[str, int]) -> None:
    """Writes both files, so that `AutoTokenizer.from_pretrained(folder)` reads the roles.

    other_fields: of tokenizer_config.json, besides roles. tokens: ids of special and added tokens by their texts; entries
    of `added_tokens_decoder` that contradict them are of another vocabulary, and are left out.
    """
    named = roles.to_special_tokens_map()
    others = dict(other_fields)
    if isinstance(decoder := others.get("added_tokens_decoder"), Mapping):
        others["added_tokens_decoder"] = {id: token for id, token in decoder.items() if _agrees(id, token, tokens)}
    config = {"clean_up_tokenization_spaces": False, **others, "tokenizer_class": _CLASS, **named}
    for name, data in ((CONFIG_FILE, config), (MAP_FILE, named)):
        (folder / name).write_text(json.dumps(data, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def read(folder: Path) -> tuple[Roles, dict[str, Any]]:
    """The roles in both files, where they are, and what else is there; tokenizer_config.json comes first.

    Raises `FormatError`.
    """
    roles = Roles()
    others: dict[str, Any] = {}
    for name in (CONFIG_FILE, MAP_FILE):
        path = folder / name
        if path.is_file():
            try:
                data = _parsed(path)
                roles = roles.over(Roles.from_special_tokens_map(data))
            except FormatError as cause:
                raise FormatError(f"{path}: {cause}") from None
            others = {**{key: value for key, value in data.items() if key not in _OF_ROLES}, **others}
    others.pop("tokenizer_class", None)
    if (folder / CHAT_TEMPLATE_FILE).is_file():
        try:
            others["chat_template"] = (folder / CHAT_TEMPLATE_FILE).read_text(encoding="utf-8")
        except (OSError, ValueError) as problem:
            raise FormatError(
                f"{folder / CHAT_TEMPLATE_FILE} cannot be read ({problem}); correct or remove it"
            ) from None
    return roles, others


def _agrees(id: str, token: object, tokens: Mapping[str, int]) -> bool:
    text = token.get("content") if isinstance(token, Mapping) else token
    return isinstance(text, str) and str(tokens.get(text)) == id


def _parsed(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as problem:
        raise FormatError(f"it cannot be read ({problem}); correct the file or remove it") from None
    if not isinstance(data, dict):
        raise FormatError("it holds no object; correct the file or remove it")
    return data
