"""`bpe-transformer learn`: from corpora to a saved vocabulary."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import click

from bpe_transformer.cli.support.console import messages, print_json, progress, reporter, say
from bpe_transformer.cli.support.corpus_counting import CorpusCounting, counted_facts, say_counted
from bpe_transformer.cli.support.counting_options import (
    CountingOptions,
    SplittingOptions,
    as_dataclass,
    counting_options,
    given,
    splitting_options,
)
from bpe_transformer.cli.support.options import json_option, output_option, overwrite_option, whole_number
from bpe_transformer.cli.support.outputs import check_vocab_size, claim_output, refuse_existing, save_tokenizer

if TYPE_CHECKING:
    from bpe_transformer import PretokenCounts, Tokenizer
    from bpe_transformer.tokenizer import LearningInterrupted

ROLES = ("pad", "bos", "eos", "mask", "cls", "sep")  # that have an option each; that of unk is --unk-token
DEFAULT_ROLES = ("pad", "bos", "eos")  # of the special tokens, unless others are named
DEFAULT_UNK = "<unk>"  # units of characters only: bytes are never unknown


@dataclass(frozen=True)
class VocabularyOptions:
    """The options of the vocabulary to learn; fields that `learn_bpe` has too have the same names."""

    vocab_size: int
    unit: Literal["byte", "char"] | None
    base: str | None
    superwords: int | None
    end_of_word: str | None
    unk_token: str | None
    byte_fallback: bool
    character_coverage: float
    required_characters: str
    protected_tokens: bool
    special: tuple[str, ...]
    no_special: bool
    pad: str | None
    bos: str | None
    eos: str | None
    mask: str | None
    cls: str | None
    sep: str | None
    alphabet_order: Literal["byte", "gpt2"] | None
    min_frequency: int
    max_token_bytes: int | None

    def arguments(self) -> dict[str, Any]:
        """The options as keywords of `learn_bpe`; without a base vocabulary, with the defaults of the command line."""
        from bpe_transformer.tokenizer.vocabulary.roles import CONVENTIONAL

        names = ("unit", "end_of_word", "alphabet_order", "min_frequency", "max_token_bytes", "byte_fallback")
        more = ("character_coverage", "required_characters", "protected_tokens", "unk_token")
        chosen = {name: getattr(self, name) for name in (*names, *more)}
        if self.base is None and self.unit == "char" and not self.byte_fallback:
            chosen["unk_token"] = self.unk_token or DEFAULT_UNK
        roles = {role: token for role in ROLES if (token := getattr(self, role)) is not None}
        special = self.special
        if not special and self.base is None and not self.no_special:
            special = tuple(roles.get(role, CONVENTIONAL[role]) for role in DEFAULT_ROLES)
        return {**chosen, "special_tokens": special, "roles": roles}


vocabulary_options = as_dataclass(
    VocabularyOptions,
    "vocabulary",
    click.option(
        "--vocab-size", required=True, type=whole_number(1), metavar="N", help="Tokens in all, special tokens included."
    ),
    click.option("--unit", type=click.Choice(["byte", "char"]), help="The base alphabet. [byte]"),
    click.option(
        "--base", type=click.Path(exists=True), metavar="DIR", help="Go on from this vocabulary; all its ids stay."
    ),
    click.option(
        "--superwords", type=whole_number(0), metavar="N", help="Let tokens span spaces after N merges within words."
    ),
    click.option(
        "--end-of-word", metavar="MARK", help="Mark on the last character of a word, such as '</w>' (unit char)."
    ),
    click.option("--unk-token", metavar="TOKEN", help="For unknown characters. [unit char: <unk>]"),
    click.option(
        "--byte-fallback", is_flag=True, help="Unknown characters become their bytes, 256 more tokens (unit char)."
    ),
    click.option(
        "--character-coverage",
        type=click.FloatRange(0, 1, min_open=True),
        default=1.0,
        metavar="SHARE",
        help="Only the most frequent characters that cover this share of the text, such as 0.9995 (unit char). [1]",
    ),
    click.option(
        "--required-characters", default="", metavar="TEXT", help="Characters always in the alphabet (unit char)."
    ),
    click.option("--protected-tokens", is_flag=True, help="One id for each --protect text."),
    click.option("--special", multiple=True, metavar="TOKEN", help="Special token; repeatable. [<pad> <s> </s>]"),
    click.option("--no-special", is_flag=True, help="Learn without special tokens."),
    *(
        click.option(f"--{role}", metavar="TOKEN", help=f"Special token {use}.{default}")
        for role, use, default in (
            ("pad", "for padding", " [<pad>]"),
            ("bos", "for the beginning of a text", " [<s>]"),
            ("eos", "for its end", " [</s>]"),
            ("mask", "that hides another, for masked language models", ""),
            ("cls", "for the class of a text", ""),
            ("sep", "between two texts", ""),
        )
    ),
    click.option("--alphabet-order", type=click.Choice(["byte", "gpt2"]), help="Order of the 256 byte tokens. [byte]"),
    click.option(
        "--min-frequency",
        type=whole_number(1),
        default=1,
        show_default=True,
        metavar="N",
        help="Merge no pair that occurs less often.",
    ),
    click.option("--max-token-bytes", type=whole_number(1), metavar="N", help="Make no longer token. [no limit]"),
)


@click.command(
    epilog="""\b
