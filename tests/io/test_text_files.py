"""Text files: normalised block by block, the same as at once, in memory that does not grow with the file."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import unicodedata2 as unicodedata
from hypothesis import given, settings
from hypothesis import strategies as st

from bpe_transformer.io import normalize_blocks
from bpe_transformer.tokenizer.splitting.alignment import Normalization, begins_segment

FORMS: tuple[Normalization, ...] = ("NFC", "NFD", "NFKC", "NFKD")
# what joins to what is before it: marks, jamo, kana with voicing (also of half width), signs of Indic scripts
TEXT = st.text(st.sampled_from("aé \n\u0301\u0323가각각한か\u3099ｶﾞ한ㅏ\u09c7\u09be뢴\u0f71\u0f72\ud55cﬁ①"), max_size=40)


@given(TEXT, st.sampled_from(FORMS), st.integers(1, 7))
@settings(deadline=None)
def test_blocks_are_normalised_as_the_whole(text: str, form: Normalization, size: int) -> None:
    data = text.encode()
    blocks = [data[start : start + size] for start in range(0, len(data), size)]
    begins = partial(begins_segment, form)
    normalized = b"".join(normalize_blocks(blocks, partial(unicodedata.normalize, form), begins, Path("a.txt")))
    assert normalized.decode() == unicodedata.normalize(form, text)


@pytest.mark.parametrize("form", FORMS)
def test_text_without_spaces_is_not_collected(form: Normalization) -> None:
    text = "다람쥐헌쳇바퀴에타고파か\u3099" * 1000
    data = text.encode()
    parts = list(
        normalize_blocks(
            (data[start : start + 1000] for start in range(0, len(data), 1000)),
            partial(unicodedata.normalize, form), partial(begins_segment, form), Path("a.txt"),
        )
    )  # fmt: skip
    assert max(map(len, parts)) < 4000
    assert b"".join(parts).decode() == unicodedata.normalize(form, text)
