"""Batches: every row once, the bound kept, little padding, the same order for the same seed; packing loses no id."""

from __future__ import annotations

import subprocess
import sys

import datasets
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bpe_transformer.data import PackedBlocks, TokenBatchSampler, collate_translation
from bpe_transformer.errors import ConfigError, CorpusError


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=1, max_size=300), st.booleans())
def test_every_row_once_and_within_the_bound(lengths: list[tuple[int, int]], shuffle: bool) -> None:
    sampler = TokenBatchSampler(lengths, max_tokens=80, seed=3, shuffle=shuffle)
    batches = list(sampler)
    assert len(batches) == len(sampler)
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    for side in (0, 1):
        assert all(max(lengths[row][side] for row in batch) * len(batch) <= 80 for batch in batches)


def test_an_epoch_is_a_function_of_seed_and_number() -> None:
    lengths = np.random.default_rng(0).integers(3, 60, size=5_000)
    sampler = TokenBatchSampler(lengths, max_tokens=1_000, seed=1)
    first = list(sampler)
    assert list(sampler) == first
    assert list(TokenBatchSampler(lengths, max_tokens=1_000, seed=1)) == first
    assert list(TokenBatchSampler(lengths, max_tokens=1_000, seed=2)) != first
    sampler.set_epoch(1)
    assert list(sampler) != first
    sampler.set_epoch(0)
    assert list(sampler) == first


def test_buckets_pad_little_and_batches_come_in_disorder() -> None:
    lengths = np.random.default_rng(0).integers(3, 60, size=20_000)
    batches = list(TokenBatchSampler(lengths, max_tokens=2_000, seed=1))
    padded = sum(int(lengths[batch].max()) * len(batch) for batch in batches)
    assert padded / lengths.sum() < 1.05
    longest = [int(lengths[batch].max()) for batch in batches]
    assert abs(np.corrcoef(longest, np.arange(len(longest)))[0, 1]) < 0.2
    ordered = list(TokenBatchSampler(lengths, max_tokens=2_000, seed=1, shuffle=False))
    assert [int(lengths[batch].max()) for batch in ordered] == sorted(int(lengths[batch].max()) for batch in ordered)


def test_rows_that_fit_no_batch_are_refused() -> None:
    with pytest.raises(CorpusError, match="row 1 has 9 ids, more than max_tokens=8"):
        TokenBatchSampler([3, 9], max_tokens=8, seed=0)
    with pytest.raises(CorpusError, match="no row"):
        TokenBatchSampler([], max_tokens=8, seed=0)


def test_pairs_are_padded_to_their_longest() -> None:
    rows = [{"src_ids": [5, 6, 2], "tgt_ids": [1, 2]}, {"src_ids": [2], "tgt_ids": [1, 7, 8, 2]}]
    batch = collate_translation(rows, pad_id=0)
    assert torch.equal(batch.src, torch.tensor([[5, 6, 2], [2, 0, 0]]))
    assert torch.equal(batch.tgt, torch.tensor([[1, 2, 0, 0], [1, 7, 8, 2]]))
    assert batch.src.dtype == torch.int64


@given(st.integers(2, 200), st.integers(1, 20))
def test_packing_predicts_every_id_once(num_ids: int, block_len: int) -> None:
    if num_ids <= block_len:
        with pytest.raises(CorpusError, match="do not fill one window"):
            PackedBlocks(range(num_ids), block_len)
        return
    blocks = PackedBlocks(range(num_ids), block_len)
    targets = [number for index in range(len(blocks)) for number in blocks[index][1:].tolist()]
    assert targets == list(range(1, num_ids - blocks.dropped_ids))
    assert blocks.dropped_ids < block_len
    assert all(len(blocks[index]) == block_len + 1 for index in range(len(blocks)))


def test_packing_a_dataset_crosses_documents() -> None:
    rows = datasets.Dataset.from_dict({"ids": [[1, 2, 9], [], [3, 9], [4, 5, 6, 9]]})
    blocks = PackedBlocks(rows, block_len=3)
    assert blocks.num_ids == 9
    assert blocks.dropped_ids == 2
    assert blocks.batch([0, 1]).tolist() == [[1, 2, 9, 3], [3, 9, 4, 5]]
    assert blocks[-1].tolist() == [3, 9, 4, 5]
    assert PackedBlocks(rows.select([3, 0]), block_len=6)[0].tolist() == [4, 5, 6, 9, 1, 2, 9]
    with pytest.raises(IndexError):
        blocks[2]
    with pytest.raises(CorpusError, match="no column 'ids'"):
        PackedBlocks(datasets.Dataset.from_dict({"text": ["a"]}), 2)
    with pytest.raises(ConfigError, match="block_len=0"):
        PackedBlocks([1, 2], 0)


def test_listing_needs_neither_datasets_nor_torch_and_preparing_no_batching() -> None:
    code = (
        "import sys, bpe_transformer.data as data\n"
        "data.list_corpora(); data.Ledger\n"
        "assert 'datasets' not in sys.modules and 'torch' not in sys.modules\n"
        "data.prepare_translation\n"
        "assert 'bpe_transformer.data.batches.collators' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
