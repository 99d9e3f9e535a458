"""SentencePiece models of type BPE, trained here by that package, and ours written for it."""

from __future__ import annotations

import base64
import io
import random
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpe_transformer import Tokenizer
from bpe_transformer.errors import FormatError
from bpe_transformer.tokenizer.formats.protobuf import blob, single, varint
from bpe_transformer.tokenizer.splitting.normalizers import CharsmapNormalizer

spm = pytest.importorskip("sentencepiece")

TEXTS = [
    "The lower the newest, the widest: it's 1,234 low-lower prices! And so on, until the end of the line.",
    "다람쥐 헌 쳇바퀴에 타고파. 한국어 문장 세 마리와 다섯 권, 그리고 스무 살.",
    "def newest(low, lower):    return [low, lower, 'widest']  # 3 of them",
    "naïve café Ünïcödé, ½ ﬁne … «quoted» — 日本語のテキスト Ａ　Ｂ e\u0301 русский",
] * 20
SNIPPETS = [
    "the ",
    " low",
    "newest",
    "  ",
    "   ",
    "\n",
    "\t",
    " ",
    "▁",
    "다람쥐 ",
    "한국",
    "'s",
    "123",
    "½",
    "é",
    "e\u0301",
    "ﬁ",
    "Ａ",
    "\u3000",
    "日本語",
    "<s>",
    "</s>",
    "<sep>",
    "<sep",
    "x<sep>y",
    "<cls>",
    "  two",
    "가",
    "\u1100\u1161\u11a8",
    "👩‍👩‍👧",
    "\u00a0",
    "<0x41>",
]
TEXT = st.lists(st.sampled_from(SNIPPETS) | st.text(max_size=4), max_size=12).map("".join)

KINDS: dict[str, dict[str, Any]] = {
    "llama": {"normalization_rule_name": "identity", "remove_extra_whitespaces": False, "byte_fallback": True, "vocab_size": 500,
              "split_digits": True, "allow_whitespace_only_pieces": True},
    "defaults": {},
    "nfkc": {"normalization_rule_name": "nfkc"},
    "nfkc, case": {"normalization_rule_name": "nmt_nfkc_cf"},
    "no dummy prefix": {"add_dummy_prefix": False, "normalization_rule_name": "identity"},
    "squeeze": {"normalization_rule_name": "identity", "byte_fallback": True, "vocab_size": 450},
    "user defined": {"user_defined_symbols": ["<sep>", "▁two", "the▁"], "normalization_rule_name": "identity", "remove_extra_whitespaces": False},
    "gemma": {"user_defined_symbols": ["<sep>", "▁▁", "▁▁▁", "\n"], "normalization_rule_name": "identity", "remove_extra_whitespaces": False,
              "byte_fallback": True, "add_dummy_prefix": False, "vocab_size": 500, "bos_id": 2, "eos_id": 1, "pad_id": 0, "unk_id": 3},
    "user defined, defaults": {"user_defined_symbols": ["<sep>"], "byte_fallback": True, "vocab_size": 450, "control_symbols": ["<cls>"]},
    "user defined, changed by normalisation": {"user_defined_symbols": ["The", "ﬁ", "▁new", "<sep>"], "normalization_rule_name": "nmt_nfkc_cf"},
    "user defined letters": {"user_defined_symbols": ["e", "th", "▁▁"], "normalization_rule_name": "identity", "remove_extra_whitespaces": False},
    "spaces kept": {"remove_extra_whitespaces": False, "byte_fallback": True, "vocab_size": 500},  # "\r\n" is two spaces
    "short pieces": {"max_sentencepiece_length": 3, "split_by_unicode_script": False, "split_by_number": False},
    "other names": {"unk_id": 2, "bos_id": 0, "eos_id": -1, "pad_id": 1, "unk_piece": "[UNK]", "bos_piece": "[BOS]", "control_symbols": ["<cls>"]},
    "across spaces": {"split_by_whitespace": False, "normalization_rule_name": "identity"},
    "few characters": {"character_coverage": 0.98, "normalization_rule_name": "identity"},
}  # fmt: skip


