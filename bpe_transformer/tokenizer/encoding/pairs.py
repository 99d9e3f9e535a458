"""Two texts in one row of ids, with the tokens that a vocabulary puts around and between them; and windows over a long text."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from bpe_transformer.errors import EncodingError
from bpe_transformer.lazy import np
from bpe_transformer.tokenizer.encoding.encodings import Encodings
from bpe_transformer.tokenizer.encoding.framing import Frame
from bpe_transformer.tokenizer.vocabulary.model import BpeModel


def joined_pair(
    model: BpeModel, first: Sequence[int], second: Sequence[int], *, add_special: bool, max_len: int | None, side: str
) -> tuple[list[int], list[int], int]:
    """(ids, type ids, number of ids that were cut off) of two texts in one row.

    Ids are cut off the longer text first, then off both alike, at the end ("right") or the start ("left"): what the
    `tokenizers` package calls longest_first. Raises `EncodingError` for a `max_len` without room for the added tokens.
    """
    left = is_left(side)
    id_of = {**model.added_tokens, **model.special_tokens}
    pieces = model.pair_pieces if add_special else (("text", "A", 0), ("text", "B", 1))
    added = sum(kind == "token" for kind, _, _ in pieces)
    texts = {"A": list(first), "B": list(second)}
    num_cut = 0
    if max_len is not None:
        if max_len < added:
            raise EncodingError(
                f"max_len={max_len} has no room for the {added} ids that a pair has besides its texts; ask for at least {added}"
            )
        sizes = _longest_first(len(first), len(second), max_len - added)
        num_cut = len(first) + len(second) - sum(sizes)
        texts = {name: cut(ids, size, left) for (name, ids), size in zip(texts.items(), sizes, strict=True)}
    ids: list[int] = []
    types: list[int] = []
    for kind, name, type_id in pieces:
        new = texts[name] if kind == "text" else [id_of[name]]
        ids += new
        types += [type_id] * len(new)
    return ids, types, num_cut


def _longest_first(first: int, second: int, room: int) -> tuple[int, int]:
    """The sizes of two texts that together are no longer than `room`."""
    if first + second <= room:
        return first, second
    shorter, longer = sorted((first, second))
    longer = shorter if shorter > room else max(shorter, room - shorter)
    if shorter + longer > room:
        shorter = room // 2
        longer = shorter + room % 2
    return (shorter, longer) if first <= second else (longer, shorter)


def cut(ids: list[int], size: int, left: bool) -> list[int]:
    """At most `size` ids, the first of them or, cut at the left, the last."""
    return ids[len(ids) - size :] if left and size < len(ids) else ids[:size]


def is_left(side: str) -> bool:
    """Whether `truncation_side` is "left". Raises `EncodingError` for anything but "left" and "right"."""
    if side not in ("left", "right"):
        raise EncodingError(f"truncation_side={side!r} is unknown; choose left or right")
    return side == "left"


def windows(ids: Sequence[int], frame: Frame, stride: int, side: str) -> Encodings:
    """Rows of at most `frame.max_len` ids that together hold all `ids`; neighbours share `stride` of them.

    With `side="left"` the rows begin at the end of the text, as the `tokenizers` package gives them. Raises `EncodingError` for
    a stride that leaves no way forward.
    """
    if frame.max_len is None:
        raise EncodingError("windows need their size; give max_len")
    room = frame.max_len - frame.num_ids
    if not 0 <= stride < max(room, 1):
        raise EncodingError(
            f"stride={stride} ids of each window are in the next one as well, of which max_len={frame.max_len} leaves {room} "
            "for the text; give a smaller one"
        )
    bounds = _bounds(len(ids), room, stride)
    if is_left(side):
        bounds = [(len(ids) - stop, len(ids) - start) for start, stop in bounds]
    rows = [[*frame.prefix_ids, *ids[start:stop], *frame.suffix_ids] for start, stop in bounds]
    starts = np.array([0, *accumulate(map(len, rows))], np.int64)
    return Encodings.unchecked(np.array([id for row in rows for id in row], np.uint32), starts)


def _bounds(size: int, room: int, stride: int) -> list[tuple[int, int]]:
    bounds = [(0, min(room, size))]
    while bounds[-1][1] < size:
        start = bounds[-1][0] + room - stride
        bounds.append((start, min(start + room, size)))
    return bounds
