"""The page's encoder gives the Python encoder's ids: every kind of vocabulary, on texts of every kind."""

from __future__ import annotations

import dataclasses
import io
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sentencepiece as spm
from hypothesis import given, settings
from hypothesis import strategies as st

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.tokenizer.splitting.patterns import PATTERNS
from bpe_transformer.tokenizer.splitting.pretokenizer import Pretokenizer

TEXTS = [
    "The lower the newest, the widest: it's 1,234 low-lower prices!\n\n  And so on, until THE END of the line.\r\n",
    "다람쥐 헌 쳇바퀴에 타고파. 한국어 문장 세 마리와 다섯 권, 그리고 스무 살.\n",
    "def newest(low, lower):\n    return [low, lower, 'widest']  # 3 of them\n",
    "👩‍🚀 é ﬁ Å ½ 東京 ไทย اللغة ▁x İstanbul ſ's K'S\t\u00a0\u3000\u0085\ufeff\x1c.",
] * 3
_PIECES = [
    "the",
    "lower",
    " newest",
    "'s",
    "'LL",
    "한국어",
    " 마리",
    "1234",
    "<s>",
    "<mask>",
    "C++",
    "▁",
    " ",
    "  ",
    "\n",
    "\r\n",
]
_TEXT = st.lists(st.one_of(st.sampled_from([*_PIECES, *TEXTS[:4]]), st.text(max_size=6)), max_size=8).map("".join)
_BATCH = st.lists(_TEXT, min_size=8, max_size=8)


def _learned(pattern: str | Pretokenizer = "cl100k", size: int = 420, **options: Any) -> Tokenizer:
    return learn_bpe(PretokenCounts.from_iterator(TEXTS, pattern), size, special_tokens=["<s>", "<mask>"], **options)


def _changed(tokenizer: Tokenizer, **facts: Any) -> Tokenizer:
    return Tokenizer(dataclasses.replace(tokenizer.model, **facts))


def _added(**more: Any) -> Tokenizer:
    """Two tokens on top that are always looked for."""
    model = _learned().model
    top = len(model.tokens)
    tokens = (*model.tokens, b"lower", b" C++")
    return _changed(_learned(), tokens=tokens, added_tokens={"lower": top, " C++": top + 1}, **more)


def _sentencepiece() -> Tokenizer:
    """As the package makes them by default: a map of characters, spaces squeezed, one put first."""
    file = io.BytesIO()
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter("".join(TEXTS).splitlines()),
        model_writer=file,
        model_type="bpe",
        vocab_size=250,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "tokenizer.model").write_bytes(file.getvalue())
        return Tokenizer.from_file(Path(folder) / "tokenizer.model")


def _undone() -> Tokenizer:
    """subword-nmt's codes with a vocabulary that has a third of the tokens that they make."""
    tok = _learned("whitespace", unit="char", size=300, unk_token="<unk>", end_of_word="</w>")
    names = [
        tok.token_bytes(id).decode() for id in range(3, tok.vocab_size, 3) if id not in tok.special_tokens.values()
    ]
    lines = [f"{name.removesuffix('</w>')} 1" if name.endswith("</w>") else f"{name}@@ 1" for name in names]
    with tempfile.TemporaryDirectory() as folder:
        tok.export(Path(folder) / "codes", "subword-nmt")
        (Path(folder) / "vocabulary").write_text("\n".join(lines), encoding="utf-8")
        return Tokenizer.from_subword_nmt(Path(folder) / "codes", Path(folder) / "vocabulary", threshold=1)


_CHAR: dict[str, Any] = {"unit": "char", "size": 300}
KINDS: dict[str, Callable[[], Tokenizer]] = {
    **{f"pattern {name}": partial(_learned, name) for name in PATTERNS},
    "gpt2 alphabet": lambda: _learned(alphabet_order="gpt2"),
    "regex": lambda: _learned(r"(?i:the|it'?s)|\p{Lu}++\b|(?>\p{Ll}+)|(?<=\s)\d+?(?=\D)|[[:alpha:]]{2,}|[^\W\d_]|(?m:^).|$|\s+".replace("|$", "")),
    "normalised": lambda: _learned(Pretokenizer("cl100k", normalization="NFKC")),
    "decomposed": lambda: _learned(Pretokenizer("o200k", normalization="NFD")),
    "spaces squeezed": lambda: _learned(Pretokenizer("metaspace", squeeze_spaces=True)),
    "protected": lambda: _learned(Pretokenizer("cl100k", protected=(r"C\+\+", r"\d+,\d+"))),
    "patterns in turn": lambda: _learned(Pretokenizer(r"\p{N}|\P{N}+", before=("whitespace", r"[,.]+|[^,.]+"))),
    "characters": lambda: _learned("whitespace", unk_token="<unk>", **_CHAR),
    "unknown fused": lambda: _changed(_learned("whitespace", unk_token="<unk>", character_coverage=0.9, **_CHAR), fuse_unk=True),
    "end of word": lambda: _learned("whitespace", unk_token="<unk>", end_of_word="</w>", **_CHAR),
    "byte fallback": lambda: _learned("metaspace", byte_fallback=True, unit="char", character_coverage=0.9, size=600),
    "space mark": lambda: _changed(
        _learned("metaspace", byte_fallback=True, required_characters="▁", unit="char", size=700), space_mark="▁", prefix_space="first"
    ),
    "space before parts": lambda: _changed(_learned(), prefix_space="always"),
    "space where none is": lambda: _changed(_learned(), prefix_space="always_if_none"),
    "space at first": lambda: _changed(_learned(), prefix_space="first_if_none"),
    "whole tokens": lambda: _changed(_learned("o200k"), ignore_merges=True),
    "added tokens": _added,
    "flagged tokens": lambda: _added(
        token_flags={"lower": ("lstrip", "single_word"), "<s>": ("rstrip",), "<mask>": ("normalized", "lstrip", "rstrip")}
    ),
    "sentencepiece": _sentencepiece,
    "only bytes": lambda: _learned(size=258),
    "undone tokens": _undone,
}  # fmt: skip
_made: dict[str, Tokenizer] = {}


def _tokenizer(kind: str) -> Tokenizer:
    if kind not in _made:
        _made[kind] = KINDS[kind]()
    return _made[kind]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=6, deadline=None)
@given(texts=_BATCH)
def test_ids_are_the_encoders(in_browser: Callable[..., list[list[int]]], kind: str, texts: list[str]) -> None:
    tokenizer = _tokenizer(kind)
    texts = [*texts, "".join(TEXTS[:4])]
    assert in_browser(tokenizer, texts) == [tokenizer.encode_ordinary(text) for text in texts]
    specials = [tokenizer.encode(text, allowed_special="all") for text in texts]
    assert in_browser(tokenizer, texts, specials=True) == specials


def test_a_word_of_any_length(in_browser: Callable[..., list[list[int]]]) -> None:
    """Ten thousand letters in one pre-token, and the same letter ten thousand times."""
    tokenizer = _tokenizer("pattern cl100k")
    texts = ["lowernewestwidest" * 600, "e" * 10_000, "한국어" * 3000]
    assert in_browser(tokenizer, texts) == [tokenizer.encode_ordinary(text) for text in texts]


def test_lone_surrogates_become_replacement_characters(in_browser: Callable[..., list[list[int]]]) -> None:
    tokenizer = _tokenizer("pattern cl100k")
    assert in_browser(tokenizer, ["a\ud800b"]) == [tokenizer.encode_ordinary("a\ufffdb")]