def train(**options: Any) -> bytes:
    out = io.BytesIO()
    options = {"vocab_size": 220, "minloglevel": 2, **options}
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS), model_writer=out, model_type="bpe", num_threads=1, **options
    )
    return out.getvalue()


@pytest.fixture(scope="module", params=list(KINDS))
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Tokenizer]:
    file = tmp_path_factory.mktemp("kind") / "tokenizer.model"
    file.write_bytes(train(**KINDS[request.param]))
    return spm.SentencePieceProcessor(model_file=str(file)), Tokenizer.from_file(file)


def test_texts_have_the_ids_of_the_package(pair: tuple[Any, Tokenizer]) -> None:
    theirs, ours = pair
    assert ours.vocab_size == theirs.vocab_size()
    for text in [*TEXTS[:4], "", " ", "  a", "a <sep> b<sep>c", "   "]:
        assert ours.encode_ordinary(text) == theirs.encode(text), text
    assert ours.model.bos_token == theirs.id_to_piece(theirs.bos_id())
    assert ours.encode_batch(TEXTS[:4], disallowed_special=()).tolist() == theirs.encode(TEXTS[:4])


@given(text=TEXT)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_has_the_ids_of_the_package(pair: tuple[Any, Tokenizer], text: str) -> None:
    theirs, ours = pair
    if "\0" in text:
        return  # ends the text there
    assert ours.encode_ordinary(text) == theirs.encode(text)


def test_what_is_written_again_is_the_same(pair: tuple[Any, Tokenizer], tmp_path: Path) -> None:
    theirs, ours = pair
    ours.export(tmp_path / "again.model", "sentencepiece")
    again = spm.SentencePieceProcessor(model_file=str(tmp_path / "again.model"))
    assert Tokenizer.from_sentencepiece(tmp_path / "again.model").digest == ours.digest
    for text in [*TEXTS[:4], "a <sep> b<sep>c", " x  y "]:
        assert again.encode(text) == theirs.encode(text)
        assert again.decode(again.encode(text)) == theirs.decode(theirs.encode(text))


def test_offsets_and_texts(pair: tuple[Any, Tokenizer]) -> None:
    theirs, ours = pair
    for text in TEXTS[:4]:
        ids, offsets = ours.encode_offsets(text, "byte", disallowed_special=())
        assert ids == theirs.encode(text)
        assert np_sorted(offsets)
        assert offsets.max() <= len(text.encode())
        if ours.model.byte_fallback or theirs.unk_id() not in ids:
            assert ours.decode(ids) == theirs.decode(ids)


def np_sorted(offsets: Any) -> bool:
    return bool((offsets[1:, 0] >= offsets[:-1, 0]).all() and (offsets[:, 0] <= offsets[:, 1]).all())


