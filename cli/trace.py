"""`bpe-transformer trace`: the merges, step by step or as a table."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import click

from bpe_transformer.cli._common import output, print_json, view_options

FIRST_MERGES = 10
SHOWN_WORD = {"low-lower": "lowest"}  # the classic question: a word that never occurred


@click.command(
    epilog="""\b
Examples:
  bpe-transformer trace low-lower
  bpe-transformer trace low-lower --merges 12 --encode slowest
  bpe-transformer trace tok --range 100:120
  bpe-transformer trace tok --range -20:
  echo "hug pug pun bun hugs" | bpe-transformer trace -
"""
)
@click.argument("source")
@click.option("--merges", type=click.IntRange(min=1), metavar="N", help="Merges to learn and show (corpus). [10]")
@click.option("--encode", "words", multiple=True, metavar="WORD", help="Then encode this word, repeatable (corpus).")
@click.option("--range", "window", metavar="A:B", help="Ranks to show (tokenizer). [0:20]")
@view_options
def command(
    source: str, merges: int | None, words: tuple[str, ...], window: str | None, as_json: bool, width: int | None
) -> None:
    """Show the merges of SOURCE step by step.

    SOURCE is a small corpus of words, such as low-lower: it is learned on the spot, in units of characters. Or it is
    the folder of a learned tokenizer: a table of its merges. Or - for words on standard input.
    """
    if _is_tokenizer(source):
        if merges is not None or words:
            raise click.UsageError("--merges and --encode go with a corpus; for a tokenizer's folder give --range A:B")
        _show_table(source, *_parsed_range(window or "0:20"), as_json=as_json, width=width)
    else:
        if window is not None:
            raise click.UsageError("--range goes with a tokenizer's folder; for a corpus give --merges N")
        chosen = words or ((SHOWN_WORD[source],) if source in SHOWN_WORD else ())
        _show_steps(source, merges or FIRST_MERGES, chosen, as_json=as_json, width=width)


def _is_tokenizer(source: str) -> bool:
    path = Path(source)
    return (path / "tokenizer.json").is_file() or (path.is_file() and path.suffix == ".json")


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


def _show_table(source: str, start: int, stop: int | None, *, as_json: bool, width: int | None) -> None:
    from bpe_transformer import Tokenizer
    from bpe_transformer.inspection import trace_table

    table = trace_table(Tokenizer.load(source), start, stop)
    if as_json:
        print_json(table.as_dict())
    else:
        output(width).print(table)


def _show_steps(source: str, merges: int, words: tuple[str, ...], *, as_json: bool, width: int | None) -> None:
    from bpe_transformer import PretokenCounts, learn_bpe
    from bpe_transformer.cli.learn import DEFAULT_UNK, count
    from bpe_transformer.inspection import base_alphabet, encode_word, replay_trace

    corpus: Counter[str] = Counter()
    for raw, times in count((source,), pattern="whitespace").items():
        if word := raw.decode().strip():  # words as a person lists them, without the space before
            corpus[word] += times
    counts = PretokenCounts.from_words(corpus)
    letters = {letter for word in corpus for letter in word}
    tokenizer = learn_bpe(counts, vocab_size=len(letters) + 1 + merges, unit="char", unk_token=DEFAULT_UNK)
    alphabet = base_alphabet(tokenizer)
    steps = replay_trace(corpus, tokenizer)
    encoded = [encode_word(word, tokenizer, occurs=word in corpus) for word in words]
    if as_json:
        facts: dict[str, Any] = {"source": source, "digest": tokenizer.digest, "alphabet": alphabet.as_dict()}
        facts["steps"] = [step.as_dict() for step in steps]
        facts["encoded"] = [word.as_dict() for word in encoded]
        print_json(facts)
        return
    console = output(width)
    for view in (alphabet, *steps, *encoded):
        console.print(view)
