"""Views of a vocabulary in which merges are undone: they end in the ids that encoding gives, and say what was undone."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from bpe_transformer import Tokenizer
from bpe_transformer.errors import LearningError
from bpe_transformer.inspection import (
    compare,
    derive_text,
    derive_token,
    derive_word,
    sweep_vocab_sizes,
    tokenize_text,
    word_timeline,
)
from bpe_transformer.inspection.base.view import View
from bpe_transformer.inspection.html.report import report_data
from bpe_transformer.inspection.tokens.chunked_text import ChunkedText
from bpe_transformer.inspection.vocabulary.reachability import unreachable
from bpe_transformer.inspection.vocabulary.vocab_browser import VocabBrowser

CODES = ["l o", "lo w", "e r</w>", "low er</w>", "n e", "ne w", "new er</w>"]
VOCABULARY = [
    "low@@ 9",
    "er 8",
    "n@@ 7",
    "e@@ 6",
    "w@@ 5",
    "newer 1",
]  # which has neither "lower" nor "ne", "r" nor "o"
TEXT = "lower newer new lo ner"


@pytest.fixture(scope="module")
def tok(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    folder: Path = tmp_path_factory.mktemp("undone")
    (folder / "codes").write_text("\n".join(["#version: 0.2", *CODES, ""]), encoding="utf-8")
    (folder / "vocabulary").write_text("\n".join(VOCABULARY), encoding="utf-8")
    return Tokenizer.from_subword_nmt(folder / "codes", folder / "vocabulary", threshold=5)


def drawn(view: View) -> str:
    console = Console(file=io.StringIO(), width=200, record=True)
    console.print(view)
    return console.export_text()


def test_the_derivation_of_a_text(tok: Tokenizer) -> None:
    derived = derive_text(tok, TEXT)
    assert derived.ids == tok.encode(TEXT)
    causes = [(boundary.tokens, boundary.cause, boundary.undone) for boundary in derived.boundaries]
    assert causes[0] == ((b"low", b"er</w>"), "undone", b"lower</w>")
    assert [piece for pieces, cause, _ in causes if cause == "undone" for piece in pieces][2:] == [
        *(b"n", b"e", b"e", b"w", b"w", b"er</w>"),  # newer</w>
        *(b"n", b"e"),  # ner: ne was merged
    ]
    assert len(derived.boundaries) == len(derived.ids) - 1
    assert derived.boundaries[0].as_dict()["undone"]["text"] == "lower</w>"
    assert "low ┊ er</w>  merged to lower</w>, which the vocabulary does not have: undone" in drawn(derived)


@pytest.mark.parametrize("text", ["lower", "newer", "new", "ner", "lonewer", "lowlow", "q", "rrr", "newnewer", TEXT])
def test_every_view_ends_in_the_encoders_ids(tok: Tokenizer, text: str) -> None:
    ids = tok.encode(text)
    derived = derive_text(tok, text)
    assert derived.ids == ids
    assert [boundary.ids for boundary in derived.boundaries] == list(zip(ids, ids[1:], strict=False))
    assert [span.id for span in tokenize_text(tok, text).spans if span.id is not None] == ids
    if text in ("lower", "newer", "lonewer", "newnewer"):  # all of it in the alphabet
        assert list(derive_word(text, tok).stages[-1].ids) == ids
        assert list(word_timeline(tok, [text]).stages[-1].words[0].ids) == ids
    assert drawn(derived)


def test_the_derivation_of_a_token_that_is_undone(tok: Tokenizer) -> None:
    derived = derive_token(tok, tok.id_of("lower</w>"))
    assert derived.becomes == (b"low", b"er</w>")
    assert derived.as_dict()["becomes"][0]["text"] == "low"
    assert "the vocabulary does not have it: it becomes low er</w>" in drawn(derived)
    assert derive_token(tok, tok.id_of("low")).becomes == ()


def test_the_vocabulary_is_what_a_text_can_be_encoded_to(tok: Tokenizer) -> None:
    assert tok.vocab_size == 6
    view = VocabBrowser(tok, [ChunkedText("text", TEXT)]).view(limit=None)
    assert (view.num_tokens, view.pruning) == (6, None)
    assert sorted(entry.id for entry in view.entries) == [*range(6)]
    assert unreachable(tok) == {}


def test_pages_and_comparisons(tok: Tokenizer) -> None:
    data = report_data(tok, title="undone")
    assert data["sizes"] is None
    assert data["facts"]
    with pytest.raises(LearningError, match="tokens are undone"):
        sweep_vocab_sizes(tok, sizes=[5])
    compare({"undone": tok, "again": tok}, [("text", ChunkedText("text", TEXT))])
