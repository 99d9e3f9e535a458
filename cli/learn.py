"""`bpe-transformer learn`: from corpora to a saved vocabulary."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import click

from bpe_transformer.cli._common import messages, print_json, progress, stdin_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpe_transformer import PretokenCounts, Tokenizer

DEFAULT_UNK = "<unk>"  # units of characters only: bytes are never unknown


@click.command(
    epilog="""\b
Examples:
  bpe-transformer learn python-stdlib -o tok --vocab-size 8000
  bpe-transformer learn low-lower -o tok --vocab-size 24 --unit char
  cat *.txt | bpe-transformer learn - -o tok --vocab-size 4000 --pattern o200k
"""
)
@click.argument("corpora", nargs=-1, required=True, metavar="CORPUS...")
@click.option("-o", "--output", required=True, type=click.Path(file_okay=False), help="Folder for tokenizer.json.")
@click.option("--vocab-size", required=True, type=click.IntRange(min=1), help="Tokens in all, special tokens included.")
@click.option("--pattern", help="cl100k, gpt2, o200k, whitespace or a regex. [cl100k; unit char: whitespace]")
@click.option(
    "--unit", type=click.Choice(["byte", "char"]), default="byte", show_default=True, help="The base alphabet."
)
@click.option("--end-of-word", metavar="MARK", help="Mark on the last character of a word, such as '</w>' (unit char).")
@click.option("--unk-token", metavar="TOKEN", help="For unknown characters. [unit char: <unk>]")
@click.option("--special", multiple=True, metavar="TOKEN", help="Special token, repeatable. [<pad> <s> </s>]")
@click.option("--no-special", is_flag=True, help="Learn without special tokens.")
@click.option(
    "--alphabet-order",
    type=click.Choice(["byte", "gpt2"]),
    default="byte",
    show_default=True,
    help="Order of the 256 byte tokens.",
)
@click.option("--min-frequency", type=click.IntRange(min=1), default=1, show_default=True, help="Merge no rarer pair.")
@click.option("--from", "source_dir", metavar="DIR", help="Folder with the files of a public corpus.")
@click.option("--split", default="train", show_default=True, help="Split of the corpora.")
@click.option(
    "--errors", type=click.Choice(["strict", "replace"]), default="strict", show_default=True, help="Bad UTF-8."
)
@click.option("--threads", type=click.IntRange(min=1), metavar="N", help="Threads for counting. [all cores]")
@click.option("--columns", metavar="NAME,NAME", help="Columns to learn from. [all text columns]")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON on standard output.")
def command(
    corpora: tuple[str, ...],
    output: str,
    vocab_size: int,
    pattern: str | None,
    unit: Literal["byte", "char"],
    end_of_word: str | None,
    unk_token: str | None,
    special: tuple[str, ...],
    no_special: bool,
    as_json: bool,
    **rest: Any,
) -> None:
    """Learn a BPE vocabulary from corpora: listed names, files, folders, or - for standard input."""
    if special and no_special:
        raise click.UsageError("--special and --no-special contradict each other; give one of them")
    from bpe_transformer import learn_bpe
    from bpe_transformer.data import SPECIAL_TOKENS

    with progress() as display:
        counts = count(
            corpora,
            pattern=pattern or ("whitespace" if unit == "char" else "cl100k"),
            split=rest["split"],
            source_dir=rest["source_dir"],
            errors=rest["errors"],
            num_threads=rest["threads"],
            columns=rest["columns"].split(",") if rest["columns"] else None,
            progress=_reporter(display, "counting", unit="bytes"),
        )
        tokenizer = learn_bpe(
            counts,
            vocab_size=vocab_size,
            special_tokens=() if no_special else special or SPECIAL_TOKENS,
            unit=unit,
            end_of_word=end_of_word,
            unk_token=unk_token or (DEFAULT_UNK if unit == "char" else None),
            alphabet_order=rest["alphabet_order"],
            min_frequency=rest["min_frequency"],
            progress=_reporter(display, "learning"),
        )
    tokenizer.save(output)
    summary = _summary(counts, tokenizer, vocab_size, output)
    if as_json:
        print_json(summary)
    _tell(summary, tokenizer)


def count(names: tuple[str, ...], **options: Any) -> PretokenCounts:
    """Counts listed corpora and files together; `-` is standard input, read as one document."""
    from bpe_transformer.data import count_corpus

    named = [name for name in names if name != "-"]
    parts = [count_corpus(named, **options)] if named else []
    if "-" in names:
        with _spooled_stdin() as path:
            parts.append(_counted_stdin(path, **options))
    return parts[0] if len(parts) == 1 else parts[0] + parts[1]


@contextmanager
def _spooled_stdin() -> Iterator[str]:
    """Standard input as a file, so that its size does not matter and it counts exactly as a file would."""
    import shutil
    import tempfile

    with tempfile.NamedTemporaryFile(suffix=".txt") as spool:
        shutil.copyfileobj(stdin_bytes(), spool)
        spool.flush()
        yield spool.name


def _counted_stdin(path: str, **options: Any) -> PretokenCounts:
    from bpe_transformer import PretokenCounts
    from bpe_transformer.errors import InvalidUtf8Error

    kept = {name: options[name] for name in ("pattern", "num_threads", "errors", "progress") if name in options}
    try:
        return PretokenCounts.from_files([path], **kept)
    except InvalidUtf8Error as problem:
        raise InvalidUtf8Error(str(problem).replace(path, "standard input")) from None


def _reporter(display: Any, label: str, **fields: Any) -> Callable[[int, int], None]:
    """A callback for the library's progress; its bar appears with the first report."""
    task: list[Any] = []

    def report(done: int, total: int) -> None:
        if not task:
            task.append(display.add_task(label, total=total, **fields))
        display.update(task[0], completed=done, total=total)

    return report


