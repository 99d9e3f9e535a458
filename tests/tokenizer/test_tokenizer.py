"""Encoding and decoding: round trips, special tokens, batches, and input that a stranger might hand us."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.errors import DecodingError, EncodingError, SpecialTokenError, TruncationWarning
from bpe_transformer.tokenizer.splitting.pretokenizer import Pretokenizer

PAD = "<pad>"


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_bytes_round_trip(mixed: Tokenizer, data: bytes) -> None:
    assert mixed.decode_bytes(mixed.encode_ordinary(data)) == data


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
@settings(max_examples=300, deadline=None)
def test_text_round_trip(mixed: Tokenizer, text: str) -> None:
    assert mixed.decode(mixed.encode_ordinary(text)) == text


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), max_size=8), st.integers(1, 4))
@settings(max_examples=100, deadline=None)
def test_batch_is_encode_of_each(mixed: Tokenizer, texts: list[str], num_threads: int) -> None:
    batch = mixed.encode_batch(texts, num_threads, disallowed_special=())
    rows = [mixed.encode_ordinary(text) for text in texts]
    assert batch.tolist() == rows
    assert batch.to_arrow().to_pylist() == rows
    assert (batch.ids.dtype, batch.row_starts.dtype, len(batch)) == (np.uint32, np.int64, len(texts))


def test_encodings_index_like_a_list(mixed: Tokenizer) -> None:
    batch = mixed.encode_batch(["low", "lower", ""])
    assert batch[-1].tolist() == []
    assert batch[1].tolist() == mixed.encode("lower")
    assert [part.tolist() for part in batch[:2]] == batch.tolist()[:2]
    assert np.shares_memory(batch[0], batch.ids)
    with pytest.raises(IndexError, match="there are 3"):
        batch[3]


def test_arrow_shares_the_memory(mixed: Tokenizer) -> None:
    batch = mixed.encode_batch(["low lower newest"] * 10)
    assert batch.to_arrow().values.buffers()[1].address == batch.ids.ctypes.data


def test_special_tokens_follow_tiktoken(mixed: Tokenizer) -> None:
    text = f"low{PAD}er"
    pad = mixed.special_tokens[PAD]
    with pytest.raises(SpecialTokenError, match=r"'<pad>' \(byte 3\).*allowed_special=.*disallowed_special=\(\)"):
        mixed.encode(text)
    with pytest.raises(SpecialTokenError, match="<pad>"):
        mixed.encode_batch(["low", text])
    assert pad not in mixed.encode_ordinary(text)
    assert mixed.encode(text, allowed_special={PAD}) == [*mixed.encode("low"), pad, *mixed.encode("er")]
    assert mixed.encode(text, allowed_special="all") == mixed.encode(text, allowed_special={PAD})
    assert mixed.encode(text, disallowed_special={"<s>"}) == mixed.encode_ordinary(text)
    with pytest.raises(SpecialTokenError, match="<pad>"):
        mixed.encode(text + "<s>", allowed_special={"<s>"})
    with pytest.raises(SpecialTokenError, match="<pad>"):  # disallowed wins over allowed
        mixed.encode(text, allowed_special="all", disallowed_special={PAD})
    assert mixed.encode("low", disallowed_special={"nowhere"}) == mixed.encode("low")
    with pytest.raises(SpecialTokenError, match="text 1 holds 'low', which is not allowed"):
        mixed.encode_batch(["a", b"slow"], disallowed_special={"low"})
    with pytest.raises(SpecialTokenError, match="<pad>"):  # any collection will do
        mixed.encode(text, disallowed_special=iter([PAD]))  # type: ignore[arg-type]
    assert mixed.encode("low<mask>", allowed_special={"<mask>"}) == mixed.encode("low<mask>")
    with pytest.raises(SpecialTokenError, match="allowed_special='<pad>' is one string; give a set, {'<pad>'}"):
        mixed.encode(text, allowed_special=PAD)


def test_the_longest_special_token_wins() -> None:
    tok = learn_bpe(PretokenCounts.from_words({"low": 1}), 300, special_tokens=["<s>", "<s><s>", "|x"])
    names = {id: name for name, id in tok.special_tokens.items()}
    ids = tok.encode("<s><s><s>|x<", allowed_special="all")
    assert [names.get(id, id) for id in ids] == ["<s><s>", "<s>", "|x", ord("<")]
    by_regex = Tokenizer(replace(tok.model, pretokenizer=Pretokenizer(r"\w+|.")))
    assert by_regex.encode("<s><s><s>|x<", allowed_special="all") == ids


def test_a_pattern_of_the_users_keeps_what_it_does_not_match() -> None:
    counts = PretokenCounts.from_iterator(["low lower, 한국어"], r"\w+")
    tok = learn_bpe(counts, 262, special_tokens=["<s>"])
    assert tok.decode(tok.encode("lower,  한국 \x00")) == "lower,  한국 \x00"
    assert tok.decode_bytes(tok.encode(b"lo\xffw")) == b"lo\xffw"
    assert tok.encode_batch(["low", ""]).tolist() == [tok.encode("low"), []]
    with pytest.raises(SpecialTokenError, match="byte 4"):
        tok.encode("low <s>")


def test_characters_outside_the_alphabet(low_lower: Tokenizer) -> None:
    with pytest.raises(
        EncodingError, match=r"'x' \(U\+0078\) at byte 3 is not in this vocabulary's alphabet.*unk_token"
    ):
        low_lower.encode("lowx")
    with pytest.raises(EncodingError, match="'한' .* at byte 1 of text 1"):
        low_lower.encode_batch(["low", "w한"])
    tok = learn_bpe(PretokenCounts.from_words({"low": 1}), 20, unit="char", unk_token="<unk>")
    assert tok.decode(tok.encode("lxow한")) == "l<unk>ow<unk>"


@pytest.mark.parametrize("text", ["low \ud800", "\udfff"])
def test_lone_surrogates(mixed: Tokenizer, text: str) -> None:
    with pytest.raises(EncodingError, match="lone surrogate, U\\+D[8F]"):
        mixed.encode(text)
    with pytest.raises(EncodingError, match="of text 1 is a lone surrogate"):
        mixed.encode_batch(["low", text])


@pytest.mark.parametrize("text", [None, 5, ["low"]])
def test_what_is_no_text(mixed: Tokenizer, text: object) -> None:
    with pytest.raises(EncodingError, match="encode takes str or bytes"):
        mixed.encode(text)  # type: ignore[arg-type]
    with pytest.raises(EncodingError, match="text 1 is"):
        mixed.encode_batch(["low", text])  # type: ignore[list-item]


@pytest.mark.parametrize(
    "ids", [[500], [-1], [2**40], [2**70], [1.5], ["a"], [[1], [2]], np.array([2**64 - 1], np.uint64)]
)
def test_ids_that_are_none(mixed: Tokenizer, ids: list[int]) -> None:
    with pytest.raises(DecodingError):
        mixed.decode(ids)


def test_ids_out_of_range_are_named(mixed: Tokenizer) -> None:
    with pytest.raises(DecodingError, match="id 999 at position 1 is out of range; this vocabulary has ids 0 to 402"):
        mixed.decode([0, 999])
    with pytest.raises(DecodingError, match="id -1 is out of range"):
        mixed.token_bytes(-1)


def test_decoding(mixed: Tokenizer) -> None:
    ids = [mixed.special_tokens["<s>"], *mixed.encode("low"), mixed.special_tokens["</s>"]]
    assert mixed.decode(ids) == "<s>low</s>"
    assert mixed.decode(ids, skip_special_tokens=True) == "low"
    assert mixed.decode(np.array(ids, np.uint32)) == "<s>low</s>"
    assert mixed.decode([]) == ""
    half = mixed.encode_ordinary("숲".encode()[:2])
    assert mixed.decode(half) == "\ufffd"
    assert mixed.decode_bytes(half) == "숲".encode()[:2]


def test_names_of_tokens(mixed: Tokenizer) -> None:
    assert mixed.id_of("<pad>") == mixed.special_tokens["<pad>"]
    assert mixed.id_of(b"a") == 97
    assert all(mixed.id_of(mixed.token_bytes(id)) == id for id in range(mixed.vocab_size))
    with pytest.raises(KeyError):
        mixed.id_of("no such token")


def test_repr_tells_what_it_is(mixed: Tokenizer) -> None:
    assert repr(mixed).startswith(
        "Tokenizer(vocab_size=403, merges=144, unit='byte', pattern='o200k', special_tokens=['<pad>'"
    )


def test_subclasses_load_as_themselves(mixed: Tokenizer, tmp_path: Path) -> None:
    class Mine(Tokenizer):
        pass

    mixed.save(tmp_path)
    learn_bpe(PretokenCounts.from_words({"low": 5}), 257).export(tmp_path / "ranks.tiktoken", "tiktoken")
    loaded = Mine.load(tmp_path)
    assert type(loaded) is Mine
    assert (loaded.trace, loaded.digest) == (mixed.trace, mixed.digest)
    assert type(Mine.from_tiktoken(tmp_path / "ranks.tiktoken")) is Mine


def test_cuts_are_warned_of_where_encode_is_called(low_lower: Tokenizer) -> None:
    for encode in (low_lower.encode, low_lower.encode_offsets, low_lower.codec.encode):
        with pytest.warns(TruncationWarning, match="max_len=1 cut") as caught:
            encode("lowest", max_len=1)
        assert caught[0].filename == __file__


def test_the_old_name_of_row_starts(low_lower: Tokenizer) -> None:
    encodings = low_lower.encode_batch(["low", "lower"])
    with pytest.warns(DeprecationWarning, match="row_starts"):
        assert encodings.offsets is encodings.row_starts
