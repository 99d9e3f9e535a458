"""Where tokens are in a text: bytes and characters, also where the text was normalised or white space dropped."""

from __future__ import annotations

import warnings
from dataclasses import replace
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import unicodedata2 as unicodedata
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.errors import EncodingError, SpecialTokenError, TruncationWarning
from bpe_transformer.tokenizer.formats.tokenizer_json import dump
from bpe_transformer.tokenizer.splitting.alignment import character_offsets, normalize_aligned
from bpe_transformer.tokenizer.splitting.pretokenizer import Pretokenizer

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
FORMS = ["NFC", "NFD", "NFKC", "NFKD"]
# marks, Hangul letters, Indic vowels that join, ligatures, half-width kana: what normalisation works on
LIVELY = st.text(
    st.sampled_from(
        "aeoA \u0301\u0323\u0300\u1112\u1161\u11ab한가\u09c7\u09be\u0b47\u0b56ﬁ①Å\u212bｶﾞ\u0344\u0f73¼ｇ\u3099か"
    ),
    max_size=25,
)


def split_by(tok: Tokenizer, **facts: object) -> Tokenizer:
    return Tokenizer(replace(tok.model, pretokenizer=Pretokenizer(**facts)))  # type: ignore[arg-type]


@given(TEXT)
@settings(max_examples=100, deadline=None)
def test_byte_tokens_are_the_text(mixed: Tokenizer, text: str) -> None:
    data = text.encode()
    ids, spans = mixed.encode_offsets(text)
    assert ids == mixed.encode_ordinary(text)
    assert (spans.dtype, spans.shape) == (np.int64, (len(ids), 2))
    assert [data[start:end] for start, end in spans] == [mixed.token_bytes(id) for id in ids]
    assert np.array_equal(spans[1:, 0], spans[:-1, 1])


@given(st.binary(max_size=60))
@settings(max_examples=100, deadline=None)
@example(b"a\xff\xed\xa0\x80\xf0\x9f")
def test_bytes_that_are_no_text(mixed: Tokenizer, data: bytes) -> None:
    ids, spans = mixed.encode_offsets(data, disallowed_special=())
    assert b"".join(data[start:end] for start, end in spans) == data
    _, in_characters = mixed.encode_offsets(data, "char", disallowed_special=())
    text = data.decode("utf-8", "surrogateescape")
    for id, (start, end) in zip(ids, in_characters, strict=True):
        assert mixed.token_bytes(id) in text[start:end].encode("utf-8", "surrogateescape")


@given(TEXT)
@settings(max_examples=100, deadline=None)
def test_characters_are_those_that_a_token_touches(mixed: Tokenizer, text: str) -> None:
    starts = np.cumsum([0, *(len(character.encode()) for character in text)])
    _, spans = mixed.encode_offsets(text)
    _, in_characters = mixed.encode_offsets(text, "char")
    for (start, end), (first, after) in zip(spans, in_characters, strict=True):
        assert starts[first] <= start < starts[first + 1]
        assert starts[after - 1] < end <= starts[after]


@given(st.lists(st.binary(max_size=20) | TEXT, max_size=6), st.sampled_from(["byte", "char"]))
@settings(max_examples=60, deadline=None)
@example([b"\xf0\x9f\x98", "숲<s>\u0301", "", "a" * 300], "char")
def test_batches_are_what_each_text_gives(mixed: Tokenizer, texts: list[str | bytes], unit: Any) -> None:
    framed = Tokenizer(replace(mixed.model, bos_token="<s>", eos_token="</s>"))
    rows = pa.array([text if isinstance(text, bytes) else text.encode() for text in texts], pa.large_binary())
    frames: list[dict[str, Any]] = [{}, {"add_bos": True}, {"add_eos": True, "max_len": 3}]
    for tok in (framed, split_by(framed, pattern=r"\w+|\s|[^\w\s]+"), split_by(framed, normalization="NFKC")):
        for frame in frames:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", TruncationWarning)
                each = [tok.encode_offsets(text, unit, allowed_special="all", **frame) for text in texts]
            for form, num_threads in ((texts, 1), (rows, 3)):
                encodings, spans = tok.encode_offsets_batch(
                    form,
                    unit,
                    num_threads,
                    allowed_special="all",
                    **frame,
                )
                assert encodings.tolist() == [ids for ids, _ in each]
                assert (spans.dtype, spans.shape) == (np.int64, (len(encodings.ids), 2))
                for i, (_, expected) in enumerate(each):
                    found = spans[encodings.row_starts[i] : encodings.row_starts[i + 1]]
                    assert found.tolist() == expected.tolist()


