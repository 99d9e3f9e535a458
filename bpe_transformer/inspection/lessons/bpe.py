"""The lesson `bpe`: four words, their pairs, and the merges until a new word needs no <unk>."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from bpe_transformer.errors import ConfigError, EncodingError
from bpe_transformer.inspection.base.visible import visible
from bpe_transformer.inspection.derivation import TraceStep, derive_word, replay_trace
from bpe_transformer.inspection.lessons.lesson import Step, Table
from bpe_transformer.inspection.lessons.request import Request
from bpe_transformer.inspection.lessons.writer import Writer
from bpe_transformer.io.printable import times

if TYPE_CHECKING:
    from bpe_transformer.tokenizer import Tokenizer

WORDS = {"low": 5, "lower": 2, "newest": 6, "widest": 3}  # of algorithm 1 of Sennrich et al. 2016
NEW_WORD = "lowest"
_UNK = "<unk>"
_MERGES = 10
_PAIRS = 4  # shown of each count
_MOST_WORDS = 12


def bpe_lesson(writer: Writer, request: Request) -> tuple[str, tuple[Step, ...]]:
    """Where the numbers come from, and the steps."""
    from bpe_transformer.tokenizer import PretokenCounts, learn_bpe

    corpus, new_word = _words(request.text)
    letters = {letter for word in corpus for letter in word}
    counts = PretokenCounts.from_words(corpus)
    tokenizer = learn_bpe(counts, vocab_size=len(letters) + 1 + _MERGES, unit="char", unk_token=_UNK)
    steps = list(replay_trace(corpus, tokenizer))
    written = ", ".join(f"{visible(word)} {count}" for word, count in corpus.items())
    tokens = sum(len(word) * count for word, count in corpus.items())
    found = [
        writer.step("problem", words=written, word=visible(new_word), unk=_UNK),
        writer.step("letters", _letters_table(writer, corpus), count=len(letters), tokens=tokens),
        *(
            _merge_step(writer, step, before)
            for step, before in zip(
                steps[: _needed(steps, new_word, tokenizer)],
                (tokens, *(step.tokens_left for step in steps)),
                strict=False,
            )
        ),
        _result_step(writer, new_word, tokenizer),
    ]
    basis = writer.label("basis_given" if request.text is None else "basis_text")
    return basis, tuple(found)


def _words(text: str | None) -> tuple[Counter[str], str]:
    """The words with their counts, and the new word: the last of a text that occurs only once."""
    if text is None:
        return Counter(WORDS), NEW_WORD
    *words, new_word = text.split() or [""]
    if not words or len(set(words)) > _MOST_WORDS:
        raise ConfigError(
            f"the text has {times(len(set(words)), 'different word')} before its last; give 1 to {_MOST_WORDS} to "
            "learn from, and as the last one the word to split, such as 'low low lower newest widest lowest'"
        )
    return Counter(words), new_word


def _letters_table(writer: Writer, corpus: Counter[str]) -> Table:
    rows = tuple((visible(word), str(count), " ".join(map(visible, word))) for word, count in corpus.items())
    return Table("", (writer.label("word"), writer.label("count"), writer.label("tokens")), rows)


def _needed(steps: list[TraceStep], new_word: str, tokenizer: Tokenizer) -> int:
    """Merges up to the last one that changes the new word, or the first few where none does."""
    try:
        ranks = derive_word(new_word, tokenizer).ranks
    except EncodingError:  # a letter that the corpus does not have
        ranks = ()
    return max([number for number, step in enumerate(steps, 1) if step.rank in ranks], default=min(len(steps), 2))


def _merge_step(writer: Writer, step: TraceStep, before: int) -> Step:
    """A merge; before: the tokens of the corpus until then."""
    left, right = map(visible, step.winner.tokens)
    pairs = Table(
        writer.label("pairs"),
        (writer.label("pair"), writer.label("count")),
        tuple((" ".join(map(visible, pair.tokens)), str(pair.count)) for pair in step.pairs[:_PAIRS]),
    )
    words = Table(
        writer.label("words"),
        (writer.label("word"), writer.label("tokens")),
        tuple((visible(word.word), " ".join(map(visible, word.tokens))) for word in step.after),
    )
    return writer.step(
        "merge",
        pairs,
        words,
        number=step.rank + 1,
        left=left,
        right=right,
        count=step.winner.count,
        merged=visible(step.new_token),
        tokens=step.tokens_left,
        saved=before - step.tokens_left,
        tie=writer.text("merge", "tied" if step.tied else "untied"),
    )


def _result_step(writer: Writer, word: str, tokenizer: Tokenizer) -> Step:
    ids = tokenizer.encode(word)
    tokens = [visible(tokenizer.token_bytes(id)) for id in ids]
    table = Table(visible(word), (writer.label("known"), "id"), tuple(zip(tokens, map(str, ids), strict=True)))
    name = "unknown" if _UNK in tokens else "result"
    return writer.step(name, table, word=visible(word), unk=_UNK, tokens=" + ".join(tokens))
