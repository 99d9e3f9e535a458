"""`bpe-transformer decode`: ids to text."""

from __future__ import annotations

import io

import click

from bpe_transformer.cli.support.console import stdin_bytes, write_text
from bpe_transformer.cli.support.options import tokenizer_argument
from bpe_transformer.cli.support.text_input import at_once_option, line_blocks
from bpe_transformer.cli.support.tokenizer_files import open_tokenizer


@click.command(
    epilog="""\b
Examples:
  bpe-transformer decode tok 14 12
  bpe-transformer decode tok < corpus.ids > corpus.txt
  bpe-transformer encode tok --whole < page.html > ids
  bpe-transformer decode tok --whole < ids | cmp - page.html
  bpe-transformer decode tok --offsets offsets.npy < ids.npy > corpus.txt
"""
)
@tokenizer_argument
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option(
    "--offsets",
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE",
    help="Where each text of a NumPy array begins.",
)
@click.option("--whole", is_flag=True, help="Take all ids as one text, and add no newline to it.")
@click.option("--skip-special", is_flag=True, help="Leave special tokens out of the text.")
@at_once_option
def command(
    tokenizer: str, ids: tuple[str, ...], offsets: str | None, whole: bool, skip_special: bool, at_once: bool
) -> None:
    """Turn IDs, or each line of ids on standard input, into a line of text.

    Lines are ids between spaces, or JSON lists. A NumPy array (.npy) and an Arrow stream of lists, as encode writes them,
    are known by how they begin; without --offsets an array is one text. Tokens are written as their bytes, whole
    characters or not.
    """
    from bpe_transformer.tokenizer.files.id_streams import IdStream, decoded_rows, decoded_whole

    codec = open_tokenizer(tokenizer).codec
    stream = IdStream(io.BytesIO(" ".join(ids).encode()) if ids else stdin_bytes())
    if offsets is not None and not stream.is_npy:
        raise click.UsageError("--offsets goes with a NumPy array on standard input, which this is not")
    rows = stream.rows(codec, lambda lines: line_blocks(at_once=at_once, stream=lines), offsets)
    if whole or (stream.is_npy and offsets is None):
        for data in decoded_whole(codec, rows, skip_special=skip_special):
            write_text(data)
        return
    for batch in rows:
        write_text(decoded_rows(codec, batch, skip_special=skip_special))
