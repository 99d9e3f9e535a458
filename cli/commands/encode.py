"""`bpe-transformer encode`: text to ids."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import click

from bpe_transformer.cli.support.console import (
    progress,
    reader_may_leave,
    say,
    say_peak_memory,
    show_ledger,
    standard_output,
    stdin_bytes,
)
from bpe_transformer.cli.support.options import (
    cluster_option,
    errors_option,
    fail_above_option,
    file_option,
    output_option,
    overwrite_option,
    text_option,
    tokenizer_argument,
)
from bpe_transformer.cli.support.outputs import claim_output, refuse_existing
from bpe_transformer.cli.support.text_input import (
    SpecialPolicy,
    at_once_option,
    decoded,
    line_blocks,
    one_text,
    special_token_options,
)
from bpe_transformer.cli.support.tokenizer_files import open_tokenizer
from bpe_transformer.errors import EncodingError
from bpe_transformer.io.printable import times

if TYPE_CHECKING:
    from bpe_transformer import Tokenizer
    from bpe_transformer.io import ErrorsOrKeep
    from bpe_transformer.tokenizer.files import FileOptions
    from bpe_transformer.tokenizer.files.id_writers import IdWriter
    from bpe_transformer.tokenizer.files.text_streams import StreamOptions

Form = Literal["ids", "json", "npy", "arrow"]


@click.command(
    epilog="""\b
Examples:
  bpe-transformer encode tok "low lower newest"
  bpe-transformer encode tok < corpus.txt > corpus.ids
  cat page.html | bpe-transformer encode tok --whole --format json
  bpe-transformer encode tok --format npy --offsets offsets.npy < corpus.txt > ids.npy
  bpe-transformer encode tok --file corpus/ --file more.txt.gz -o corpus.ids --whole
