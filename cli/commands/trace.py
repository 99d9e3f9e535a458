"""`bpe-transformer trace`: the merges of a tokenizer, or of a few words learned on the spot."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from bpe_transformer.cli.support.console import output, print_json
from bpe_transformer.cli.support.options import view_options, whole_number
from bpe_transformer.cli.support.text_input import argument_text

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from bpe_transformer import Tokenizer
    from bpe_transformer.tokenizer.learning.learning_run import Watch

FIRST_MERGES = 10
FIRST_ROWS = 20
SHOWN_WORD = {"low-lower": "lowest"}  # the classic question: a word that never occurred


Order = Literal["count", "words", "length"]


@dataclass(frozen=True)
class Question:
    """The options that choose which merges are shown, and how."""

    window: str | None  # ranks, A:B
    rank: int | None
    by: Order | None
    limit: int | None
    words: list[str]
    step: bool

    @property
    def about_tokenizer(self) -> bool:
        """Whether the question can only be put to a learned tokenizer, not to an example."""
        return any(value is not None for value in (self.window, self.rank, self.by))

    def check(self) -> None:
        """Raises `click.UsageError` for options that exclude each other."""
        questions = {"--range": self.window, "--rank": self.rank, "--by": self.by, "--step": self.step or None}
        given = [name for name, value in questions.items() if value is not None]
        if (len(given) > 1 and set(given) != {"--rank", "--step"}) or (self.words and given and not self.step):
            raise click.UsageError(
                f"{' and '.join([*given, *(['--words'] if self.words else [])])} ask for different views; give one"
            )


def _complete_source(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Completes files, and `diff` as the first argument."""
    from click.shell_completion import CompletionItem

    found = [CompletionItem("diff")] if incomplete and "diff".startswith(incomplete) else []
    return [*found, CompletionItem(incomplete, type="file")]


@click.command(
    epilog="""\b
Examples:
  bpe-transformer trace low-lower
  bpe-transformer trace low-lower --merges 12 --words lowest,newest
  bpe-transformer trace tok --range 100:120
  bpe-transformer trace tok --rank 5000
  bpe-transformer trace tok --by length --limit 20
  bpe-transformer trace tok --step --words lowest,newest
  echo "hug pug pun bun hugs" | bpe-transformer trace -
  bpe-transformer trace low-lower --live --pace 0.5
  bpe-transformer trace diff tok other/tokenizer.json
"""
)
@click.argument("source", metavar="TOKENIZER|CORPUS", shell_complete=_complete_source)
@click.option("--merges", type=whole_number(1), metavar="N", help="Merges to learn (corpus). [10]")
@click.option("--encode", "encoded", multiple=True, metavar="WORD", help="Then encode this word; repeatable (corpus).")
@click.option("--range", "window", metavar="A:B", help="Ranks to show (tokenizer). [0:20]")
@click.option("--rank", type=whole_number(0), metavar="N", help="All about one merge (tokenizer).")
@click.option("--by", type=click.Choice(["count", "words", "length"]), help="The largest by this (tokenizer).")
@click.option("--limit", type=whole_number(1), metavar="N", help="With --by, show at most so many merges. [20]")
@click.option(
    "--words", metavar="WORD,WORD", help="How these words come together; with --step or --live, shown on the way."
)
@click.option("--step", is_flag=True, help="Walk through the merges with keys, in the terminal.")
@click.option("--live", is_flag=True, help="Watch the merges while they are learned (corpus).")
@click.option("--pace", type=click.FloatRange(min=0), metavar="SECONDS", help="With --live, wait after each merge. [0]")
@view_options
def command(
    source: str,
    merges: int | None,
    encoded: tuple[str, ...],
    words: str | None,
    step: bool,
    live: bool,
    pace: float | None,
    as_json: bool,
    width: int | None,
    window: str | None,
    rank: int | None,
    by: Order | None,
    limit: int | None,
) -> None:
    """Show the merges of a tokenizer or a corpus.

    A tokenizer is learned or imported: its folder, or its file. A corpus is a small one of words, such as
    low-lower, or - for words on standard input; it is learned on the spot, in units of characters, step by step.

    `trace diff` shows how the merges of two tokenizers differ.
    """
    if (step or live) and as_json:
        raise click.UsageError("--json goes without --step and --live, which draw in the terminal")
    if pace is not None and not live:
        raise click.UsageError("--pace goes with --live")
    chosen = [] if words is None else argument_text(words, "strict", "--words", "give words in UTF-8").split(",")
    if limit is not None and by is None:
        raise click.UsageError("--limit goes with --by, which orders the merges; without it give --range A:B")
    question = Question(window, rank, by, limit, chosen, step)
    if _is_tokenizer(source):
        if merges is not None or encoded or live:
            raise click.UsageError(
                "--merges, --encode and --live go with a corpus; "
                "for a tokenizer give --range A:B, --rank, --by, --words or --step"
            )
        _show_tokenizer(source, question, as_json, width)
    else:
        if question.about_tokenizer:
            raise click.UsageError("--range, --rank and --by go with a tokenizer; for a corpus give --merges N")
        if live:
            return _show_live(source, merges or FIRST_MERGES, chosen, pace or 0.0, width)
        _show_corpus(source, merges or FIRST_MERGES, encoded, question, as_json, width)