def test_a_llama_becomes_a_tokenizer_json(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.model").write_bytes(train(**KINDS["llama"]))
    ours = Tokenizer.from_file(tmp_path / "tokenizer.model")
    ours.save(tmp_path)
    tokenizers = pytest.importorskip("tokenizers")
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    sp = spm.SentencePieceProcessor(model_file=str(tmp_path / "tokenizer.model"))
    for text in TEXTS[:4]:
        assert theirs.encode(text, add_special_tokens=False).ids == sp.encode(text) == ours.encode(text)
        assert theirs.decode(sp.encode(text)) == text
    Tokenizer.load(tmp_path).export(tmp_path / "back.model", "sentencepiece")
    assert spm.SentencePieceProcessor(model_file=str(tmp_path / "back.model")).encode(TEXTS[0]) == sp.encode(TEXTS[0])


def piece(text: str, score: float = 0.0, kind: int = 1) -> bytes:
    return blob(1, blob(1, text.encode()) + single(2, score) + varint(3, kind))


BASE = piece("<unk>", 0, 2) + piece("a", -10) + piece("b", -11) + piece("▁", -12)
BPE = blob(2, varint(3, 2)) + blob(3, varint(4, 0))


def test_a_model_made_by_hand(tmp_path: Path) -> None:
    (tmp_path / "m.model").write_bytes(BASE + piece("ab", -1) + piece("▁ab", -2) + BPE)
    assert Tokenizer.from_file(tmp_path / "m.model").encode("ab aab") == [5, 3, 1, 4]


@pytest.mark.parametrize("lengths", [range(2, 17), (2, 4, 8, 16), (2, 3, 5), (2, 4, 3)])
@given(st.lists(st.sampled_from(["▁", " ", "  ", "a", "b", " " * 9]), max_size=20).map("".join))
@settings(max_examples=100, deadline=None)
def test_runs_of_one_score_grow_from_the_left(lengths: Any, text: str) -> None:
    runs = b"".join(piece("▁" * length, -7.5) for length in lengths)
    content = BASE + piece("ab", -1) + runs + BPE
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "m.model").write_bytes(content)
        read = Tokenizer.from_file(Path(folder, "m.model"))
    assert read.encode(text) == spm.SentencePieceProcessor(model_proto=content).encode(text)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (BASE, "model_type is UNIGRAM"),
        (BASE + piece("ab", -1) + BPE[:-1], "claims 2 bytes, 1 are left"),
        (b"\x0a\xff\xff\xff\xff\x0f" + BASE, "claims 4294967295 bytes"),
        (BASE + piece("ab", -1)[:-2] + BPE, "wire type|claims|ends|type"),
        (BASE + piece("a", -1) + BPE, r"pieces\[4\] is 'a', the same as pieces\[1\]"),
        (BASE + piece("ab", -1) + piece("ba", -1) + BPE, "'ab' and 'ba' have the same score"),
        (BASE + piece("ax", -1) + BPE, "'ax' has a character that is not a piece"),
        (BASE + piece("ab", float("nan")) + BPE, "score nan"),
        (BASE + piece("ab", 0, 9) + BPE, "type 9"),
        (BASE + piece("ab", 0, 5) + BPE, "UNUSED"),
        (BASE + piece("<0x00>", 0, 6) + BPE, "1 pieces are of type BYTE"),
        (BASE + piece("other", 0, 2) + BPE, "2 pieces are of type UNKNOWN"),
        (BASE + blob(1, blob(1, b"\xff\xfe")) + BPE, r"pieces\[4\].piece is not UTF-8"),
        (BASE + blob(1, varint(1, 5)) + BPE, "not text"),
        (BASE + blob(1, b"\x0b") + BPE, "wire type 3"),
        (BASE + b"\xff" * 20, "more than 64 bits"),
        (BASE + blob(2, varint(3, 2) + varint(24, 1)), "treat_whitespace_as_suffix"),
        (BASE + blob(2, varint(3, 2)) + blob(3, varint(5, 0)), "escape_whitespaces"),
        (piece("<unk>", 0, 2) + piece("a", -10) + BPE, "no piece is '▁'"),
    ],
)
def test_hostile_models(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "m.model").write_bytes(content)
    with pytest.raises(FormatError, match=message):
        Tokenizer.from_sentencepiece(tmp_path / "m.model")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "claims a trie of 0 bytes"),
        (b"\xff\xff\xff\xff", "claims a trie"),
        ((1024).to_bytes(4, "little") + b"\x00" * 1024, None),
        ((1024).to_bytes(4, "little") + bytes(range(256)) * 4, None),
        ((1024).to_bytes(4, "little") + b"\x61\xff\xff\x7f" * 256, "not a trie"),
    ],
)
def test_hostile_charsmaps(content: bytes, message: str | None) -> None:
    encoded = base64.b64encode(content).decode()
    if message is None:
        try:
            CharsmapNormalizer(encoded, False).normalize("abc")
        except FormatError:
            return
    else:
        with pytest.raises(FormatError, match=message):
            CharsmapNormalizer(encoded, False)


# --- user-defined symbols ----------------------------------------------------------------------------------------------