"""
)
@tokenizer_argument
@click.argument("text", required=False, metavar="[TEXT]")
@text_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["ids", "json", "npy", "arrow"]),
    help="A line a text, of ids between spaces (default) or as a JSON list; a NumPy array; or an Arrow stream of lists.",
)
@click.option(
    "--offsets",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="With npy: where each text begins in it, as another array.",
)
@file_option("Encode this file or folder to --output; repeatable.")
@output_option("With --file: folder for the ids, their offsets and totals.", kind="folder", required=False)
@overwrite_option
@fail_above_option
@cluster_option
@click.option("--whole", is_flag=True, help="Take the input as one text, newlines included.")
@click.option("--bos", "add_bos", is_flag=True, help="Put the beginning-of-sequence token before each text.")
@click.option("--eos", "add_eos", is_flag=True, help="Put the end-of-sequence token after each text.")
@at_once_option
@special_token_options
@errors_option("keep")
def command(
    tokenizer: str,
    text: str | None,
    texts: tuple[str, ...],
    form: Form | None,
    offsets: str | None,
    files: tuple[str, ...],
    output: str | None,
    overwrite: bool,
    fail_above: float | None,
    cluster: str | None,
    whole: bool,
    add_bos: bool,
    add_eos: bool,
    allow_special: tuple[str, ...],
    special_as_text: bool,
    errors: ErrorsOrKeep,
    at_once: bool,
) -> None:
    """Turn TEXT, or each line of standard input, into ids on standard output.

    A line is taken without its end, \\n or \\r\\n; decode puts \\n back. With --whole the input comes back byte for byte.
    --errors keep encodes bytes that are not UTF-8 as they are, which vocabularies of bytes can. NumPy arrays hold 16-bit
    numbers for up to 65,536 ids, else 32-bit ones, and texts one after another: --offsets says where each begins.

    With --file, files are read where they lie and ids written to a folder, as npy (default) or arrow; each line is a text,
    or with --whole each file. Tables (.jsonl, .csv) are read as the text that they are; prepare reads their columns. A run
    that was stopped goes on when it is started again.
    """
    from bpe_transformer.tokenizer.files.id_writers import id_writer
    from bpe_transformer.tokenizer.files.text_streams import StreamOptions

    texts = one_text(text, texts)
    if bool(files) != (output is not None) or (files and texts):
        raise click.UsageError("--file and --output go together, without a text: what to read and the folder to write")
    if offsets is not None and form != "npy":
        raise click.UsageError("--offsets goes with --format npy; the other formats keep texts apart themselves")
    if offsets is not None:
        claim_output(offsets)
        refuse_existing(offsets, overwrite=overwrite)
    learned = open_tokenizer(tokenizer)
    _check_ends(learned, add_bos, add_eos)
    policy = SpecialPolicy.of(learned, allow_special, special_as_text)
    options = StreamOptions(errors=errors, **policy.arguments, add_bos=add_bos, add_eos=add_eos)
    if output is not None:
        return _encode_files(learned, files, output, form, whole, overwrite, fail_above, cluster, options)
    with reader_may_leave():
        # several texts are rows; a single one, or --whole, is one text whatever its newlines
        is_one = whole or len(texts) == 1
        out = id_writer(form or "ids", standard_output(), learned.vocab_size, one_text=is_one, row_starts_path=offsets)
        if texts:
            _encode_texts(learned, texts, policy, options, out)
        else:
            _encode_stdin(learned, options, out, whole=whole, at_once=at_once)
        out.close()


def _check_ends(tokenizer: Tokenizer, add_bos: bool, add_eos: bool) -> None:
    """Raises `EncodingError` if bos or eos is wanted and the vocabulary has none."""
    for option, wanted, token in (
        ("--bos", add_bos, tokenizer.model.bos_token),
        ("--eos", add_eos, tokenizer.model.eos_token),
    ):
        if wanted and token is None:
            name = "beginning" if option == "--bos" else "end"
            raise EncodingError(f"{option}: this vocabulary has no token for the {name} of a text; leave {option} out")


def _encode_texts(
    tokenizer: Tokenizer, texts: tuple[str, ...], policy: SpecialPolicy, options: StreamOptions, out: IdWriter
) -> None:
    rows = []
    for text in texts:
        raw = text.encode("utf-8", "surrogateescape")
        source = decoded(raw, options.errors, name="the text")
        policy.check(tokenizer, source, "the text")
        rows.append(raw if options.errors == "keep" else source)
    out.write(tokenizer.encode_batch(rows, **policy.arguments, add_bos=options.add_bos, add_eos=options.add_eos))


def _encode_stdin(tokenizer: Tokenizer, options: StreamOptions, out: IdWriter, *, whole: bool, at_once: bool) -> None:
    from bpe_transformer.tokenizer.files.text_streams import encode_lines, encode_stream

    if whole:
        encoded = encode_stream(tokenizer.codec, stdin_bytes(), options)
    else:
        encoded = encode_lines(tokenizer.codec, line_blocks(at_once=at_once), options)
    for batch in encoded:
        out.write(batch)


def _encode_files(
    tokenizer: Tokenizer,
    files: tuple[str, ...],
    output: str,
    form: Form | None,
    whole: bool,
    overwrite: bool,
    fail_above: float | None,
    cluster: str | None,
    options: StreamOptions,
) -> None:
    if form == "ids" or form == "json":
        raise click.UsageError(f"--format {form} goes to standard output; with --file give npy or arrow")
    from bpe_transformer.tokenizer.files import FileOptions, encode_files

    how = FileOptions(
        format=form or "npy",
        documents="file" if whole else "line",
        errors=options.errors,
        allowed_special=options.allowed_special,
        disallowed_special=options.disallowed_special,
        add_bos=options.add_bos,
        add_eos=options.add_eos,
    )
    with progress() as display:
        task = display.add_task("encoding", total=None, unit="bytes")

        def report(done: int, total: int) -> None:
            display.update(task, completed=done, total=total)

        try:
            if cluster is not None:
                return _encode_on_cluster(tokenizer, files, output, how, cluster, overwrite, fail_above, report)
            store = encode_files(tokenizer.codec, files, output, how, overwrite, fail_above, report)
        except KeyboardInterrupt:
            say("interrupted: run the same command again to go on from here")
            raise SystemExit(130) from None
    show_ledger(store.ledger)
    num_bytes = store.ledger.stages[0].received.bytes
    say(
        f"{output}: {store.num_ids:,} ids of {times(len(store), 'text')} ({store.num_empty:,} empty), {times(num_bytes, 'byte')}"
    )


def _encode_on_cluster(
    tokenizer: Tokenizer,
    files: tuple[str, ...],
    output: str,
    options: FileOptions,
    cluster: str,
    overwrite: bool,
    fail_above: float | None,
    report: Callable[[int, int], object],
) -> None:
    from bpe_transformer.data.cluster_encoding import encode_files_on_cluster

    how: dict[str, Any] = {"overwrite": overwrite, "fail_above": fail_above, "progress": report}
    facts = encode_files_on_cluster(tokenizer, files, output, options, cluster=cluster, **how)
    show_ledger(facts.ledger)
    ids, rows = (
        sum(counts) for counts in zip(*((shard.ids["ids"], shard.rows) for shard in facts.shards), strict=True)
    )
    say(f"{output}: {ids:,} ids of {times(rows, 'text')}, {times(facts.ledger.stages[0].received.bytes, 'byte')}")
    say_peak_memory()
