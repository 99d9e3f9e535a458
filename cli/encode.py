"""`bpe-transformer encode`: text to ids."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from bpe_transformer.cli._common import stdin_bytes, write_data
from bpe_transformer.cli._text import SpecialPolicy, at_once_option, decoded, line_batches, text_options

if TYPE_CHECKING:
    from bpe_transformer import Tokenizer


@click.command(
    epilog="""\b
Examples:
  bpe-transformer encode tok "low lower newest"
  bpe-transformer encode tok < corpus.txt > corpus.ids
  cat page.html | bpe-transformer encode tok --whole --format json
"""
)
@click.argument("tokenizer", type=click.Path())
@click.argument("text", required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(["ids", "json"]),
    default="ids",
    show_default=True,
    help="Ids between spaces, or a JSON list, a line each.",
)
@click.option("--whole", is_flag=True, help="Take the input as one text, newlines included: one line of ids.")
@at_once_option
@text_options("strict", "replace", "keep")
def command(
    tokenizer: str,
    text: str | None,
    form: str,
    whole: bool,
    allow_special: tuple[str, ...],
    special_as_text: bool,
    errors: str,
    at_once: bool,
) -> None:
    """Turn TEXT, or each line of standard input, into a line of ids.

    A line is taken without its newline; decode puts it back. With --whole the input comes back byte for byte.
    --errors keep encodes bytes that are not UTF-8 as they are, which vocabularies of bytes can.
    """
    from bpe_transformer import Tokenizer

    learned = Tokenizer.load(tokenizer)
    policy = SpecialPolicy.of(learned, allow_special, special_as_text)
    if text is not None or whole:
        raw = text.encode("utf-8", "surrogateescape") if text is not None else stdin_bytes().read()
        source = decoded(raw, errors, name="standard input" if text is None else "the text")
        policy.check(learned, source, "the text")
        _write([learned.encode(raw if errors == "keep" else source, **policy.arguments)], form)
    else:
        _encode_lines(learned, policy, form, errors, line_batches(at_once=at_once))


def _encode_lines(
    tokenizer: Tokenizer, policy: SpecialPolicy, form: str, errors: str, batches: Iterator[list[bytes]]
) -> None:
    line = offset = 0
    for batch in batches:
        texts: list[str | bytes] = []
        for raw in batch:
            line += 1
            text = decoded(raw, errors, offset, line)
            policy.check(tokenizer, text, f"line {line:,}")
            texts.append(raw if errors == "keep" else text)
            offset += len(raw) + 1
        _write(tokenizer.encode_batch(texts, **policy.arguments).tolist(), form)


def _write(rows: Sequence[Sequence[int]], form: str) -> None:
    """All rows of a batch at once: a batch with a mistake in it writes nothing."""
    lines = [json.dumps(list(ids)) if form == "json" else " ".join(map(str, ids)) for ids in rows]
    write_data(("\n".join(lines) + "\n").encode())
