"""Texts of one length together, so that little is padded; and one text or many, as a caller gives them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bpe_transformer.errors import EncodingError


def text_list(texts: str | Sequence[str]) -> list[str]:
    """One text or many, as a list. Raises `EncodingError` for what is no text, with its row from 1."""
    rows = [texts] if isinstance(texts, str) else list(texts)
    for number, text in enumerate(rows, 1):
        if not isinstance(text, str):
            raise EncodingError(f"row {number:,} is {type(text).__name__}, not a text; give a str, or a list of them")
    return rows


def length_batches(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Row numbers, longest rows last, in batches of at most `budget` ids, padding included (one row at least)."""
    batch: list[int] = []
    for row in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and lengths[row] * (len(batch) + 1) > budget:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch
