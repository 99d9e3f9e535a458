"""`bpe-transformer encode`: text to ids."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from bpe_transformer.cli.support.console import progress, stdin_bytes
from bpe_transformer.cli.support.text_input import SpecialPolicy, at_once_option, decoded, line_blocks, text_options
from bpe_transformer.cli.support.tokenizer_argument import open_tokenizer
from bpe_transformer.errors import EncodingError, SpecialTokenError

if TYPE_CHECKING:
    from bpe_transformer import Encodings, Tokenizer
    from bpe_transformer.tokenizer.encoding.inputs import Rows


@click.command(
    epilog="""\b
Examples:
  bpe-transformer encode tok "low lower newest"
  bpe-transformer encode tok < corpus.txt > corpus.ids
  cat page.html | bpe-transformer encode tok --whole --format json
  bpe-transformer encode tok --format npy --offsets offsets.npy < corpus.txt > ids.npy
  bpe-transformer encode tok --files corpus/ --files more.txt.gz -o corpus.ids --whole
"""
)
@click.argument("tokenizer", type=click.Path())
@click.argument("text", required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(["ids", "json", "npy", "arrow"]),
    help="A line a text, of ids between spaces (default) or as a JSON list; a NumPy array; or an Arrow stream of lists.",
)
@click.option(
    "--offsets", type=click.Path(dir_okay=False), help="With npy: where each text begins in it, as another array."
)
@click.option(
    "--files", multiple=True, type=click.Path(), help="Encode this file or folder instead, repeatable, to -o."
)
@click.option(
    "-o", "--output", type=click.Path(file_okay=False), help="With --files: a folder of ids, their offsets and totals."
)
@click.option("--overwrite", is_flag=True, help="With --files: begin anew where other things were encoded before.")
@click.option("--whole", is_flag=True, help="Take the input as one text, newlines included.")
@click.option("--bos", "add_bos", is_flag=True, help="Put the beginning-of-sequence token before each text.")
@click.option("--eos", "add_eos", is_flag=True, help="Put the end-of-sequence token after each text.")
@at_once_option
@text_options("strict", "replace", "keep")
def command(
    tokenizer: str,
    text: str | None,
    form: str | None,
    offsets: str | None,
    files: tuple[str, ...],
    output: str | None,
    overwrite: bool,
    whole: bool,
    add_bos: bool,
    add_eos: bool,
    allow_special: tuple[str, ...],
    special_as_text: bool,
    errors: str,
    at_once: bool,
) -> None:
    """Turn TEXT, or each line of standard input, into ids on standard output.

    A line is taken without its newline; decode puts it back. With --whole the input comes back byte for byte.
    --errors keep encodes bytes that are not UTF-8 as they are, which vocabularies of bytes can. NumPy arrays hold 16-bit
    numbers for up to 65,536 ids, else 32-bit ones, and texts one after another: --offsets says where each begins.

    With --files, files are read where they lie and ids written to a folder, as npy (default) or arrow; each line is a text,
    or with --whole each file. A run that was stopped goes on when it is started again.
    """
    from bpe_transformer.cli.support.id_streams import writer

    if bool(files) != (output is not None) or (files and text is not None):
        raise click.UsageError("--files and -o go together, without TEXT: what to read and the folder to write")
    if offsets is not None and form != "npy":
        raise click.UsageError("--offsets goes with --format npy; the other formats keep texts apart themselves")
    learned = open_tokenizer(tokenizer)
    policy = SpecialPolicy.of(learned, allow_special, special_as_text)
    framing: dict[str, Any] = {"add_bos": add_bos, "add_eos": add_eos}
    if files:
        kind = "line" if not whole else "file"
        return _encode_files(learned, files, output, form, kind, errors, overwrite, {**policy.arguments, **framing})
    out = writer(form or "ids", learned, offsets, one_text=text is not None or whole)
    if text is not None:
        raw = text.encode("utf-8", "surrogateescape")
        source = decoded(raw, errors, name="the text")
        policy.check(learned, source, "the text")
        out.write(learned.encode_batch([raw if errors == "keep" else source], **policy.arguments, **framing))
    elif whole:
        for part in _whole(learned, policy, errors, framing):
            out.write(part)
    else:
        for block in _lines(learned, policy, errors, framing, at_once):
            out.write(block)
    out.close()


def _lines(
    tokenizer: Tokenizer, policy: SpecialPolicy, errors: str, framing: dict[str, Any], at_once: bool
) -> Iterator[Encodings]:
    import numpy as np

    from bpe_transformer.tokenizer.encoding.inputs import Rows

    line = offset = 0
    for block in line_blocks(at_once=at_once):
        data = _checked(block, errors, offset, line)
        stops = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n"))
        if not data.endswith(b"\n"):
            stops = np.append(stops, len(data))
        rows = Rows([(data, np.concatenate([[0], stops[:-1] + 1]), stops)])
        try:
            yield tokenizer.encode_batch(rows, **policy.arguments, **framing)
        except (SpecialTokenError, EncodingError) as problem:
            raise _with_line(problem, tokenizer, policy, rows, line) from None
        line += len(stops)
        offset += len(block)


def _checked(block: bytes, errors: str, offset: int, line: int) -> bytes:
    """The bytes that are encoded. Raises `InvalidUtf8Error` with the position in the input and the line."""
    from bpe_transformer import _core

    if errors == "keep" or (valid := _core.valid_prefix(block, 0, len(block))) == len(block):
        return block
    if errors == "replace":
        return block.decode("utf-8", "replace").encode()
    begin = block.rfind(b"\n", 0, valid) + 1
    decoded(block[begin:].partition(b"\n")[0], errors, offset + begin, line + block.count(b"\n", 0, valid) + 1)
    raise AssertionError("bytes that are not UTF-8 were decoded")


def _with_line(problem: Exception, tokenizer: Tokenizer, policy: SpecialPolicy, rows: Rows, before: int) -> Exception:
    """The problem of a batch, told of its line."""
    for number, row in enumerate(rows, before + 1):
        try:
            policy.check(tokenizer, row.decode("utf-8", "surrogateescape"), f"line {number:,}")
            tokenizer.encode(row, **policy.arguments)
        except SpecialTokenError as found:
            return found
        except EncodingError as found:
            return EncodingError(f"line {number:,}: {found}")
    return problem


class _StandardInput:
    """Standard input as the pieces of a file are read."""

    path = "standard input"

    def __init__(self) -> None:
        self._stream = stdin_bytes()

    def readinto(self, buffer: memoryview) -> int:
        return self._stream.readinto(buffer)  # type: ignore[attr-defined,no-any-return]


def _whole(tokenizer: Tokenizer, policy: SpecialPolicy, errors: Any, framing: dict[str, Any]) -> Iterator[Encodings]:
    """The ids of all of standard input, in pieces that split as the whole does."""
    from bpe_transformer.tokenizer.files.file_texts import FileTexts

    special = policy.arguments
    texts = FileTexts([], tokenizer.codec, "file", errors, special["allowed_special"], special["disallowed_special"])
    before = tokenizer.encode_batch([b""], add_bos=framing["add_bos"])
    after = tokenizer.encode_batch([b""], add_eos=framing["add_eos"])
    if len(before.ids):
        yield before
    for part, _, _ in texts.parts(_StandardInput()):
        try:
            yield tokenizer.encode_batch(part.rows, **special)
        except (SpecialTokenError, EncodingError):
            for row in part.rows:
                policy.check(tokenizer, row.decode("utf-8", "surrogateescape"), "the text")
                tokenizer.encode(row, **special)
            raise
    if len(after.ids):
        yield after


def _encode_files(
    tokenizer: Tokenizer,
    files: tuple[str, ...],
    output: str | None,
    form: str | None,
    documents: Any,
    errors: Any,
    overwrite: bool,
    options: dict[str, Any],
) -> None:
    assert output is not None
    if form in ("ids", "json"):
        raise click.UsageError(f"--format {form} goes to standard output; with --files give npy or arrow")
    with progress() as display:
        task = display.add_task("encoding", total=None, unit="bytes")
        try:
            encoded = tokenizer.encode_files(
                files,
                output,
                format=form or "npy",  # type: ignore[arg-type]  # one of the two, as checked
                documents=documents,
                errors=errors,
                overwrite=overwrite,
                progress=lambda done, total: display.update(task, completed=done, total=total),
                **options,
            )
        except KeyboardInterrupt:
            click.echo("interrupted: run the same command again to go on from here", err=True)
            raise SystemExit(130) from None
    totals = encoded.totals
    rest = f", {totals.replaced:,} places replaced" if totals.replaced else ""
    click.echo(
        f"{output}: {totals.ids:,} ids of {totals.documents:,} texts ({totals.empty:,} empty), {totals.bytes:,} bytes{rest}",
        err=True,
    )
