"""Mixtures, batches made in the background, and rows that are segmented anew: pure functions of seed and epoch as well."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.data import FlatRows, PackedBatch, PackedBatches, PairBatches
from bpe_transformer.data.batches import BackgroundBatches, ChainedBatches, EpochBatches, MixedBatches, ResampledRows
from bpe_transformer.errors import ConfigError

EOS = 2


def windows(first: int, number: int, **changes: Any) -> PackedBatches:
    """A source of `number` documents whose ids say which source, document and place they are of."""
    rows = FlatRows.of([first + 10 * row + place for place in range(row % 4 + 1)] for row in range(number))
    options: dict[str, Any] = {"length": 4, "max_tokens": 8, "seed": 1, "start_id": EOS, "pad_id": 0, **changes}
    return PackedBatches(rows, **options)


def ids_of(batch: PackedBatch) -> list[int]:
    return sorted(batch.targets[batch.targets >= 0].tolist())


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(5, 40), min_size=2, max_size=3),
    weights=st.lists(st.floats(0.3, 1.0), min_size=3, max_size=3),
    packs=st.lists(st.sampled_from(["none", "concat", "best-fit"]), min_size=3, max_size=3),
    epoch=st.integers(0, 3),
    data=st.data(),
)
def test_a_mixture_goes_on_at_any_place(
    sizes: list[int], weights: list[float], packs: list[str], epoch: int, data: st.DataObject
) -> None:
    def mixture() -> MixedBatches[PackedBatch]:
        each = zip(sizes, packs, strict=False)
        sources = [windows(1_000 * number, size, pack=pack) for number, (size, pack) in enumerate(each, 1)]
        return MixedBatches(sources, weights[: len(sizes)])

    mixed = mixture()
    wanted = list(mixture().batches(epoch))
    assert len(wanted) == mixed.num_batches(epoch)
    start = data.draw(st.integers(0, len(wanted)))
    resumed = list(mixed.batches(epoch, start))
    assert all(
        torch.equal(one.ids, other.ids) and torch.equal(one.targets, other.targets)
        for one, other in zip(resumed, wanted[start:], strict=True)
    )


def test_each_source_of_a_mixture_goes_through_its_epochs() -> None:
    small, large = windows(1_000, 10), windows(2_000, 100)
    mixed = MixedBatches([small, large], [0.5, 0.5])
    batches = [batch for epoch in range(4) for batch in mixed.batches(epoch)]
    whose = [ids_of(batch)[0] // 1_000 for batch in batches]
    assert abs(whose.count(1) - whose.count(2)) <= 4  # an odd number of batches in each of the epochs
    assert max(len(run) for run in "".join(map(str, whose)).split("1")) <= 2  # evenly interleaved
    assert sum(portion.batches for portion in mixed.portions) == mixed.num_batches(0)
    assert mixed.portions[0].epochs > 4 > 1 > mixed.portions[1].epochs
    # in every epoch of a source each of its ids comes once, in another order
    for source, number in ((small, 1), (large, 2)):
        seen = [ids_of(batch) for batch, of in zip(batches, whose, strict=True) if of == number]
        every = sorted(id for batch in source.batches(0) for id in ids_of(batch))
        for epoch in range(len(seen) // source.num_batches(0)):
            some = seen[epoch * source.num_batches(0) : (epoch + 1) * source.num_batches(0)]
            assert sorted(id for ids in some for id in ids) == every
    assert mixed.facts() != MixedBatches([small, large], [0.6, 0.4]).facts()
    assert 0 <= mixed.padding(0).waste < 0.5
    with pytest.raises(ConfigError, match="2 corpora have the weights 1, 0"):
        MixedBatches([small, large], [1, 0])
    with pytest.raises(ConfigError, match="gives none of the"):
        MixedBatches([small, large], [1, 1e-9])


def test_a_chain_goes_through_its_sources() -> None:
    chain = ChainedBatches([windows(1_000, 10), windows(2_000, 9)])
    everything = [ids_of(batch) for batch in chain.batches(2)]
    assert len(everything) == chain.num_batches(2)
    assert [ids_of(batch) for batch in chain.batches(2, 3)] == everything[3:]
    assert [ids_of(batch) for batch in chain.batches(2, len(everything) - 1)] == everything[-1:]
    assert chain.padding(0).ids == 23 + 21


class Slow:
    """A source that takes its time, and may fail."""

    def __init__(self, source: PackedBatches, fails_at: int | None = None) -> None:
        self.source, self.fails_at = source, fails_at

    def batches(self, epoch: int, start: int = 0, *, rank: int = 0, world_size: int = 1) -> Iterator[PackedBatch]:
        for number, batch in enumerate(self.source.batches(epoch, start, rank=rank, world_size=world_size)):
            if number == self.fails_at:
                raise OSError("the disk is gone")
            time.sleep(0.002)
            yield batch

    def __getattr__(self, name: str) -> Any:
        return getattr(self.source, name)


def test_batches_are_made_while_the_loop_computes() -> None:
    source = windows(1_000, 200)
    wanted = [ids_of(batch) for batch in source.batches(1, 5)]
    ahead = BackgroundBatches(Slow(source))  # type: ignore[arg-type]
    seen = []
    for batch in ahead.batches(1, 5):
        seen.append(ids_of(batch))
        time.sleep(0.004)  # a step
    assert seen == wanted
    assert ahead.waiting < 0.2  # one after the other, a third
    assert (ahead.num_batches(1), ahead.facts(), ahead.padding(1)) == (
        source.num_batches(1),
        source.facts(),
        source.padding(1),
    )


@pytest.mark.parametrize("how", ["break", "error in the loop", "error in the source", "Ctrl-C"])
def test_the_thread_ends_however_the_loop_ends(how: str) -> None:
    before = threading.active_count()
    ahead = BackgroundBatches(Slow(windows(1_000, 200), 5 if how == "error in the source" else None))  # type: ignore[arg-type]

    def loop() -> None:
        for number, _ in enumerate(ahead.batches(0)):
            if number == 3 and how == "break":
                break
            if number == 3 and how == "error in the loop":
                raise ValueError
            if number == 3 and how == "Ctrl-C":
                raise KeyboardInterrupt

    expected = {
        "break": None,
        "error in the loop": ValueError,
        "error in the source": OSError,
        "Ctrl-C": KeyboardInterrupt,
    }
    if expected[how] is None:
        loop()
    else:
        with pytest.raises(expected[how]):  # type: ignore[arg-type]
            loop()
    assert threading.active_count() == before


@pytest.fixture(scope="module")
def trained() -> tuple[Tokenizer, list[str]]:
    texts = [f"the lower the newest number {n} is the widest of the lowest" for n in range(40)] + ["새 글자 새 글자"]
    counts = PretokenCounts.from_iterator(texts)
    return learn_bpe(counts, vocab_size=340, special_tokens=["<pad>", "<s>", "</s>"]), texts


def test_every_epoch_segments_the_same_texts_anew(trained: tuple[Tokenizer, list[str]]) -> None:
    tokenizer, texts = trained
    bos, eos = tokenizer.special_tokens["<s>"], tokenizer.special_tokens["</s>"]
    plain = FlatRows.of([bos, *tokenizer.encode(text), eos] for text in texts)

    def rows(epoch: int, dropout: float = 0.3, **changes: Any) -> list[list[int]]:
        resampled = ResampledRows(plain, tokenizer, framed=(1, 1), dropout=dropout, **{"seed": 1, **changes})
        found = resampled.at(epoch)
        return [found.ids[a:b].tolist() for a, b in zip(found.row_starts[:-1], found.row_starts[1:], strict=True)]

    first = rows(0)
    assert [tokenizer.decode(row[1:-1]) for row in first] == texts
    assert all((row[0], row[-1]) == (bos, eos) for row in first)
    assert rows(0) == first
    assert rows(1) != first
    assert rows(0, seed=2) != first
    assert sum(map(len, first)) > len(plain.ids) * 1.1
    longest = max(np.diff(plain.row_starts))
    bounded = rows(0, dropout=0.9, max_len=int(longest) + 2)
    assert max(map(len, bounded)) <= longest + 2
    assert [tokenizer.decode(row[1:-1]) for row in bounded] == texts
    broken = FlatRows.of([[bos, 200, eos]])  # half a character keeps its id
    assert ResampledRows(broken, tokenizer, framed=(1, 1), dropout=0.5, seed=1).at(0).ids.tolist() == [bos, 200, eos]


def test_batches_with_dropout_are_a_function_of_the_epoch(trained: tuple[Tokenizer, list[str]]) -> None:
    tokenizer, texts = trained
    plain = FlatRows.of([*tokenizer.encode(text), EOS] for text in texts)
    rows = ResampledRows(plain, tokenizer, framed=(0, 1), dropout=0.2, seed=3)

    def source() -> EpochBatches[Any]:
        def make(epoch: int) -> PairBatches:
            return PairBatches(rows.at(epoch), rows.at(epoch), pad_id=0, max_tokens=200, seed=1)

        return EpochBatches(make, {"bpe_dropout": 0.2})

    wanted = list(source().batches(2))
    again = source()
    list(again.batches(0))
    assert again.num_batches(2) == len(wanted)
    resumed = list(again.batches(2, 1))
    assert all(torch.equal(one.src, other.src) for one, other in zip(resumed, wanted[1:], strict=True))
    assert again.padding(2).waste < 0.5
    assert again.facts() == {"bpe_dropout": 0.2}