def test_batches_of_many_parts_and_their_problems(mixed: Tokenizer, low_lower: Tokenizer) -> None:
    texts = ["low lower 숲 " * 2000, "", "é" * 3000] * 90  # several MB
    one, spans = mixed.encode_offsets_batch(texts, "char", 1)
    many, others = mixed.encode_offsets_batch(texts, "char", 4)
    assert np.array_equal(one.ids, many.ids)
    assert np.array_equal(one.row_starts, many.row_starts)
    assert np.array_equal(spans, others)
    assert one.ids.tolist()[: one.row_starts[3]] == [id for text in texts[:3] for id in mixed.encode(text)]
    with pytest.raises(SpecialTokenError, match="text 2 holds the special token '<s>' .byte 3."):
        mixed.encode_offsets_batch(["a", "b", "숲<s>"])
    with pytest.raises(EncodingError, match="character ' ' .* at byte 3 of text 1"):
        low_lower.encode_offsets_batch(["low", "low x"], num_threads=2)
    with pytest.raises(EncodingError, match="text 1 is int"):
        mixed.encode_offsets_batch(["a", 5])  # type: ignore[list-item]
    with pytest.raises(EncodingError, match="unit='word' is unknown; choose byte or char"):
        mixed.encode_offsets("a", "word")  # type: ignore[arg-type]
    with pytest.raises(EncodingError, match="unit='word' is unknown; choose byte or char"):
        mixed.encode_offsets_batch(["a"], "word")  # type: ignore[arg-type]


def test_cutting_warns(mixed: Tokenizer) -> None:
    tok = Tokenizer(replace(mixed.model, eos_token="</s>"))
    with pytest.warns(TruncationWarning, match="max_len=2 cut 3 of 5 ids off a text") as caught:
        ids, spans = tok.encode_offsets("zzé", "char", add_eos=True, max_len=2)
    assert caught[0].filename == __file__
    assert (ids, spans.tolist()) == ([ord("z"), tok.special_tokens["</s>"]], [[0, 1], [3, 3]])


@given(st.binary(max_size=40) | TEXT.map(str.encode), st.data())
@settings(max_examples=100, deadline=None)
def test_characters_of_any_spans(data: bytes, draw: st.DataObject) -> None:
    place = st.integers(0, len(data))
    spans = [sorted(span) for span in draw.draw(st.lists(st.tuples(place, place), max_size=8))]
    text = data.decode("utf-8", "surrogateescape")
    at = [i for i, c in enumerate(text) for _ in c.encode("utf-8", "surrogateescape")] + [len(text)]
    expected = [[at[start], at[end - 1] + 1 if end > start else at[start]] for start, end in spans]
    assert character_offsets(data, np.array(spans, np.int64).reshape(-1, 2)).tolist() == expected


@pytest.mark.parametrize("form", FORMS)
@given(LIVELY)
@settings(max_examples=150, deadline=None)
@example("a\u0301\u0323b")
@example("\u1112\u1161\u11ab한")
def test_normalised_segments_are_those_of_the_original(form: Any, text: str) -> None:
    normalized, starts, ends = normalize_aligned(form, text)
    assert normalized == unicodedata.normalize(form, text)
    assert len(starts) == len(ends) == len(normalized.encode())
    made, data = normalized.encode(), text.encode()
    at = position = 0
    for (start, end), group in groupby(zip(starts.tolist(), ends.tolist(), strict=True)):
        size = len(list(group))
        assert start == at
        piece, of_piece = data[start:end], made[position : position + size]
        assert of_piece == (piece if end - start == 1 else unicodedata.normalize(form, piece.decode()).encode())
        at, position = end, position + size
    assert at == len(data)


@pytest.mark.parametrize("form", FORMS)
@given(LIVELY)
@settings(max_examples=60, deadline=None)
def test_offsets_under_normalisation(mixed: Tokenizer, form: Any, text: str) -> None:
    tok = split_by(mixed, normalization=form)
    ids, spans = tok.encode_offsets(text, disallowed_special=())
    assert ids == tok.encode_ordinary(text) == mixed.encode_ordinary(unicodedata.normalize(form, text))
    covered = np.zeros(len(text.encode()), bool)
    for start, end in spans:
        assert 0 <= start < end <= len(covered)
        covered[start:end] = True
    assert covered.all()
    assert (np.diff(spans[:, 0]) >= 0).all()
    assert (np.diff(spans[:, 1]) >= 0).all()


def test_normalised_text_by_hand(mixed: Tokenizer) -> None:
    tok = split_by(mixed, normalization="NFC")
    text = "한 cafe\u0301 low"  # three letters of a syllable; an accent of its own
    text = unicodedata.normalize("NFD", text)
    _, spans = tok.encode_offsets(text, "char")
    pieces = [text[start:end] for start, end in spans]
    assert pieces[-1].strip() == "low"
    assert "e\u0301" in pieces
    assert set(pieces[: pieces.index("e\u0301")]) >= {unicodedata.normalize("NFD", "한")}


