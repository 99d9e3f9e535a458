"""Ctrl-C in one call of the native core that takes long ends it at once, and leaves everything as it was."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bpe_transformer import PretokenCounter, PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.tokenizer.splitting.pretokenizer import Pretokenizer
from tests.conftest import TEXTS

BY_REGEX = r"(?:(\w)\1|\w+|.)"  # a pattern that the core cannot compile
TEXT = "".join(TEXTS) * 40_000  # some 35 MB

CALLS: dict[str, Callable[[Tokenizer], object]] = {
    "encode": lambda tok: tok.encode(TEXT),
    "count": lambda tok: tok.count(TEXT),
    "one text on two threads": lambda tok: tok.encode_batch(["", TEXT], num_threads=2),
    "small texts on two threads": lambda tok: tok.encode_batch([TEXTS[0]] * 200_000, num_threads=2),
    "offsets": lambda tok: tok.encode_offsets(TEXT),
    "dropout": lambda tok: tok.encode(TEXT[: len(TEXT) // 4], dropout=0.1, seed=1),
    "one word": lambda tok: tok.encode("newest" * 4_000_000),
    "tokens between texts": lambda tok: tok.encode("a<s>" * 4_000_000, allowed_special="all"),
    "counting": lambda tok: PretokenCounts.from_iterator([TEXT], num_threads=1),
}


@contextmanager
def interrupted_after(seconds: float) -> Iterator[None]:
    """What Ctrl-C does, when the process has worked for so long."""
    before = signal.signal(signal.SIGVTALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


@pytest.mark.parametrize("name", CALLS)
def test_a_long_call_ends_on_ctrl_c(mixed: Tokenizer, name: str) -> None:
    call = CALLS[name]
    start = time.process_time()
    call(mixed)
    whole = time.process_time() - start
    start = time.process_time()
    with pytest.raises(KeyboardInterrupt), interrupted_after(whole / 10):
        call(mixed)
    used = time.process_time() - start
    assert used < max(0.6 * whole, whole / 10 + 0.15), f"{used:.2f} s of {whole:.2f} s"
    assert mixed.decode(mixed.encode(TEXTS[0])) == TEXTS[0]


def test_ctrl_c_in_an_expression_that_python_matches_ends_all_threads(mixed: Tokenizer) -> None:
    tok = Tokenizer(replace(mixed.model, pretokenizer=Pretokenizer(BY_REGEX)))
    text, started = TEXT[:2_000_000], time.process_time()
    with interrupted_after(0.2), pytest.raises(KeyboardInterrupt):
        tok.encode_batch([text, text], num_threads=2)
    assert time.process_time() - started < 2  # a second of each thread


def test_a_handler_that_raises_nothing_changes_nothing(mixed: Tokenizer) -> None:
    calls = []
    before = signal.signal(signal.SIGVTALRM, lambda *_: calls.append(1))
    signal.setitimer(signal.ITIMER_VIRTUAL, 0.02, 0.02)
    try:
        encodings = mixed.encode_batch(["", TEXT], num_threads=2)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
    assert calls
    assert mixed.decode(encodings[1]) == TEXT


def test_a_handler_may_raise_what_it_likes(mixed: Tokenizer) -> None:
    def stop(*_: object) -> None:
        raise TimeoutError("long enough")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, 0.02)
    try:
        with pytest.raises(TimeoutError, match="long enough"):
            mixed.encode(TEXT)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def test_the_learner_ends_on_ctrl_c() -> None:
    words = {f"{number * 2654435761 % 2**32:b}": 2 for number in range(120_000)}
    counts = PretokenCounts.from_words(words)
    start = time.process_time()
    learn_bpe(counts, 1000)
    whole = time.process_time() - start
    start = time.process_time()
    with pytest.raises(KeyboardInterrupt), interrupted_after(whole / 10):
        learn_bpe(counts, 1000)
    assert time.process_time() - start < max(0.6 * whole, whole / 10 + 0.4)


@pytest.mark.parametrize(("pattern", "seconds"), [("o200k", 0.01), ("o200k", 0.03), ("o200k", 0.08), (BY_REGEX, 0.08)])
def test_what_an_interrupted_count_holds_is_what_it_says(pattern: str, seconds: float, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(
        (" " if pattern == "o200k" else "\n").join(map(str, range(4_000_000 if pattern == "o200k" else 400_000)))
    )
    counter = PretokenCounter(pattern, num_threads=2)
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        counter.add_file(tmp_path / "a.txt", documents="line" if pattern == BY_REGEX else "file")
    except KeyboardInterrupt:
        pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    size = counter.num_bytes
    assert sum(len(word) * count for word, count in counter.counts().items()) == size
