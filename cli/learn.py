"""`bpe-transformer learn`: from corpora to a saved vocabulary."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from bpe_transformer.cli._common import messages, print_json, progress, stdin_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpe_transformer import PretokenCounts, Tokenizer
    from bpe_transformer.tokenizer.pretokenization import PreTokenization

DEFAULT_UNK = "<unk>"  # units of characters only: bytes are never unknown


@click.command(
    epilog="""\b
Examples:
  bpe-transformer learn python-stdlib -o tok --vocab-size 8000
  bpe-transformer learn low-lower -o tok --vocab-size 24 --unit char
  cat *.txt | bpe-transformer learn - -o tok --vocab-size 4000 --pattern o200k
  bpe-transformer learn ko-words.txt -o more --vocab-size 12000 --base tok
  bpe-transformer learn python-stdlib -o wide --vocab-size 8000 --superwords 6000
"""
)
@click.argument("corpora", nargs=-1, required=True, metavar="CORPUS...")
@click.option("-o", "--output", required=True, type=click.Path(file_okay=False), help="Folder for tokenizer.json.")
@click.option("--vocab-size", required=True, type=click.IntRange(min=1), help="Tokens in all, special tokens included.")
@click.option("--pattern", help="cl100k, gpt2, o200k, whitespace or a regex. [cl100k; unit char: whitespace]")
@click.option("--unit", type=click.Choice(["byte", "char"]), help="The base alphabet. [byte]")
@click.option("--base", type=click.Path(exists=True), help="Go on from this vocabulary; all its ids stay.")
@click.option(
    "--superwords", type=click.IntRange(min=0), metavar="N", help="Let tokens span spaces after N merges within words."
)
@click.option("--end-of-word", metavar="MARK", help="Mark on the last character of a word, such as '</w>' (unit char).")
@click.option("--unk-token", metavar="TOKEN", help="For unknown characters. [unit char: <unk>]")
@click.option(
    "--byte-fallback", is_flag=True, help="Unknown characters become their bytes, 256 more tokens (unit char)."
)
@click.option(
    "--character-coverage",
    type=click.FloatRange(0, 1, min_open=True),
    default=1.0,
    metavar="SHARE",
    help="Only the most frequent characters that cover this share of the text, such as 0.9995 (unit char). [1]",
)
@click.option(
    "--required-characters", default="", metavar="TEXT", help="Characters always in the alphabet (unit char)."
)
@click.option(
    "--normalization", type=click.Choice(["NFC", "NFD", "NFKC", "NFKD"]), help="Unicode form of all text. [none]"
)
@click.option("--protect", multiple=True, metavar="TEXT", help="Never split or merge across this text, repeatable.")
@click.option("--protect-regex", multiple=True, metavar="REGEX", help="The same for every match, repeatable.")
@click.option("--protected-tokens", is_flag=True, help="One id for each --protect text.")
@click.option("--special", multiple=True, metavar="TOKEN", help="Special token, repeatable. [<pad> <s> </s>]")
@click.option("--no-special", is_flag=True, help="Learn without special tokens.")
@click.option("--alphabet-order", type=click.Choice(["byte", "gpt2"]), help="Order of the 256 byte tokens. [byte]")
@click.option("--min-frequency", type=click.IntRange(min=1), default=1, show_default=True, help="Merge no rarer pair.")
@click.option("--max-token-bytes", type=click.IntRange(min=1), metavar="N", help="Make no longer token. [no limit]")
@click.option("--from", "source_dir", metavar="DIR", help="Folder with the files of a public corpus.")
@click.option("--split", default="train", show_default=True, help="Split of the corpora.")
@click.option(
    "--errors", type=click.Choice(["strict", "replace"]), default="strict", show_default=True, help="Bad UTF-8."
)
@click.option("--threads", type=click.IntRange(min=1), metavar="N", help="Threads for counting. [all cores]")
@click.option("--columns", metavar="NAME,NAME", help="Columns to learn from. [all text columns]")
@click.option("--live", is_flag=True, help="Show the newest merges while learning.")
@click.option("--words", metavar="WORD,WORD", help="With --live, show what the merges make of these words.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON on standard output.")
def command(
    corpora: tuple[str, ...], output: str, vocab_size: int, superwords: int | None, as_json: bool, **rest: Any
) -> None:
    """Learn a BPE vocabulary from corpora: listed names, files, folders, or - for standard input."""
    from bpe_transformer import Tokenizer, learn_bpe, learn_superwords
    from bpe_transformer.errors import LearningError

    _check_usage(superwords, rest)
    if rest["live"]:
        from bpe_transformer.cli._live import check_terminal

        check_terminal(messages())
    base = Tokenizer.load(rest["base"]) if rest["base"] else None
    split = _pretokenization(rest, base)
    options = _learning_options(rest, base)
    with progress() as display:

        def counted(pattern: PreTokenization, label: str) -> PretokenCounts:
            return count(
                corpora,
                pattern=pattern,
                split=rest["split"],
                source_dir=rest["source_dir"],
                errors=rest["errors"],
                num_threads=rest["threads"],
                columns=rest["columns"].split(",") if rest["columns"] else None,
                progress=_reporter(display, label, unit="bytes"),
            )

        counts = counted(split, "counting")
        wide = None if superwords is None else counted(replace(split, pattern="superword"), "counting across spaces")
        if wide is not None and wide.pattern != "superword":
            raise LearningError(f"{', '.join(corpora)} holds words without their texts; superwords need texts")
    with _shown(rest["live"], rest["words"]) as shown:
        if wide is None or superwords is None:
            tokenizer = learn_bpe(counts, vocab_size, base=base, **shown, **options)
        else:
            tokenizer = learn_superwords(counts, wide, vocab_size, transition=superwords, **shown, **options)
    tokenizer.save(output)
    summary = _summary(counts, tokenizer, vocab_size, output)
    if as_json:
        print_json(summary)
    _tell(summary, tokenizer)


@contextmanager
def _shown(live: bool, words: str | None) -> Iterator[dict[str, Any]]:
    """What the learner reports to: a bar, or with --live the newest merges and what they make of `words`."""
    if live:
        from bpe_transformer.cli._live import watching

        with watching(messages(), words.split(",") if words else []) as watch:
            yield {"watch": watch}
    else:
        with progress() as display:
            yield {"progress": _reporter(display, "learning")}


def _check_usage(superwords: int | None, rest: dict[str, Any]) -> None:
    if rest["special"] and rest["no_special"]:
        raise click.UsageError("--special and --no-special contradict each other; give one of them")
    if rest["words"] and not rest["live"]:
        raise click.UsageError("--words goes with --live")
    if rest["base"] is None:
        return
    if superwords is not None:
        raise click.UsageError("--superwords begins from nothing; leave --base out")
    for name in ("pattern", "normalization", "protect", "protect_regex"):
        if rest[name]:
            option = "--" + name.replace("_", "-")
            raise click.UsageError(f"{option} is fixed by --base, which splits as it was learned; leave {option} out")


def _pretokenization(rest: dict[str, Any], base: Tokenizer | None) -> PreTokenization:
    import re

    from bpe_transformer.tokenizer.pretokenization import PreTokenization

    if base is not None:
        return base.model.pretokenization
    pattern = rest["pattern"] or ("whitespace" if rest["unit"] == "char" else "cl100k")
    return PreTokenization(pattern, rest["normalization"], (*map(re.escape, rest["protect"]), *rest["protect_regex"]))


def _learning_options(rest: dict[str, Any], base: Tokenizer | None) -> dict[str, Any]:
    """What `learn_bpe` is given: the options of the same names, and defaults that a base vocabulary does without."""
    from bpe_transformer.data import SPECIAL_TOKENS

    names = ("unit", "end_of_word", "unk_token", "alphabet_order", "min_frequency", "max_token_bytes", "byte_fallback")
    options = {name: rest[name] for name in (*names, "character_coverage", "required_characters", "protected_tokens")}
    if base is None and rest["unit"] == "char" and not rest["byte_fallback"]:
        options["unk_token"] = rest["unk_token"] or DEFAULT_UNK
    default = () if base is not None else SPECIAL_TOKENS
    return {**options, "special_tokens": () if rest["no_special"] else rest["special"] or default}


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
    merges, trace = len(tokenizer.merges), tokenizer.trace
    named = len(tokenizer.special_tokens) + len(tokenizer.model.added_tokens)
    return {
        "documents": counts.num_documents,
        "bytes": counts.num_bytes,
        "distinct_words": len(counts),
        "words": counts.total,
        "pattern": counts.pattern,
        "vocab_size": tokenizer.vocab_size,
        "vocab_size_asked": asked,
        "base_tokens": tokenizer.vocab_size - merges - named,
        "special_tokens": list(tokenizer.special_tokens),
        "protected_tokens": list(tokenizer.model.added_tokens),
        "merges": merges,
        "merges_of_base": trace.first_rank if trace is not None else None,
        "ties": trace.ties if trace is not None else None,
        "characters_left_out": trace.characters_left_out if trace is not None else None,
        "occurrences_left_out": trace.occurrences_left_out if trace is not None else None,
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
    if summary["protected_tokens"]:
        parts += f" + {len(summary['protected_tokens'])} protected"
    rows = [
        ("corpus", read),
        ("vocabulary", f"{summary['vocab_size']:,} = {parts} + {times(summary['merges'], 'merge')}"),
        ("ties", f"{times(summary['ties'], 'merge')} decided by the tie rule"),
        ("special tokens", " ".join(summary["special_tokens"]) or "none"),
        ("digest", summary["digest"]),
        ("saved", f"{summary['output']}/tokenizer.json"),
    ]
    if summary["merges_of_base"]:
        rows.insert(2, ("base", f"{times(summary['merges_of_base'], 'merge')} of it, and all its ids, were kept"))
    if left_out := summary["characters_left_out"]:
        often = times(summary["occurrences_left_out"], "occurrence")
        rows.insert(2, ("left out", f"{times(left_out, 'character')} of the alphabet with {often}"))
    if summary["vocab_size"] < summary["vocab_size_asked"]:
        rows.insert(2, ("note", f"asked for {summary['vocab_size_asked']:,}: no pair to merge was left"))
    console = messages()
    console.print(facts([(label, Text(value, overflow="fold")) for label, value in rows]))
    first = summary["merges_of_base"] or 0
    if tokenizer.merges[first:]:
        console.print(Text("first merges", "dim"))
        console.print(trace_table(tokenizer, first, first + 5))
