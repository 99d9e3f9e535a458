"""`bpe-transformer decode`: ids to text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from bpe_transformer.cli._common import write_data
from bpe_transformer.cli._text import at_once_option, line_batches
from bpe_transformer.errors import DecodingError

if TYPE_CHECKING:
    from bpe_transformer import Tokenizer


@click.command(
    epilog="""\b
Examples:
  bpe-transformer decode tok 14 12
  bpe-transformer decode tok < corpus.ids > corpus.txt
  bpe-transformer encode tok --whole < page.html > ids
  bpe-transformer decode tok --whole < ids | cmp - page.html
"""
)
@click.argument("tokenizer", type=click.Path())
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--whole", is_flag=True, help="Take all ids as one text, and add no newline to it.")
@click.option("--skip-special", is_flag=True, help="Leave special tokens out of the text.")
@at_once_option
def command(tokenizer: str, ids: tuple[str, ...], whole: bool, skip_special: bool, at_once: bool) -> None:
    """Turn IDs, or each line of ids on standard input, into a line of text.

    Lines are ids between spaces, or JSON lists. Tokens are written as their bytes, whole characters or not.
    """
    from bpe_transformer import Tokenizer

    learned = Tokenizer.load(tokenizer)
    skipped = frozenset(learned.special_tokens.values()) if skip_special else frozenset()
    line = 0
    together: list[int] = []
    for batch in [[" ".join(ids).encode()]] if ids else line_batches(at_once=at_once):
        rows = []
        for raw in batch:
            line += 1
            rows.append([token for token in _parsed(raw, line, learned) if token not in skipped])
        if whole:
            together += [token for row in rows for token in row]
        else:
            write_data(b"".join(learned.decode_bytes(row) + b"\n" for row in rows))
    if whole:
        write_data(learned.decode_bytes(together))


def _parsed(raw: bytes, line: int, tokenizer: Tokenizer) -> list[int]:
    """The ids of a line. Raises `DecodingError` with the value and the line."""
    words: list[object]
    try:
        words = json.loads(raw) if raw.lstrip().startswith(b"[") else list(raw.split())
    except ValueError:
        raise DecodingError(f"line {line:,} begins like a JSON list but is none; write it as [1, 2, 3]") from None
    found = []
    for word in words:
        if isinstance(word, bytes) and word.isdigit():
            found.append(int(word))
        elif isinstance(word, int) and not isinstance(word, bool):
            found.append(word)
        else:
            shown = word.decode("utf-8", "backslashreplace") if isinstance(word, bytes) else json.dumps(word)
            raise DecodingError(
                f"line {line:,}: {shown!r} is not an id; give whole numbers from 0 to {tokenizer.vocab_size - 1:,}, "
                "separated by spaces"
            )
        if not 0 <= found[-1] < tokenizer.vocab_size:
            raise DecodingError(
                f"line {line:,}: id {found[-1]} is out of range; this tokenizer has 0 to {tokenizer.vocab_size - 1}, "
                "so decode with the tokenizer that encoded"
            )
    return found