SYMBOLS = (
    ["<b>"],
    ["▁▁"],
    ["  "],
    ["<b> "],
    [" x"],
    ["▁x"],
    ["<b>", "▁▁"],
    ["ab", "abc", "</b>"],
    ["x y"],
    ["lo", "low"],
    ["e"],
)
ATOMS = [
    " ",
    "  ",
    "   ",
    "▁",
    "▁▁",
    "<b>",
    "</b>",
    "x",
    "y",
    "low",
    "a",
    "ab",
    "abc",
    "é",
    "e\u0301",
    "ﬁ",
    "Ａ",
    "\t",
    "x y",
    "\u3000",
]
SPACES: tuple[dict[str, bool], ...] = (
    {}, {"add_dummy_prefix": False}, {"remove_extra_whitespaces": False},
    {"add_dummy_prefix": False, "remove_extra_whitespaces": False},
)  # fmt: skip


def trained(symbols: list[str], **options: Any) -> bytes:
    model = io.BytesIO()
    sentences = ["low lower newest widest <b>low</b> a  b  ▁ c x y", "the quick  brown fox ▁▁ jumps <b> over x yz "] * 9
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences), model_writer=model, vocab_size=50, model_type="bpe",
        user_defined_symbols=symbols, minloglevel=2, **options,
    )  # fmt: skip
    return model.getvalue()


@pytest.mark.parametrize("options", SPACES, ids=str)
@pytest.mark.parametrize("symbols", SYMBOLS, ids=str)
def test_user_defined_symbols_are_found_as_the_package_finds_them(
    symbols: list[str], options: dict[str, bool], tmp_path: Path
) -> None:
    """Also what is decoded: the package strips a space, or all spaces, that ids begin with."""
    path = tmp_path / "m.model"
    path.write_bytes(trained(symbols, normalization_rule_name="identity", **options))
    theirs, ours = spm.SentencePieceProcessor(model_file=str(path)), Tokenizer.from_file(path, verify=True)
    draw = random.Random(str((symbols, options)))
    texts = ["".join(draw.choices(ATOMS, k=draw.randint(0, 7))) for _ in range(30)]
    texts += [text for symbol in symbols for text in (symbol, f"{symbol}low", f"low{symbol}", f"a {symbol} b")]
    expected = theirs.encode(texts)
    assert [ours.encode_ordinary(text) for text in texts] == expected
    assert [row.tolist() for row in ours.encode_batch(texts, disallowed_special=())] == expected
    pieces = [id for id in range(theirs.get_piece_size()) if not theirs.is_control(id) and not theirs.is_unknown(id)]
    spaces = [id for id in pieces if theirs.id_to_piece(id).startswith("▁")]
    rows = [[draw.choice(draw.choice((pieces, spaces))) for _ in range(draw.randint(0, 5))] for _ in range(30)]
    assert [ours.decode(row) for row in rows] == [theirs.decode(row) for row in rows]
    assert ["".join(ours.decode_stream(row)) for row in rows] == [theirs.decode(row) for row in rows]
    ours.save(tmp_path / "saved")
    assert Tokenizer.load(tmp_path / "saved").digest == ours.digest


@pytest.mark.parametrize("symbols", [[], ["<b>"]], ids=str)
def test_the_default_of_spm_train_is_read_and_saved(symbols: list[str], tmp_path: Path) -> None:
    path = tmp_path / "m.model"
    path.write_bytes(trained(symbols))  # nmt_nfkc
    theirs, ours = spm.SentencePieceProcessor(model_file=str(path)), Tokenizer.from_file(path, verify=True)
    ours.save(tmp_path / "saved")
    read = Tokenizer.load(tmp_path / "saved")
    assert read.digest == ours.digest
    texts = ["low  ﬁ Ａ low ", " <b>e\u0301", "\u1112\u1161\u11ab low", "㍿\u3000low"]  # Hangul in letters too
    assert [read.encode_ordinary(text) for text in texts] == theirs.encode(texts)
    if symbols:  # tokenizer.json has no space before the text in front of an added token
        assert not (tmp_path / "saved" / "tokenizer.json").exists()
    else:
        tokenizers = pytest.importorskip("tokenizers")
        package = tokenizers.Tokenizer.from_file(str(tmp_path / "saved" / "tokenizer.json"))
        assert package.encode("low  ﬁ Ａ low ", add_special_tokens=False).ids == theirs.encode("low  ﬁ Ａ low ")