def _summary(counts: PretokenCounts, tokenizer: Tokenizer, asked: int, output: str) -> dict[str, Any]:
    merges, special = len(tokenizer.merges), len(tokenizer.special_tokens)
    return {
        "documents": counts.num_documents,
        "bytes": counts.num_bytes,
        "distinct_words": len(counts),
        "words": counts.total,
        "pattern": counts.pattern,
        "vocab_size": tokenizer.vocab_size,
        "vocab_size_asked": asked,
        "base_tokens": tokenizer.first_merge_id - special,
        "special_tokens": list(tokenizer.special_tokens),
        "merges": merges,
        "ties": tokenizer.trace.ties if tokenizer.trace is not None else None,
        "digest": tokenizer.digest,
        "output": output,
    }


def _tell(summary: dict[str, Any], tokenizer: Tokenizer) -> None:
    from rich.text import Text

    from bpe_transformer.inspection import trace_table
    from bpe_transformer.inspection.render import facts, times

    read = f"{times(summary['words'], 'word')}, {summary['distinct_words']:,} distinct"
    if summary["documents"]:
        read = f"{times(summary['documents'], 'document')}, {times(summary['bytes'], 'byte')}, {read}"
    parts = f"{summary['base_tokens']:,} base + {len(summary['special_tokens'])} special"
    rows = [
        ("corpus", read),
        ("vocabulary", f"{summary['vocab_size']:,} = {parts} + {times(summary['merges'], 'merge')}"),
        ("ties", f"{times(summary['ties'], 'merge')} decided by the tie rule"),
        ("special tokens", " ".join(summary["special_tokens"]) or "none"),
        ("digest", summary["digest"]),
        ("saved", f"{summary['output']}/tokenizer.json"),
    ]
    if summary["vocab_size"] < summary["vocab_size_asked"]:
        rows.insert(2, ("note", f"asked for {summary['vocab_size_asked']:,}: no pair to merge was left"))
    console = messages()
    console.print(facts([(label, Text(value, overflow="fold")) for label, value in rows]))
    if tokenizer.merges:
        console.print(Text("first merges", "dim"))
        console.print(trace_table(tokenizer, 0, 5))
