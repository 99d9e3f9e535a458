"""What text may look like, by one rule wherever it is read: ends of lines, halves of characters, ids without a token."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bpe_transformer import PretokenCounter, PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.errors import CorpusError, DecodingError, EncodingError, LearningError
from bpe_transformer.tokenizer.files.text_streams import StreamOptions, encode_lines

SMILE = "\ud83d\ude00"  # the two halves of 😀


@pytest.fixture(scope="module")
def tok() -> Tokenizer:
    return learn_bpe(PretokenCounts.from_words({"low": 5, "lower": 2}), vocab_size=258)


# --- ends of lines -----------------------------------------------------------------------------------------------------

LINES = b"low\r\nlow\rer\n\r\r\n\nlow\r"
TEXTS = ["low", "low\rer", "\r", "", "low\r"]


def test_a_line_ends_with_lf_or_crlf_and_any_other_cr_is_text(tok: Tokenizer, tmp_path: Path) -> None:
    wanted = [tok.encode(text) for text in TEXTS]
    (block,) = encode_lines(tok.codec, iter([LINES]), StreamOptions())
    assert [row.tolist() for row in block] == wanted
    (tmp_path / "lines.txt").write_bytes(LINES)
    store = tok.encode_files(tmp_path / "lines.txt", tmp_path / "ids", documents="line")
    assert store.tolist() == wanted
    counter = PretokenCounter()
    counter.add_file(tmp_path / "lines.txt", documents="line")
    counts = counter.counts()
    assert dict(counts.items()) == dict(PretokenCounts.from_iterator(TEXTS).items())
    assert counts.num_bytes == sum(map(len, TEXTS))
    counter = PretokenCounter("(?s:.+)")  # split in Python
    counter.add_file(tmp_path / "lines.txt", documents="line")
    assert dict(counter.counts().items()) == {text.encode(): 1 for text in TEXTS if text}


# --- halves of surrogate pairs -----------------------------------------------------------------------------------------


def test_two_halves_are_their_character(tok: Tokenizer) -> None:
    assert tok.encode(f"a{SMILE}b") == tok.encode("a😀b")
    assert tok.encode(SMILE, dropout=0.5, seed=1) == tok.encode("😀", dropout=0.5, seed=1)
    assert tok.encode_batch(["low", SMILE]).ids.tolist() == tok.encode_batch(["low", "😀"]).ids.tolist()
    assert tok.count_batch([SMILE, "low"]).tolist() == [4, 1]
    for pattern in ("cl100k", r"\w+|\W"):
        counts = PretokenCounts.from_iterator([f"low {SMILE}"], pattern)
        assert dict(counts.items()) == dict(PretokenCounts.from_iterator(["low 😀"], pattern).items())


def test_offsets_count_the_halves_of_the_text_that_was_given(tok: Tokenizer) -> None:
    text = f"😀{SMILE}low"
    ids, spans = tok.encode_offsets(text, "char")
    assert (ids, spans.tolist()) == (tok.encode("😀😀low"), [[0, 1]] * 4 + [[1, 3]] * 4 + [[3, 6]])
    assert text[slice(*spans[-1])] == "low"
    rows, all_spans = tok.encode_offsets_batch(["é", text], "char")
    assert all_spans[rows.row_starts[1] :].tolist() == spans.tolist()
    assert tok.encode_offsets(text)[1].tolist() == tok.encode_offsets("😀😀low")[1].tolist()


@pytest.mark.parametrize("text", ["low \ud83d", "\ude00\ud83d", f"{SMILE}\udfff"])
def test_a_lone_half_is_refused_or_replaced(tok: Tokenizer, text: str) -> None:
    with pytest.raises(EncodingError, match=r'lone surrogate.*errors="replace"'):
        tok.encode(text)
    with pytest.raises(CorpusError, match="lone surrogate"):
        PretokenCounts.from_iterator([text], r"\w+|\W")
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert "\ufffd" in whole
    assert tok.encode(text, errors="replace") == tok.encode(whole)
    assert (
        tok.encode_batch(["low", text], errors="replace").ids.tolist() == tok.encode_batch(["low", whole]).ids.tolist()
    )
    assert tok.count(text, errors="replace") == tok.count_batch([text], errors="replace")[0] == tok.count(whole)
    assert tok.encode_offsets(text, errors="replace")[0] == tok.encode(whole)
    assert tok.encode_offsets_batch([text], errors="replace")[0].ids.tolist() == tok.encode(whole)


def test_bytes_that_are_not_utf8_are_replaced_too(tok: Tokenizer) -> None:
    assert tok.encode(b"low\xff", errors="replace") == tok.encode("low\ufffd")
    assert tok.encode(b"low\xff") == [*tok.encode("low"), 255]
    with pytest.raises(EncodingError, match="errors='keep' is unknown"):
        tok.encode("low", errors="keep")  # type: ignore[arg-type]


def test_a_lone_half_in_json_lines_names_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    path.write_text('{"text": "low"}\n\n{"text": "é\\ud83d low"}\n{"text": "\\ud83d\\ude00"}\n', encoding="utf-8")
    with pytest.raises(CorpusError, match=rf'{path}, line 3: text has the lone surrogate U\+D83D.*errors="replace"'):
        PretokenCounts.from_files(path)
    for columns in (None, ["text"]):
        counts = PretokenCounts.from_files(path, columns=columns, errors="replace")
        assert dict(counts.items()) == dict(PretokenCounts.from_iterator(["low", "é\ufffd low", "😀"]).items())
        assert [source.replaced for source in counts.sources] == [1]


# --- tokens ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["0", "é", "£", "Ġ"])
def test_the_name_of_a_byte_is_no_special_token(token: str) -> None:
    with pytest.raises(LearningError, match=f"special token '{token}' is the name of the byte .*'<{token}>'"):
        learn_bpe(PretokenCounts.from_words({"low": 2}), 260, special_tokens=[token])


def test_a_character_of_the_alphabet_is_no_special_token() -> None:
    with pytest.raises(LearningError, match="'w' is a base token"):
        learn_bpe(PretokenCounts.from_words({"low": 2}), 260, unit="char", special_tokens=["w"])


def test_no_merge_gets_the_name_of_a_special_token(tmp_path: Path) -> None:
    tok = learn_bpe(PretokenCounts.from_words({" low": 9}), 260, special_tokens=["Ġlow", "low"])
    tok.save(tmp_path / "tok")
    assert json.loads((tmp_path / "tok" / "tokenizer.json").read_text())["model"]["vocab"]["Ġlow"] == 256
    assert Tokenizer.load(tmp_path / "tok").digest == tok.digest


def test_an_id_without_a_token_decodes_to_an_error() -> None:
    tok = Tokenizer.from_ranks({bytes([byte]): byte for byte in range(256)}, special_tokens={"<s>": 258})
    assert tok.decode([104, 258]) == "h<s>"
    for decode in (
        tok.decode,
        tok.decode_bytes,
        lambda ids: tok.decode_batch([ids]),
        lambda ids: [*tok.decode_stream(ids)],
    ):
        with pytest.raises(DecodingError, match="id 257.* has no token"):
            decode([104, 257])
    with pytest.raises(KeyError, match="id 257 has no token"):
        tok.token_bytes(257)
    with pytest.raises(DecodingError, match="out of range"):
        tok.token_bytes(259)
