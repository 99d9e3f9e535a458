"""Whole files: figures worked by hand, and equal to those of the tokens one by one, however the file is read."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.errors import CorpusError, EncodingError, InvalidUtf8Error
from bpe_transformer.inspection import summarize, tokenize_text
from bpe_transformer.inspection.base.metrics import renyi_efficiency
from bpe_transformer.inspection.base.word_spans import word_spans
from bpe_transformer.inspection.tokens.chunked_text import ChunkBoundaries, ChunkedText
from bpe_transformer.inspection.tokens.measurement import measure
from tests.inspection.render.test_render import drawn

TEXTS = ["the  the\n\nthe, 세 마리\n세 마리. 12 12"] * 3


def _marked(prefix_space: str) -> Tokenizer:
    """Characters, spaces written ▁, as SentencePiece has it."""
    model = learn_bpe(PretokenCounts.from_iterator(TEXTS, "metaspace"), 40, unit="char", unk_token="<unk>").model
    tokens = tuple(token.replace(b" ", "▁".encode()) for token in model.tokens)
    return Tokenizer(replace(model, tokens=tokens, space_mark="▁", prefix_space=prefix_space))  # type: ignore[arg-type]


CUTTABLE = ("gpt2", "cl100k", "o200k", "whitespace", "superword", "metaspace")
TINY = {pattern: learn_bpe(PretokenCounts.from_iterator(TEXTS, pattern), 290) for pattern in CUTTABLE}
TINY |= {prefix: _marked(prefix) for prefix in ("never", "first", "always")}


def test_low_lower_by_hand(low_lower: Tokenizer) -> None:
    """`low lowest low`: low, <unk>, low, est, <unk>, low; the spaces are not in the alphabet. Three words, two whole."""
    summary = summarize(low_lower, "low lowest low")
    measured = summary.measured
    assert (measured.num_bytes, measured.num_chars, measured.num_words, measured.num_tokens) == (14, 14, 3, 6)
    assert (measured.num_word_tokens, measured.num_whole_words, measured.num_unknown) == (4, 2, 2)
    assert measured.bytes_per_token == pytest.approx(14 / 6)
    assert measured.fertility == pytest.approx(4 / 3)
    assert measured.share_whole_words == pytest.approx(2 / 3)
    assert measured.renyi_efficiency == pytest.approx(renyi_efficiency([3, 2, 1], 23))
    assert [(use.token, use.used, use.share) for use in summary.top] == [
        (b"low", 3, 0.5),
        (b"<unk>", 2, 1 / 3),
        (b"est", 1, 1 / 6),
    ]
    # lo + w is the fourth merge, 7 times; es + t the second, 9 times
    assert [(use.token, use.rank, use.merge_count) for use in summary.rarest] == [
        (b"est", 1, 9),
        (b"<unk>", None, None),
        (b"low", 3, 7),
    ]
    assert [use.token for use in summary.longest] == [b"<unk>", b"est", b"low"]
    assert [(row.script, row.num_tokens, row.used, row.num_bytes) for row in summary.by_script] == [
        ("Latin", 2, 4, 12),
        ("special", 1, 2, 10),
    ]
    assert summary.by_kind == {"merged": 4, "unknown": 2}


GOLDEN = """\
the text   tokenizer DIGEST______ ──────────────────────────────────────────────
text              14 bytes, 14 characters
tokens            6, 2.333 bytes a token
words             3, 1.333 tokens a word (fertility), 66.7 % kept whole
vocabulary        3 of 23 tokens used (13.0 %)
Rényi efficiency  0.293
lost or in parts  33.3 % unknown, 0 % hold part of a character
kinds             4 merged, 2 unknown

most frequent                        rarest
token  id  used   share  at merge    token  id  used   share  at merge
low    14     3  50.0 %         7    est    12     1  16.7 %         9
<unk>  10     2  33.3 %         –    <unk>  10     2  33.3 %         –
est    12     1  16.7 %         9    low    14     3  50.0 %         7

longest                              by script
token  id  used   share  at merge    script   distinct  used   share  bytes
<unk>  10     2  33.3 %         –    Latin           2     4  66.7 %     12
est    12     1  16.7 %         9    special         1     2  33.3 %     10
low    14     3  50.0 %         7

