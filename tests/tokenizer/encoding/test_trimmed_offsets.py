"""`trim_offsets` of a `tokenizer.json`: the offsets of the `tokenizers` package, and the file as it was."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from bpe_transformer import Tokenizer
from bpe_transformer.inspection import tokenize_text
from bpe_transformer.tokenizer.formats.tokenizer_json import dump

tokenizers = pytest.importorskip("tokenizers")
from tokenizers import AddedToken, models, normalizers, pre_tokenizers, processors, trainers  # noqa: E402

CORPUS = ["low lower  lowest 다람쥐 헌 쳇바퀴\n\n\tnewest   ", "숲 😀 é\u00a0à　x  low\r\n    low"] * 3
ADDED = [
    AddedToken("<mask>", lstrip=True, special=True),
    AddedToken("<end>", rstrip=True, special=True),
    AddedToken("<wide>", lstrip=True, rstrip=True),
    AddedToken("y 　", normalized=False),
    AddedToken("Ġz", normalized=False),
]
BEGIN_WITH_SPACES = [AddedToken(" of", normalized=False), AddedToken("　y ", normalized=False), ADDED[0], ADDED[-1]]
PIECES = st.sampled_from(
    [
        " ", "  ", "\n", "\t", "　", "\u00a0", "\u2003", "\x1f", "low", "lower", "다람쥐", "숲", "é", "e\u0301", "😀", "Ġ", "a",
        "<mask>", "<end>", "<wide>", " of", "　y ", "y 　", "Ġz", "İ", "ﬁ", "\x85", "<s>",
    ]
)  # fmt: skip
TEXTS = st.one_of(st.lists(PIECES, max_size=9).map("".join), st.text(max_size=12))


def byte_level(trims: bool, spares: bool) -> Any:
    return processors.ByteLevel(add_prefix_space=spares, trim_offsets=trims)


def roberta(trims: bool, spares: bool) -> Any:
    return processors.RobertaProcessing(("</s>", 1), ("<s>", 0), trim_offsets=trims, add_prefix_space=spares)


TEMPLATE = processors.TemplateProcessing(
    single="<s> $A", pair="<s> $A </s> $B", special_tokens=[("<s>", 0), ("</s>", 1)]
)
POST: dict[str, Any] = {
    f"{make.__name__} trims={trims} spares={spares}": make(trims, spares)
    for make, trims, spares in product((byte_level, roberta), (True, False), (True, False))
} | {
    "template, then trims": processors.Sequence([TEMPLATE, byte_level(True, True)]),
    "trims, then template": processors.Sequence([byte_level(True, False), TEMPLATE]),
    "trims twice": processors.Sequence([byte_level(True, True), roberta(True, False)]),
}  # fmt: skip
NORMALIZERS: dict[str, Any] = {
    "none": None,
    "lowercase": normalizers.Lowercase(),
    "strip": normalizers.Strip(),
    "more spaces": normalizers.Replace("\t", "    "),
}


def package(post: Any, *, prefix: bool = False, normalizer: Any = None, use_regex: bool = True) -> Any:
    made = tokenizers.Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix, use_regex=use_regex, trim_offsets=False)
    if normalizer is not None:
        made.normalizer = normalizer
    trainer = trainers.BpeTrainer(
        vocab_size=330,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(CORPUS, trainer)
    made.add_tokens(BEGIN_WITH_SPACES if prefix else ADDED)  # which do not go with rstrip
    made.post_processor = post
    return made


class Pairs(dict[tuple[str, bool, str], tuple[Any, Tokenizer]]):
    """(the package's, ours), by post-processor, whether a space is put before texts, and normalizer."""

    def __repr__(self) -> str:
        return "Pairs()"

    def drawn(self, data: st.DataObject) -> tuple[Any, Tokenizer]:
        return self[data.draw(st.sampled_from(sorted(self)))]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Pairs:
    kinds = [(post, prefix, "none") for post, prefix in product(POST, (False, True))]
    kinds += [
        ("byte_level trims=True spares=True", prefix, name) for prefix, name in product((False, True), NORMALIZERS)
    ]
    found = Pairs()
    path = tmp_path_factory.mktemp("trimmed") / "tokenizer.json"
    for post, prefix, name in dict.fromkeys(kinds):
        theirs = package(POST[post], prefix=prefix, normalizer=NORMALIZERS[name], use_regex=name != "lowercase")
        theirs.save(str(path))
        found[post, prefix, name] = theirs, Tokenizer.from_file(path)
    return found


@given(text=TEXTS, data=st.data())
@settings(max_examples=300, deadline=None)
def test_offsets_are_those_of_the_package(both: Pairs, text: str, data: st.DataObject) -> None:
    theirs, ours = both.drawn(data)
    assume(not ("<wide>" in text and "<mask>" in text))  # which of both takes the space between them differs
    if "\t" in text and "<wide>" in text:  # of one that takes a tab's four spaces the package trims four characters
        assume(not isinstance(theirs.normalizer, normalizers.Replace))
    expected = theirs.encode(text, add_special_tokens=False)
    ids, spans = ours.encode_offsets(text, "char", allowed_special="all")
    assert ids == expected.ids == ours.encode(text, allowed_special="all")
    if ours.model.offset_trims:
        assert list(map(tuple, spans.tolist())) == expected.offsets
    else:  # a space that was put before text is nothing of it for us, and the character after it for the package
        for span, (start, end) in zip(spans.tolist(), expected.offsets, strict=True):
            assert span in ([start, end], [start, start])


@given(texts=st.lists(TEXTS, max_size=4), data=st.data())
@settings(max_examples=100, deadline=None)
def test_batches_bytes_and_characters(both: Pairs, texts: list[str], data: st.DataObject) -> None:
    _, ours = both.drawn(data)
    for unit in ("byte", "char"):
        each = [ours.encode_offsets(text, unit, allowed_special="all") for text in texts]
        for form in (texts, pa.array(texts, pa.string())):
            rows, spans = ours.encode_offsets_batch(form, unit, 2, allowed_special="all")
            assert rows.tolist() == [ids for ids, _ in each]
            assert spans.tolist() == [span for _, found in each for span in found.tolist()]
    for text in texts:
        _, in_bytes = ours.encode_offsets(text, allowed_special="all")
        _, in_characters = ours.encode_offsets(text, "char", allowed_special="all")
        trimmed = [text.encode()[start:end].decode("utf-8", "replace") for start, end in in_bytes.tolist()]
        whole = [text[start:end] for start, end in in_characters.tolist()]
        assert all(a == b or "\ufffd" in a for a, b in zip(trimmed, whole, strict=True))


@given(text=TEXTS)
@settings(max_examples=50, deadline=None)
@example(" low  lower \n <mask>")
def test_they_may_be_had_otherwise(both: Pairs, text: str) -> None:
    plain, trimming = (both[f"byte_level trims={trims} spares=False", False, "none"][1] for trims in (False, True))
    whole, trimmed = (tok.encode_offsets(text, "char", allowed_special="all")[1] for tok in (plain, trimming))
    for tok in (plain, trimming):
        assert np.array_equal(tok.encode_offsets(text, "char", trim=False, allowed_special="all")[1], whole)
        assert np.array_equal(tok.encode_offsets(text, "char", trim=True, allowed_special="all")[1], trimmed)
    views = [tokenize_text(tok, text, allowed_special="all") for tok in (plain, trimming)]
    assert [span.source for span in views[0].spans] == [span.source for span in views[1].spans]
    assert b"".join(span.source for span in views[1].spans) == text.encode()


@given(text=TEXTS, pair=TEXTS, data=st.data())
@settings(max_examples=100, deadline=None)
def test_files_and_what_transformers_makes_of_them(both: Pairs, text: str, pair: str, data: st.DataObject) -> None:
    theirs, ours = both.drawn(data)
    written = tokenizers.Tokenizer.from_str(dump(ours.model))
    for texts in ((text,), (text, pair)):
        expected, found = theirs.encode(*texts), written.encode(*texts)
        assert (found.ids, found.offsets, found.type_ids) == (expected.ids, expected.offsets, expected.type_ids)


def test_the_sections_of_the_file_come_back(both: Pairs, tmp_path: Path) -> None:
    for theirs, ours in both.values():
        before = json.loads(theirs.to_str())
        after = json.loads(dump(ours.model))
        for section in ("normalizer", "pre_tokenizer", "post_processor"):
            assert after[section] == before[section]
    theirs, ours = both["byte_level trims=True spares=True", True, "none"]
    assert json.loads(dump(ours.model))["pre_tokenizer"]["trim_offsets"] is False
    wrapped = ours.as_transformers()
    found = wrapped(" low  lower\u3000x ", add_special_tokens=False, return_offsets_mapping=True)
    assert found["offset_mapping"] == theirs.encode(" low  lower\u3000x ", add_special_tokens=False).offsets
    # another model's file says the same of its offsets, whatever else changed
    smaller = Tokenizer(replace(ours.model, bos_token="<s>", eos_token=None, template=None))
    smaller.save(tmp_path)
    text = "  low <mask> lower "
    first, second = (tok.encode_offsets(text, allowed_special="all")[1] for tok in (ours, Tokenizer.load(tmp_path)))
    assert np.array_equal(first, second)
