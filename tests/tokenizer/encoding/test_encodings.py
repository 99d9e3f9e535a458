"""Encodings are checked when they are made: what does not fit is refused with its place, before Arrow believes it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from bpe_transformer.errors import DecodingError, FormatError
from bpe_transformer.tokenizer.encoding.encodings import Encodings

IDS = np.arange(5, dtype=np.uint32)


@pytest.mark.parametrize(
    ("row_starts", "problem"),
    [
        ([], "row_starts is empty"),
        ([1, 5], r"row_starts\[0\] is 1"),
        ([0, 3, 2, 5], r"row_starts\[2\] is 2, below 3"),
        ([0, 4], r"row_starts\[1\] is 4, and there are 5 ids"),
        ([0, 2**40], "and there are 5 ids"),
        ([0.0, 5.0], "whole numbers"),
        ([[0, 5]], r"shape \(1, 2\)"),
        ([0, -3, 5], r"row_starts\[1\] is -3, below 0"),
    ],
)
def test_row_starts_that_do_not_fit(row_starts: list[Any], problem: str) -> None:
    with pytest.raises(FormatError, match=problem):
        Encodings(IDS, np.array(row_starts))


def test_arrays_of_other_layouts_are_read_as_they_are_meant() -> None:
    backwards = np.array([9, 9, 1, 9, 2], ">u4")[2::2]
    made = Encodings(backwards, np.array([0, 0, 9, 9, 2])[::4].astype(np.uint16))
    assert made.tolist() == [[1, 2]]
    assert made.to_arrow().to_pylist() == [[1, 2]]
    with pytest.raises(FormatError, match="num_cut"):
        Encodings(IDS, np.array([0, 5]), np.array([1, 2]))
    with pytest.raises(FormatError, match="float64"):
        Encodings(np.ones(5), np.array([0, 5]))  # type: ignore[arg-type]


def test_row_starts_that_were_changed_later_do_not_reach_arrow() -> None:
    made = Encodings(IDS, np.array([0, 5]))
    made.row_starts[1] = 2**40
    with pytest.raises(FormatError, match="and there are 5 ids"):
        made.to_arrow()


def test_arrow_arrays_that_point_anywhere_are_refused() -> None:
    starts = pa.array([0, 2**30, 1], pa.int64()).buffers()
    column = pa.Array.from_buffers(
        pa.large_list(pa.uint32()), 2, [None, starts[1]], children=[pa.array([1], pa.uint32())]
    )
    with pytest.raises(DecodingError, match="the column is damaged"):
        Encodings.from_arrow(column)