at merge: how often the pair stood in the learning corpus when it was merged
"""


def test_golden(low_lower: Tokenizer) -> None:
    shown = "\n".join(drawn(summarize(low_lower, "low lowest low"))) + "\n"
    assert shown == GOLDEN.replace("DIGEST______", low_lower.digest[:12])


@pytest.mark.parametrize("width", [30, 40, 80, 200])
def test_fits_and_keeps_numbers_whole(numbers: Tokenizer, pairs: list[tuple[str, str]], width: int) -> None:
    summary = summarize(numbers, "\n".join(f"{en}\t{ko}" for en, ko in pairs), limit=5)
    lines = drawn(summary, width)
    assert max(map(cell_len, lines)) <= width
    for use in summary.top:
        assert any(f"{use.used:,}" in line.split() for line in lines)


def test_korean_and_english(numbers: Tokenizer, pairs: list[tuple[str, str]]) -> None:
    """Against the tokens one by one."""
    text = "\n".join(f"{en}\t{ko}" for en, ko in pairs[:200])
    summary = summarize(numbers, text, limit=1000)
    spans = tokenize_text(numbers, text).spans
    used = Counter(span.id for span in spans)
    assert {use.id: use.used for use in summary.top} == used
    assert {use.id: use.used for use in summary.rarest} == used
    assert [use.used for use in summary.top] == sorted(used.values(), reverse=True)
    assert [use.used for use in summary.rarest] == sorted(used.values())
    whole = sum(
        not any(start < span.byte_start < end or start < span.byte_end < end for span in spans)
        for start, end in word_spans(text).tolist()
    )
    assert summary.measured.num_whole_words == whole
    raw = text.encode()
    in_words = {at for start, end in word_spans(text).tolist() for at in range(start, end)}
    holding = sum(any(at in in_words for at in range(span.byte_start, span.byte_end)) for span in spans)
    assert summary.measured.num_word_tokens == holding
    assert sum(row.num_bytes for row in summary.by_script) == len(raw)
    assert {"Latin", "Hangul", "Common"} <= {row.script for row in summary.by_script}


@given(st.sampled_from(sorted(TINY)), st.lists(st.sampled_from(["the", " ", "\n", "세", "12", ".", "\r\n", "é", "  "])))
@settings(max_examples=200, deadline=None)
def test_parts_give_the_ids_of_the_whole(name: str, pieces: list[str]) -> None:
    text = "x" + "".join(pieces)
    tokenizer = TINY[name]
    boundaries = replace(ChunkBoundaries.of(tokenizer), chunk_bytes=3)
    assert boundaries.where is not None
    parts = list(ChunkedText("text", text).chunks(boundaries))
    assert (" " if boundaries.drop_space else "").join(parts) == text
    assert [id for part in parts for id in tokenizer.encode(part)] == tokenizer.encode(text)
    with patch.object(ChunkBoundaries, "of", lambda tokenizer: boundaries):
        in_parts = measure(tokenizer, text)
    with patch.object(ChunkBoundaries, "of", lambda tokenizer: ChunkBoundaries(None)):
        at_once = measure(tokenizer, text)
    assert in_parts.as_dict() == at_once.as_dict()
    assert in_parts.used.tolist() == np.bincount(tokenizer.encode(text), minlength=tokenizer.vocab_size).tolist()


def test_a_pattern_of_ones_own_is_not_cut() -> None:
    tokenizer = learn_bpe(PretokenCounts.from_iterator(["a\nb a\nb"], r"a\nb| "), 258)
    assert ChunkBoundaries.of(tokenizer) == ChunkBoundaries(None)
    assert measure(tokenizer, "a\nb a\nb").num_bytes == 7


def test_words_across_parts_of_a_file(tmp_path: Path, numbers: Tokenizer, pairs: list[tuple[str, str]]) -> None:
    """More than a MiB, so that it is read in parts."""
    text = "\n".join(f"{en} = {ko}" for en, ko in pairs) * 40
    path = tmp_path / "text.txt"
    path.write_text(text, encoding="utf-8")
    assert len(list(ChunkedText.file(path).chunks(ChunkBoundaries.of(numbers)))) > 1
    from_file = measure(numbers, ChunkedText.file(path))
    assert from_file.num_bytes == path.stat().st_size
    assert from_file.num_words == len(word_spans(text))
    assert from_file.used.tolist() == np.bincount(numbers.encode(text), minlength=numbers.vocab_size).tolist()


def test_bad_files_say_what_to_do(tmp_path: Path, numbers: Tokenizer) -> None:
    empty, broken = tmp_path / "empty", tmp_path / "broken"
    empty.write_bytes(b"")
    broken.write_bytes(b"ab\xffc")
    with pytest.raises(CorpusError, match="check the path"):
        summarize(numbers, ChunkedText.file(tmp_path / "none"))
    with pytest.raises(CorpusError, match="is empty; name a file"):
        summarize(numbers, ChunkedText.file(empty))
    with pytest.raises(CorpusError, match="is empty"):
        summarize(numbers, "")
    with pytest.raises(InvalidUtf8Error, match="byte 0xff at position 2"):
        summarize(numbers, ChunkedText.file(broken))
    assert summarize(numbers, ChunkedText.file(broken, "replace")).measured.num_chars == 4


def test_characters_outside_the_alphabet() -> None:
    tokenizer = learn_bpe(PretokenCounts.from_words({"low": 1}), 10, unit="char")
    with pytest.raises(EncodingError, match="not in this vocabulary"):
        summarize(tokenizer, "한")


def test_json(numbers: Tokenizer) -> None:
    facts = json.loads(json.dumps(summarize(numbers, "세 마리", limit=2).as_dict()))
    assert (facts["num_chars"], facts["num_bytes"], len(facts["rarest"])) == (4, 10, 2)
    assert facts["bytes_per_token"] == 10 / facts["num_tokens"]