def _is_tokenizer(source: str) -> bool:
    """Whether a source is to be read as a tokenizer and not as a corpus: by its name, or by what a folder holds."""
    from bpe_transformer.cli.support.tokenizer_files import split_pattern
    from bpe_transformer.errors import FormatError
    from bpe_transformer.tokenizer.formats import locate

    path = Path(split_pattern(source)[0])
    if path.is_dir():
        try:
            return bool(locate(path))
        except FormatError:
            return False
    return path.is_file() and path.suffix in {".json", ".tiktoken", ".model", ".pkl"}


def _parsed_range(window: str) -> tuple[int, int | None]:
    start, colon, stop = window.partition(":")
    try:
        first = int(start) if start else 0
        if not colon:
            return first, first + 1 if first != -1 else None
        return first, int(stop) if stop else None
    except ValueError:
        raise click.BadParameter(
            f"{window!r} is not a range of ranks; write 0:20, 100: or -20:", param_hint="--range"
        ) from None


def _show_tokenizer(source: str, question: Question, as_json: bool, width: int | None) -> None:
    question.check()
    window, rank, words = question.window, question.rank, question.words
    parsed = _parsed_range(window) if window is not None else (0, FIRST_ROWS)
    from bpe_transformer.cli.support.tokenizer_files import open_tokenizer
    from bpe_transformer.inspection import merge_detail, top_merges, trace_table, word_timeline

    tokenizer = open_tokenizer(source)
    if question.step:
        from bpe_transformer.cli.support.viewers.step_viewer import walk

        return walk(tokenizer, words, rank, width)
    if words:
        view: Any = word_timeline(tokenizer, words)
    elif rank is not None:
        view = merge_detail(tokenizer, rank)
    elif question.by is not None:
        view = top_merges(tokenizer, question.limit or FIRST_ROWS, question.by)
    else:
        view = trace_table(tokenizer, *parsed)
    if as_json:
        print_json(view.as_dict())
    else:
        output(width).print(view)


def _show_corpus(
    source: str,
    merges: int,
    encoded: tuple[str, ...],
    question: Question,
    as_json: bool,
    width: int | None,
) -> None:
    corpus, tokenizer = _learned(source, merges)
    words = question.words
    if question.step:
        from bpe_transformer.cli.support.viewers.step_viewer import walk

        return walk(tokenizer, words or list(corpus)[:8], None, width)
    from bpe_transformer.inspection import base_alphabet, encode_word, replay_trace, word_timeline

    if words:
        timeline = word_timeline(tokenizer, words)
        return print_json(timeline.as_dict()) if as_json else output(width).print(timeline)
    alphabet = base_alphabet(tokenizer)
    steps = replay_trace(corpus, tokenizer)
    shown = encoded or ((SHOWN_WORD[source],) if source in SHOWN_WORD else ())
    ends = [encode_word(word, tokenizer, occurs=word in corpus) for word in shown]
    if as_json:
        facts: dict[str, Any] = {"source": source, "digest": tokenizer.digest, "alphabet": alphabet.as_dict()}
        facts["steps"] = [step.as_dict() for step in steps]
        facts["encoded"] = [word.as_dict() for word in ends]
        return print_json(facts)
    console = output(width)
    for view in (alphabet, *steps, *ends):
        console.print(view)


def _show_live(source: str, merges: int, words: list[str], pace: float, width: int | None) -> None:
    from bpe_transformer.cli.support.viewers.live_viewer import watching

    with watching(output(width), words or ([SHOWN_WORD[source]] if source in SHOWN_WORD else []), pace) as watch:
        _learned(source, merges, watch)


def _learned(source: str, merges: int, watch: Watch | None = None) -> tuple[Counter[str], Tokenizer]:
    """The words of a corpus as a person lists them, without the space before, and a vocabulary of their characters."""
    from bpe_transformer import PretokenCounts, learn_bpe
    from bpe_transformer.cli.commands.learn import DEFAULT_UNK
    from bpe_transformer.cli.support.console import stdin_bytes
    from bpe_transformer.cli.support.text_input import decoded
    from bpe_transformer.data import count_corpus

    if source == "-":
        found = PretokenCounts.from_iterator(
            [decoded(stdin_bytes().read(), "strict", remedy="convert it")], "whitespace"
        )
    else:
        found = count_corpus(source, pattern="whitespace")
    corpus: Counter[str] = Counter()
    for raw, times in found.items():
        if word := raw.decode().strip():
            corpus[word] += times
    letters = {letter for word in corpus for letter in word}
    size = len(letters) + 1 + merges
    counts = PretokenCounts.from_words(corpus)
    return corpus, learn_bpe(counts, vocab_size=size, unit="char", unk_token=DEFAULT_UNK, watch=watch)
