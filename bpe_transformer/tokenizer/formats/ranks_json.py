"""Ranks in a JSON object `{pat_str, special_tokens, bpe_ranks}`, as Claude's and JavaScript's tiktoken have. Read only."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from bpe_transformer import _core
from bpe_transformer.errors import FormatError
from bpe_transformer.io import Node, shown
from bpe_transformer.tokenizer.formats import ranks
from bpe_transformer.tokenizer.formats.checks import check_expression
from bpe_transformer.tokenizer.splitting.patterns import literally
from bpe_transformer.tokenizer.splitting.pretokenizer import Pretokenizer
from bpe_transformer.tokenizer.vocabulary.model import BpeModel

NAME = "ranks in JSON"


def recognises_document(document: Any) -> bool:
    """Whether the content of a JSON file is of this format."""
    return isinstance(document, dict) and {"pat_str", "bpe_ranks"} <= document.keys()


def from_json(document: Any) -> BpeModel:
    """The model in the content of such a file. Raises `FormatError` with the place in the file.

    The text is encoded as it is; Claude's own program brings it into the form NFKC first.
    """
    root = Node(document)
    special = root.get("special_tokens", dict, {})
    found = _ranks(root.get("bpe_ranks", str))
    pattern = literally(root.get("pat_str", str))
    check_expression(pattern, "pat_str")
    return ranks.model_of(found, Pretokenizer(pattern), special)


def _ranks(text: str) -> ranks.Ranks:
    """Lines of a mark, the rank of the first token, and tokens in base64, whose ranks follow each other."""
    read = _core.read_rank_words(text.encode(errors="replace"))
    if read is not None and len(set(read[0])) == len(read[0]):
        return ranks.RankColumns.of(*read)
    return _ranks_by_line(text)


def _ranks_by_line(text: str) -> dict[bytes, int]:
    """The same more slowly. Raises `FormatError` with the line."""
    found: dict[bytes, int] = {}
    for number, line in enumerate(text.split("\n"), 1):
        words = line.split()
        if not words:
            continue
        if len(words) < 3 or not words[1].isascii() or not words[1].isdigit() or len(words[1]) > 10:
            raise FormatError(f"bpe_ranks, line {number}: {shown(line)} is not a mark, a rank and tokens in base64")
        for rank, word in enumerate(words[2:], int(words[1])):
            try:
                token = base64.b64decode(word, validate=True)
            except (binascii.Error, ValueError):
                raise FormatError(f"bpe_ranks, line {number}: the token of rank {rank} is not base64") from None
            if found.setdefault(token, rank) != rank:
                raise FormatError(f"bpe_ranks, line {number}: the token {token!r} has two ranks")
    return found