def test_special_added_and_framing_tokens(mixed: Tokenizer) -> None:
    model = replace(
        mixed.model, tokens=(*mixed.model.tokens, b"C++"), added_tokens={"C++": 402}, bos_token="<s>", eos_token="</s>"
    )
    tok = Tokenizer(model)
    ids, spans = tok.encode_offsets("숲<pad>low C++", allowed_special="all", add_bos=True, add_eos=True)
    where = dict(zip(ids, spans.tolist(), strict=True))
    assert where[tok.special_tokens["<pad>"]] == [3, 8]
    assert where[402] == [12, 15]
    assert where[tok.special_tokens["<s>"]] == [0, 0]
    assert where[tok.special_tokens["</s>"]] == [15, 15]
    with pytest.raises(SpecialTokenError, match="byte 3"):
        tok.encode_offsets("숲<pad>")
    with pytest.raises(EncodingError, match="int"):
        tok.encode_offsets(5)  # type: ignore[arg-type]


@pytest.mark.parametrize("pattern", ["whitespace", r"\s*\S+"])
def test_end_of_word_marks_leave_white_space_out(pattern: str) -> None:
    learned = learn_bpe(PretokenCounts.from_words({"low": 5, "lower": 2}), 100, unit="char", end_of_word="</w>")
    tok = split_by(learned, pattern=pattern)
    text = " low \t lower  "
    ids, spans = tok.encode_offsets(text)
    assert ids == tok.encode(text)
    assert [text[start:end] for start, end in spans] == ["low", "lower"]


def test_unknown_characters_one_by_one_and_fused() -> None:
    learned = learn_bpe(
        PretokenCounts.from_words({"low": 5}), 100, unit="char", unk_token="<unk>", special_tokens=["<unk>"]
    )
    for pattern in ("whitespace", r"\s*\S+"):
        tok = split_by(learned, pattern=pattern)
        _, spans = tok.encode_offsets("low한글xlow", "char")
        assert spans.tolist() == [[0, 3], [3, 4], [4, 5], [5, 6], [6, 9]]
        fused = Tokenizer(replace(tok.model, fuse_unk=True))
        ids, spans = fused.encode_offsets("low한글xlow", "char")
        assert ids == fused.encode("low한글xlow")
        assert spans.tolist() == [[0, 3], [3, 6], [6, 9]]


def with_fallback(**facts: object) -> Tokenizer:
    """Characters l o w ▁, merges, and a token for every byte."""
    base = ["▁", "l", "o", "w"]
    tokens = [
        b"<unk>",
        *(f"<0x{byte:02X}>".encode() for byte in range(256)),
        *(c.encode() for c in base),
        b"lo",
        b"low",
    ]
    first = 257
    model = replace(
        learn_bpe(PretokenCounts.from_words({"low": 1}), 4, unit="char").model,
        tokens=(*tokens, "▁low".encode()),
        left=np.array([first + 1, 261, first], np.uint32),
        right=np.array([first + 2, first + 3, 262], np.uint32),
        merged_ids=np.array([261, 262, 263], np.uint32),
        special_tokens={"<unk>": 0},
        unk_token="<unk>",
        byte_fallback=True,
        space_mark="▁",
        pretokenizer=Pretokenizer("metaspace"),
    )
    return Tokenizer(replace(model, **facts))  # type: ignore[arg-type]


@pytest.mark.parametrize("pattern", ["metaspace", "[ ▁]+[^ ▁]*|[^ ▁]+|x(?!x)"])
def test_byte_fallback_and_space_marks(pattern: str) -> None:
    tok = with_fallback(pretokenizer=Pretokenizer(pattern))
    text = "low▁low 한low"
    ids, spans = tok.encode_offsets(text)
    data = text.encode()
    assert ids == tok.encode(text)
    assert [data[start:end] for start, end in spans] == [
        b"low", "▁low".encode(), b" ", *(bytes([byte]) for byte in "한".encode()), b"low",
    ]  # fmt: skip
    _, in_characters = tok.encode_offsets(text, "char")
    assert in_characters.tolist() == [[0, 3], [3, 7], [7, 8], [8, 9], [8, 9], [8, 9], [9, 12]]


def test_merged_bytes_of_fallback() -> None:
    byte = [1 + byte for byte in "한".encode()]  # ED 95 9C
    model = with_fallback().model
    tok = with_fallback(
        tokens=(*model.tokens, b"<0xED><0x95>", b"l<0xED><0x95>"),
        left=np.array([*model.left, byte[0], 258], np.uint32),
        right=np.array([*model.right, byte[1], 264], np.uint32),
        merged_ids=np.array([*model.merged_ids, 264, 265], np.uint32),
    )
    for text, wanted in (("한글", b"\xed\x95"), ("l한low 한", b"l\xed\x95"), ("low한", b"low")):
        ids, spans = tok.encode_offsets(text)
        parts = [text.encode()[start:end] for start, end in spans]
        assert b"".join(parts) == text.encode()
        assert parts[0] == wanted
        assert ids == tok.encode(text)


