"""Batches: every row or id once an epoch, the same batches for the same seed, epoch and start, shared by processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import datasets
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bpe_transformer.data import BatchSource, FlatRows, LabelledBatches, MaskedBatches, PackedBatches, PairBatches
from bpe_transformer.data.batches import IGNORED, PACKS, LengthBuckets, Pack, pack, pad
from bpe_transformer.data.batches.packing import Fitted, best_fit
from bpe_transformer.errors import ConfigError, CorpusError

PAD, EOS = 0, 2
Documents = list[list[int]]
documents = st.lists(st.lists(st.integers(3, 99), max_size=30), min_size=1, max_size=25)


def rows_of(texts: Documents) -> FlatRows:
    return FlatRows.of([*text, EOS] for text in texts)


def packed(texts: Documents, kind: type[PackedBatches] | type[MaskedBatches] = PackedBatches, **changes: Any) -> Any:
    options: dict[str, Any] = {"length": 7, "max_tokens": 21, "seed": 1, "start_id": EOS, "pad_id": PAD, **changes}
    return kind(rows_of(texts), **options)


def pairs(texts: Documents, **changes: Any) -> PairBatches:
    others = FlatRows.of([1, *text[: len(text) // 2], EOS] for text in texts)
    options: dict[str, Any] = {"pad_id": PAD, "max_tokens": 70, "seed": 1, **changes}
    return PairBatches(rows_of(texts), others, **options)


def labelled(texts: Documents) -> LabelledBatches:
    return LabelledBatches(rows_of(texts), np.arange(len(texts)) % 3, pad_id=PAD, max_tokens=70, seed=1)


SOURCES: dict[str, Callable[[Documents], BatchSource[Any]]] = {
    "pairs": pairs,
    "labelled": labelled,
    **{how: partial(packed, pack=how) for how in PACKS},
    "masked": lambda texts: packed(texts, MaskedBatches),
}


def same(one: Any, other: Any) -> bool:
    """Whether two batches hold the same tensors."""
    return type(one) is type(other) and all(
        a is b is None or (a is not None and b is not None and torch.equal(a, b))
        for a, b in zip(one, other, strict=True)
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=1, max_size=300), st.booleans())
def test_every_row_once_and_within_the_bound(lengths: list[tuple[int, int]], shuffle: bool) -> None:
    batches = LengthBuckets(lengths, max_tokens=80, seed=3, shuffle=shuffle).batches(0)
    assert sorted(row for batch in batches for row in batch.tolist()) == list(range(len(lengths)))
    for side in (0, 1):
        assert all(max(lengths[row][side] for row in batch) * len(batch) <= 80 for batch in batches)


def test_buckets_pad_little_and_batches_come_in_disorder() -> None:
    lengths = np.random.default_rng(0).integers(3, 60, size=20_000)
    batches = LengthBuckets(lengths, max_tokens=2_000, seed=1).batches(0)
    padded = sum(int(lengths[batch].max()) * len(batch) for batch in batches)
    assert padded / lengths.sum() < 1.05
    longest = [int(lengths[batch].max()) for batch in batches]
    assert abs(np.corrcoef(longest, np.arange(len(longest)))[0, 1]) < 0.2
    ordered = LengthBuckets(lengths, max_tokens=2_000, seed=1, shuffle=False).batches(5)
    assert [int(lengths[batch].max()) for batch in ordered] == sorted(int(lengths[batch].max()) for batch in ordered)


def test_rows_that_fit_no_batch_are_refused() -> None:
    with pytest.raises(CorpusError, match="row 1 has 9 ids, more than max_tokens=8"):
        LengthBuckets([3, 9], max_tokens=8, seed=0)
    with pytest.raises(CorpusError, match="no row"):
        LengthBuckets([], max_tokens=8, seed=0)
    with pytest.raises(CorpusError, match="2 rows have 1 labels"):
        LabelledBatches(FlatRows.of([[1], [2]]), np.array([0]), pad_id=0, max_tokens=9, seed=0)
    with pytest.raises(CorpusError, match="2 source rows and 1 target rows are no pairs"):
        PairBatches(FlatRows.of([[1], [2]]), FlatRows.of([[1]]), pad_id=0, max_tokens=9, seed=0)


def test_pairs_are_padded_to_their_longest() -> None:
    assert torch.equal(pad([[5, 6, 2], [2]], 0), torch.tensor([[5, 6, 2], [2, 0, 0]]))
    src, tgt = FlatRows.of([[5, 6, 2], [2]]), FlatRows.of([[1, 2], [1, 7, 8, 2]])
    (batch,) = PairBatches(src, tgt, pad_id=0, max_tokens=20, seed=0, shuffle=False).batches(0)
    assert batch.src.dtype == torch.int64
    assert sorted(batch.src.tolist()) == [[2, 0, 0], [5, 6, 2]]
    assert sorted(batch.tgt.tolist()) == [[1, 2, 0, 0], [1, 7, 8, 2]]


@pytest.mark.parametrize("name", SOURCES)
@settings(max_examples=25, deadline=None)
@given(texts=documents, epoch=st.integers(0, 3), data=st.data())
def test_batches_are_a_function_of_the_epoch_and_where_they_start(
    name: str, texts: Documents, epoch: int, data: st.DataObject
) -> None:
    source = SOURCES[name](texts)
    wanted = list(SOURCES[name](texts).batches(epoch))
    assert len(wanted) == source.num_batches(epoch)
    list(source.batches(epoch + 1))  # what was done before does not matter, nor does a global generator
    torch.manual_seed(data.draw(st.integers(0, 9)))
    start = data.draw(st.integers(0, len(wanted)))
    resumed = list(source.batches(epoch, start))
    assert len(resumed) == len(wanted) - start
    assert all(same(one, other) for one, other in zip(resumed, wanted[start:], strict=True))


@pytest.mark.parametrize("name", SOURCES)
@settings(max_examples=15, deadline=None)
@given(texts=documents, world_size=st.integers(2, 4))
def test_processes_share_the_rows_of_every_batch(name: str, texts: Documents, world_size: int) -> None:
    source = SOURCES[name](texts)
    shares = [list(source.batches(0, rank=rank, world_size=world_size)) for rank in range(world_size)]
    for whole, *parts in zip(source.batches(0), *shares, strict=True):
        real = [part for part in parts if predicted(part)] or parts[:1]
        rows = [row for part in real for row in trimmed(part[0])]
        assert sorted(rows) == sorted(trimmed(whole[0]))
        assert sum(predicted(part) for part in parts) == predicted(whole)


def trimmed(ids: torch.Tensor) -> list[list[int]]:
    return [[id for id in row if id != PAD] for row in ids.tolist()]


def predicted(batch: Any) -> int:
    """Ids that can be predicted in a batch."""
    if hasattr(batch, "tgt"):
        return int((batch.tgt[:, 1:] != PAD).sum())
    if hasattr(batch, "labels"):
        return int((batch.labels != IGNORED).sum())
    return int((batch.targets != IGNORED).sum()) if hasattr(batch, "targets") else int((batch.ids != PAD).sum())


@pytest.mark.parametrize("how", PACKS)
@settings(max_examples=60, deadline=None)
@given(texts=documents, length=st.integers(1, 12), cross=st.booleans())
def test_every_id_is_predicted_once_from_its_own_document(
    how: Pack, texts: Documents, length: int, cross: bool
) -> None:
    # ids that tell their place in the corpus
    numbered = FlatRows.of(
        [100 * row + place + 3 for place in range(len(text))] + [100 * row + 102] for row, text in enumerate(texts)
    )
    source = PackedBatches(
        numbered, length=length, max_tokens=30, seed=2, pack=how, cross_documents=cross, start_id=EOS, pad_id=PAD
    )
    seen = []
    for batch in source.batches(4):
        assert batch.ids.shape == batch.targets.shape
        assert batch.ids.size(1) <= length
        for ids, targets, *marks in rows_in(batch):
            real = [place for place, target in enumerate(targets) if target != IGNORED]
            assert real == list(range(len(real)))  # padding stands at the end
            assert all(id == PAD for id in ids[len(real) :])
            seen += [targets[place] for place in real]
            for place in real:
                at = (targets[place] - 3) % 100
                begins = at == 0 or (at == 99 and not texts[(targets[place] - 3) // 100])
                assert ids[place] == (EOS if begins else before(targets[place], texts))
                if marks:
                    row_documents, positions = marks
                    new = place == 0 or row_documents[place] != row_documents[place - 1]
                    assert positions[place] == (0 if new else positions[place - 1] + 1)
                    assert new == (place == 0 or begins or before(targets[place], texts) != targets[place - 1])
    assert sorted(seen) == sorted(numbered.ids.tolist())
    assert source.padding(4).ids == len(seen)


def rows_in(batch: Any) -> list[tuple[list[int], ...]]:
    return list(zip(*(part.tolist() for part in batch if part is not None), strict=True))


def before(target: int, texts: Documents) -> int:
    """The id before `target` in its document: the end of document n is n * 100 + 102."""
    row, place = divmod(target - 3, 100)
    return 100 * row + 2 + (len(texts[row]) if place == 99 else place)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 20), max_size=60), st.integers(20, 25))
def test_best_fit_is_the_textbooks(sizes: list[int], length: int) -> None:
    rooms: list[int] = []
    wanted = [0] * len(sizes)
    for item in sorted(range(len(sizes)), key=lambda item: -sizes[item]):
        fitting = [number for number, room in enumerate(rooms) if room >= sizes[item]]
        if not fitting:
            rooms.append(length)
            fitting = [len(rooms) - 1]
        wanted[item] = min(fitting, key=lambda number: rooms[number])
        rooms[wanted[item]] -= sizes[item]
    found = best_fit(np.array(sizes, dtype=np.int64), length).tolist()

    # which of two equally full bins is taken is free; what is left in all of them is not
    left = np.bincount(found, weights=sizes, minlength=0) if sizes else np.array([])
    assert sorted(length - left) == sorted(rooms)


def test_best_fit_cuts_only_what_is_longer_than_a_window() -> None:
    lengths = np.minimum(np.random.default_rng(1).lognormal(5.5, 1.2, size=20_000).astype(np.int64) + 1, 20_000)
    row_starts = np.concatenate(([0], lengths.cumsum()))
    packing = pack("best-fit", row_starts, 1_024)
    assert lengths.sum() / (len(packing.sizes) * 1_024) > 0.98
    begun = sum(piece.begins for window in range(len(packing.sizes)) for piece in packing.pieces(window))
    pieces = sum(1 for window in range(len(packing.sizes)) for _ in packing.pieces(window))
    assert begun == len(lengths)
    assert pieces == int((-(-lengths // 1_024)).sum())


def test_what_cannot_be_packed_is_refused() -> None:
    with pytest.raises(ConfigError, match="pack='tight' is unknown; choose none, concat, best-fit"):
        pack("tight", np.array([0, 1]), 4)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="0 positions"):
        pack("concat", np.array([0, 1]), 0)
    with pytest.raises(CorpusError, match="no id"):
        pack("concat", np.array([0, 0]), 4)
    with pytest.raises(CorpusError, match="no column 'ids', only text"):
        FlatRows.from_dataset(datasets.Dataset.from_dict({"text": ["a"]}), "ids")


def test_a_text_shorter_than_a_window_is_one_short_window() -> None:
    for how in PACKS:
        (batch,) = packed([[5, 6]], pack=how, length=100).batches(0)
        assert (batch.ids.tolist(), batch.targets.tolist()) == ([[EOS, 5, 6]], [[5, 6, EOS]])


def test_rows_of_a_dataset_with_chosen_rows() -> None:
    dataset = datasets.Dataset.from_dict({"ids": [[1, 2, 9], [], [3, 9], [4, 5, 6, 9]]}).select([3, 1, 0])
    rows = FlatRows.from_dataset(dataset, "ids")
    assert rows.ids.tolist() == [4, 5, 6, 9, 1, 2, 9]
    assert rows.row_starts.tolist() == [0, 4, 4, 7]
    assert rows.fingerprint == FlatRows.of([[4, 5, 6, 9], [], [1, 2, 9]]).fingerprint
    assert rows.fingerprint != FlatRows.of([[4, 5, 6, 9], [1], [2, 9]]).fingerprint


@pytest.mark.parametrize("packing", PACKS)
def test_a_limit_draws_windows_from_the_whole_corpus(packing: Pack) -> None:
    texts = [[3 + number // 100] * 6 for number in range(400)]  # a window each, in four parts unlike each other

    def drawn(**changes: Any) -> list[list[int]]:
        source = packed(texts, pack=packing, shuffle=False, **changes)
        return [batch.targets[:, 0].tolist() for batch in source.batches(0)]

    some = drawn(limit=7 * 80)
    kept = [first for batch in some for first in batch]
    assert len(kept) == 80
    assert all(8 <= kept.count(part) <= 34 for part in (3, 4, 5, 6))
    assert some == drawn(limit=7 * 80) != drawn(limit=7 * 80, seed=2)
    assert drawn(limit=7 * 400) == drawn()
    assert len(drawn(limit=1)) == 1


def test_facts_name_whatever_changes_the_batches() -> None:
    plain = packed([[5, 6], [7]]).facts()
    assert plain == packed([[5, 6], [7]]).facts()
    changes: list[dict[str, Any]] = [{"length": 8}, {"seed": 2}, {"pack": "concat"}, {"cross_documents": True}]
    for change in changes:
        assert packed([[5, 6], [7]], **change).facts() != plain
    assert packed([[5, 6], [8]]).facts() != plain


def test_listing_needs_neither_datasets_nor_torch_and_preparing_no_batching() -> None:
    code = (
        "import sys, bpe_transformer.data as data\n"
        "data.list_corpora(); data.Ledger\n"
        "assert 'datasets' not in sys.modules and 'torch' not in sys.modules\n"
        "data.prepare_translation\n"
        "assert 'bpe_transformer.data.batches.collators' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_pools_of_rows_hold_every_id_once_and_lie_in_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bpe_transformer.io.npy_files._IN_MEMORY", 0)
    lengths = np.random.Generator(np.random.PCG64(1)).integers(0, 40, 500)
    starts = np.concatenate([[0], lengths.cumsum()])
    packed = Fitted(starts, 16, pool_rows=64)
    pieces = [piece for window in range(len(packed.sizes)) for piece in packed.pieces(window)]
    assert sorted(id for piece in pieces for id in range(piece.start, piece.stop)) == list(range(starts[-1]))
    assert packed.sizes.max() <= 16
    assert packed.sizes.sum() / (16 * len(packed.sizes)) > 0.95
    assert {piece.start for piece in pieces if piece.begins} == {int(a) for a, b in pairwise(starts) if b > a}
    assert isinstance(packed._starts, np.memmap)
