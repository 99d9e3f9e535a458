"""Mistral's `tekken.json`: ranked tokens in base64, the split pattern, and special tokens, which come first. Read only."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from bpe_transformer import _core
from bpe_transformer.errors import FormatError
from bpe_transformer.io import Node
from bpe_transformer.tokenizer.formats import ranks
from bpe_transformer.tokenizer.formats.checks import check_expression, largest_id
from bpe_transformer.tokenizer.splitting.patterns import literally
from bpe_transformer.tokenizer.splitting.pretokenizer import Pretokenizer
from bpe_transformer.tokenizer.vocabulary.model import BpeModel

NAME = "tekken.json"
# of files that name none (versions up to 7), as the package mistral-common has them
_SPECIAL = (
    *("<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]"),
    *("[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]", "[IMG_END]", "[PREFIX]", "[MIDDLE]"),
    *("[SUFFIX]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[TOOL_CONTENT]"),
)


def recognises_document(document: Any) -> bool:
    """Whether the content of a JSON file is of this format."""
    return isinstance(document, dict) and {"config", "vocab"} <= document.keys() and "model" not in document


def read_tokens(data: bytes) -> tuple[bytes, list[bytes]] | None:
    """(the document without `vocab`, its tokens by rank) of a file in its usual form; None for any other."""
    found = _core.read_tekken(data) if b'"token_bytes"' in data else None
    if found is None:
        return None
    rest, tokens, numbers = found
    return (rest, tokens) if tokens and numbers[0] == 0 and _core.counts_up(numbers) else None


def from_json(document: Any, tokens: list[bytes] | None = None) -> BpeModel:
    """The model in the content of a `tekken.json`, with the tokens if they were taken out of it.

    Raises `FormatError` with the place in the file.
    """
    root = Node(document)
    config = root.child("config")
    size, num_special = (config.get(key, int) for key in ("default_vocab_size", "default_num_special_tokens"))
    entries: list[Any] = root.get("vocab", list) if tokens is None else tokens
    num_ranks = size - num_special
    if not 0 <= num_special <= largest_id(len(entries)) or not 0 < num_ranks <= len(entries):
        raise FormatError(
            f"config claims {size} tokens with {num_special} special ones, and vocab has {len(entries)}; check the file"
        )
    special = _special_tokens(root, num_special)
    pattern = literally(config.get("pattern", str))
    check_expression(pattern, "config.pattern")
    pretokenizer = Pretokenizer(pattern)
    if tokens is not None and len(set(tokens[:num_ranks])) == num_ranks:
        return ranks.model_of(ranks.RankColumns(tokens[:num_ranks], range(num_special, size)), pretokenizer, special)
    found: dict[bytes, int] = {}
    for rank, entry in enumerate(entries[:num_ranks]):
        token = _token(entry, rank) if tokens is None else tokens[rank]
        if found.setdefault(token, rank + num_special) != rank + num_special:
            raise FormatError(f"vocab[{rank}] is the token {token!r} a second time; check the file")
    return ranks.model_of(found, pretokenizer, special)


def _token(entry: Any, rank: int) -> bytes:
    if not isinstance(entry, dict) or entry.get("rank") != rank or not isinstance(entry.get("token_bytes"), str):
        raise FormatError(f"vocab[{rank}] is {str(entry)[:80]}, not a token of rank {rank} in base64")
    try:
        return base64.b64decode(entry["token_bytes"], validate=True)
    except (binascii.Error, ValueError) as cause:
        raise FormatError(f"vocab[{rank}].token_bytes is {entry['token_bytes'][:40]!r}, not base64") from cause


def _special_tokens(root: Node, count: int) -> dict[str, int]:
    """Ids by name; ids up to `count` that the file does not name have a name for filling in."""
    names: dict[int, str] = dict(enumerate(_SPECIAL[:count]))
    if listed := root.get("special_tokens", list, []):
        names = {}
        for position, entry in enumerate(listed):
            rank, name = (entry.get(key) if isinstance(entry, dict) else None for key in ("rank", "token_str"))
            if type(rank) is not int or not 0 <= rank < count or rank in names or not isinstance(name, str) or not name:
                raise FormatError(
                    f"special_tokens[{position}] is {str(entry)[:80]}, not a name with a rank below {count}"
                )
            names[rank] = name
    found = {names.get(id, f"<SPECIAL_{id}>"): id for id in range(count)}
    if len(found) < count:
        raise FormatError("two special tokens have one name; check the file")
    return found