@pytest.mark.parametrize("pattern", ["metaspace", "[ ▁]+[^ ▁]*|[^ ▁]+|x(?!x)"])
@pytest.mark.parametrize("prefix", ["first", "always"])
def test_a_space_that_was_put_before_the_text(pattern: str, prefix: str) -> None:
    tok = with_fallback(
        pretokenizer=Pretokenizer(pattern), prefix_space=prefix, special_tokens={"<unk>": 0, "<s>": 264},
        tokens=(*with_fallback().model.tokens, b"<s>"),
    )  # fmt: skip
    ids, spans = tok.encode_offsets("low<s>low", allowed_special="all")
    assert ids == tok.encode("low<s>low", allowed_special="all")
    assert spans.tolist() == [[0, 3], [3, 6], [6, 9]]
    assert ids == [263, 264, 262 if prefix == "first" else 263]
    assert tok.decode(ids) == "low<s>low"
    assert "".join(tok.decode_stream(ids)) == "low<s>low"
    assert tok.encode("", allowed_special="all") == []


def test_a_whole_token_that_no_merge_leads_to() -> None:
    learned = learn_bpe(PretokenCounts.from_words({"low": 1}), 256)
    model = replace(learned.model, tokens=(*learned.model.tokens, " 한글".encode()), ignore_merges=True)
    ids, spans = Tokenizer(model).encode_offsets("a 한글", "char")
    assert (ids, spans.tolist()) == ([97, 256], [[0, 1], [1, 4]])


@pytest.mark.parametrize("space", [" ", "\u3000", "\n\t \u00a0"])
@pytest.mark.parametrize("count", [0, 1, 21, 22, 64, 300])
def test_tokens_take_the_white_space_around_them(mixed: Tokenizer, space: str, count: int) -> None:
    run = space * count
    text = f"a{run}<s>{run}b"
    for flags, taken in (
        (("lstrip",), run + "<s>"),
        (("rstrip",), "<s>" + run),
        (("lstrip", "rstrip"), run + "<s>" + run),
    ):
        tok = Tokenizer(replace(mixed.model, token_flags={"<s>": flags}))
        ids, spans = tok.encode_offsets(text, "char", allowed_special="all")
        assert [text[a:b] for id, (a, b) in zip(ids, spans, strict=True) if id == 257] == [taken]


def test_words_around_a_token(mixed: Tokenizer) -> None:
    tok = Tokenizer(replace(mixed.model, token_flags={"<s>": ("single_word",)}))
    found = {
        text: tok.encode(text, allowed_special="all").count(257)
        for text in ("<s>", "a <s>", "한<s>", "<s>한", "😀<s>!", "<s>\u0301")
    }
    assert found == {"<s>": 1, "a <s>": 1, "한<s>": 0, "<s>한": 0, "😀<s>!": 1, "<s>\u0301": 0}


@pytest.fixture(scope="module")
def in_tokenizers() -> dict[str | None, tuple[Tokenizer, Any]]:
    """A vocabulary with each normalisation, and what the `tokenizers` package makes of its file."""
    tokenizers = pytest.importorskip("tokenizers")
    texts = ["low lower é 한국어 ﬁne ½", unicodedata.normalize("NFD", "é 한국어 low")]
    found: dict[str | None, tuple[Tokenizer, Any]] = {}
    for form in (None, *FORMS):
        split = Pretokenizer("gpt2", normalization=form)  # type: ignore[arg-type]
        tok = learn_bpe(PretokenCounts.from_iterator(texts, split), 300)
        found[form] = tok, tokenizers.Tokenizer.from_str(dump(tok.model))
    return found


@given(LIVELY | TEXT, st.sampled_from([None, *FORMS]))
@settings(max_examples=150, deadline=None)
def test_offsets_are_those_of_tokenizers(
    in_tokenizers: dict[str | None, tuple[Tokenizer, Any]], text: str, form: str | None
) -> None:
    """Equal; where a text was normalised ours are of whole segments, in which theirs lie."""
    tok, theirs = in_tokenizers[form]
    expected = theirs.encode(text)
    ids, spans = tok.encode_offsets(text, "char")
    if ids != expected.ids:  # another version of Unicode
        assert form is not None
        return
    for (start, end), (first, after) in zip(spans.tolist(), expected.offsets, strict=True):
        assert (start, end) == (first, after) if form is None else start <= first <= after <= end