Examples:
  bpe-transformer learn python-stdlib -o tok --vocab-size 8000
  bpe-transformer learn low-lower -o tok --vocab-size 24 --unit char
  cat *.txt | bpe-transformer learn - -o tok --vocab-size 4000 --pattern o200k
  bpe-transformer learn words.parquet more.txt.gz:0.3 -o tok --vocab-size 32000
  bpe-transformer learn ko-words.txt -o more --vocab-size 12000 --base tok
  bpe-transformer learn python-stdlib -o wide --vocab-size 8000 --superwords 6000
"""
)
@click.argument("corpora", nargs=-1, required=True, metavar="CORPUS...")
@output_option("Folder for tokenizer.json and the trace of the merges.", kind="folder")
@overwrite_option
@vocabulary_options
@splitting_options
@counting_options
@click.option("--live", is_flag=True, help="Show the newest merges while learning.")
@click.option("--words", metavar="WORD,WORD", help="With --live, show what the merges make of these words.")
@json_option
def command(
    corpora: tuple[str, ...],
    output: str,
    overwrite: bool,
    vocabulary: VocabularyOptions,
    splitting: SplittingOptions,
    counting: CountingOptions,
    live: bool,
    words: str | None,
    as_json: bool,
) -> None:
    """Learn a BPE vocabulary from corpora: listed names, files, folders, counts, or - for standard input.

    A vocabulary that --output holds already is left as it is unless the same is learned again: --overwrite replaces it.
    """
    from bpe_transformer import Tokenizer, learn_bpe, learn_superwords
    from bpe_transformer.tokenizer import LearningInterrupted
    from bpe_transformer.tokenizer.learning import check_options

    _check_usage(vocabulary, splitting, live, words)
    if live:
        from bpe_transformer.cli.support.viewers.live_viewer import check_terminal

        check_terminal(messages())
    _check_output(output, vocabulary, counting, overwrite=overwrite)
    base = Tokenizer.load(vocabulary.base) if vocabulary.base else None
    options = vocabulary.arguments()
    check_options(base, **options)
    counts, wide = _count(corpora, output, vocabulary, splitting, counting, base)
    try:
        with _reporting(live, words) as reporting:
            if wide is None or vocabulary.superwords is None:
                tokenizer = learn_bpe(counts, vocabulary.vocab_size, base=base, **reporting, **options)
            else:
                transition = vocabulary.superwords
                tokenizer = learn_superwords(
                    counts, wide, vocabulary.vocab_size, transition=transition, **reporting, **options
                )
    except LearningInterrupted as stop:
        _report_interruption(stop, output, keep=counting.keep_partial)
        sys.exit(130)
    save_tokenizer(tokenizer, output, overwrite=overwrite)
    summary = _summary(counts, tokenizer, vocabulary.vocab_size, output)
    if as_json:
        print_json(summary)
    _print_summary(summary, tokenizer)


def _check_output(output: str, vocabulary: VocabularyOptions, counting: CountingOptions, *, overwrite: bool) -> None:
    """Raises the errors that do not depend on the corpora before those are read."""
    claim_output(output)
    check_vocab_size(output, vocabulary.vocab_size, overwrite=overwrite)
    if counting.keep_partial:  # what is reached is another vocabulary than the whole
        refuse_existing(output, overwrite=overwrite)


def _count(
    corpora: tuple[str, ...],
    output: str,
    vocabulary: VocabularyOptions,
    splitting: SplittingOptions,
    counting: CountingOptions,
    base: Tokenizer | None,
) -> tuple[PretokenCounts, PretokenCounts | None]:
    """The counts to learn from; with --superwords, also those of pre-tokens that span spaces."""
    from bpe_transformer.errors import LearningError
    from bpe_transformer.tokenizer.splitting import DEFAULT_PATTERN

    default = "whitespace" if vocabulary.unit == "char" else DEFAULT_PATTERN
    pretokenizer = splitting.pretokenizer(default) if base is None else base.model.pretokenizer
    spans_spaces = vocabulary.superwords is not None
    with CorpusCounting.of(corpora, counting, pretokenizer, twice=spans_spaces) as counted:
        split = counted.split(default)
        if spans_spaces and any(part.counts is not None for part in counted.inputs):
            raise LearningError(f"{', '.join(corpora)} holds words without their texts; superwords need texts")
        keep_as = f"{output}/counts.parquet" if counting.keep_partial else None
        counts = counted.counts(split, "counting", keep_as)
        if not spans_spaces:
            return counts, None
        return counts, counted.counts(replace(split, pattern="superword"), "counting across spaces", None)


@contextmanager
def _reporting(live: bool, words: str | None) -> Iterator[dict[str, Any]]:
    """The callbacks of the learner as keywords: a bar, or with --live a view of the newest merges and of `words`."""
    if live:
        from bpe_transformer.cli.support.viewers.live_viewer import watching

        with watching(messages(), words.split(",") if words else []) as watch:
            yield {"watch": watch}
    else:
        with progress() as display:
            yield {"progress": reporter(display, "learning")}


def _check_usage(vocabulary: VocabularyOptions, splitting: SplittingOptions, live: bool, words: str | None) -> None:
    if vocabulary.special and vocabulary.no_special:
        raise click.UsageError("--special and --no-special contradict each other; give one of them")
    if words and not live:
        raise click.UsageError("--words goes with --live")
    if vocabulary.base is None:
        return
    if vocabulary.superwords is not None:
        raise click.UsageError("--superwords begins from nothing; leave --base out")
    for option in given(splitting):
        raise click.UsageError(f"{option} is fixed by --base, which splits as it was learned; leave {option} out")


def _report_interruption(stop: LearningInterrupted, output: str, *, keep: bool) -> None:
    """Reports how far learning came, and saves the merges so far with --keep-partial."""
    if not keep or not stop.tokenizer.merges:
        what = "nothing was written" + ("" if keep else "; --keep-partial keeps the merges so far")
        say(f"{stop}; {what}")
        return
    stop.tokenizer.save(output)
    say(f"{stop}; kept as {output}, a whole vocabulary of {stop.tokenizer.vocab_size:,}, marked partial")
    say(f"to go on from there: the same command with --base {output} and without what the base has fixed")


def _summary(counts: PretokenCounts, tokenizer: Tokenizer, wanted: int, output: str) -> dict[str, Any]:
    merges, trace = len(tokenizer.merges), tokenizer.trace
    named = len(tokenizer.special_tokens) + len(tokenizer.model.added_tokens)
    facts = counts.facts()
    return {
        "documents": counts.num_documents,
        "bytes": counts.num_bytes,
        "distinct_words": len(counts),
        "words": counts.total,
        "pattern": counts.pattern,
        **{name: facts[name] for name in ("dropped_words", "dropped_occurrences", "saturated", "partial", "sources")},
        "vocab_size": tokenizer.vocab_size,
        "vocab_size_asked": wanted,
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


def _print_summary(summary: dict[str, Any], tokenizer: Tokenizer) -> None:
    from rich.text import Text

    from bpe_transformer.inspection import trace_table
    from bpe_transformer.inspection.render import facts
    from bpe_transformer.io.printable import times

    read = f"{times(summary['words'], 'word')}, {summary['distinct_words']:,} distinct"
    if summary["documents"]:
        read = f"{times(summary['documents'], 'document')}, {times(summary['bytes'], 'byte')}, {read}"
    parts = f"{summary['base_tokens']:,} base + {len(summary['special_tokens'])} special"
    if summary["protected_tokens"]:
        parts += f" + {len(summary['protected_tokens'])} protected"
    rows = [
        ("corpus", read),
        *counted_facts(summary),
        ("vocabulary", f"{summary['vocab_size']:,} = {parts} + {times(summary['merges'], 'merge')}"),
        ("ties", f"{times(summary['ties'], 'merge')} decided by the tie rule"),
        ("special tokens", " ".join(summary["special_tokens"]) or "none"),
        ("digest", summary["digest"]),
        ("saved", f"{summary['output']}/tokenizer.json"),
    ]
    at = len(rows) - 4
    if summary["merges_of_base"]:
        rows.insert(at, ("base", f"{times(summary['merges_of_base'], 'merge')} of it, and all its ids, were kept"))
    if left_out := summary["characters_left_out"]:
        often = times(summary["occurrences_left_out"], "occurrence")
        rows.insert(at, ("left out", f"{times(left_out, 'character')} of the alphabet with {often}"))
    if summary["vocab_size"] < summary["vocab_size_asked"]:
        rows.insert(at, ("note", f"asked for {summary['vocab_size_asked']:,}: no pair to merge was left"))
    console = messages()
    console.print(facts(rows))
    first = summary["merges_of_base"] or 0
    if tokenizer.merges[first:]:
        console.print(Text("first merges", "dim"))
        console.print(trace_table(tokenizer, first, first + 5))
    say_counted(summary["sources"])
