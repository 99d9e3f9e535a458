"""Pairs, truncation and windows as the `tokenizers` package has them, and what a tokenizer.json holds besides, kept as it is."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.errors import EncodingError, FormatError, TruncationWarning

tokenizers = pytest.importorskip("tokenizers")
CLS, SEP = ("<s>", 256), ("</s>", 257)
PIECE = {"A": {"Sequence": {"id": "A", "type_id": 0}}, "B": {"Sequence": {"id": "B", "type_id": 1}}}


def token(name: str, type_id: int = 0) -> dict[str, Any]:
    return {"SpecialToken": {"id": name, "type_id": type_id}}


TEMPLATE = {
    "type": "TemplateProcessing",
    "single": [token("<s>"), PIECE["A"], token("</s>")],
    "pair": [token("<s>"), PIECE["A"], token("</s>"), PIECE["B"], token("</s>", 1)],
    "special_tokens": {name: {"id": name, "ids": [id], "tokens": [name]} for name, id in (CLS, SEP)},
}
PROCESSORS: dict[str, Any] = {
    "none": None,
    "bert": {"type": "BertProcessing", "sep": SEP, "cls": CLS},
    "roberta": {"type": "RobertaProcessing", "sep": SEP, "cls": CLS, "trim_offsets": True, "add_prefix_space": False},
    "template": TEMPLATE,
    "sequence": {
        "type": "Sequence",
        "processors": [
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False},
            TEMPLATE,
        ],
    },
}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    from bpe_transformer.tokenizer.formats import tokenizer_json

    counts = PretokenCounts.from_words({"low": 5, "lower": 2, "newest": 6, "widest": 3}, "gpt2")
    return tokenizer_json.to_json(learn_bpe(counts, 270, special_tokens=["<s>", "</s>"]).model)


def written(document: dict[str, Any], folder: Path, **changes: Any) -> Path:
    path = folder / "tokenizer.json"
    path.write_text(json.dumps({**document, **changes}), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", PROCESSORS)
def test_pairs_windows_and_truncation(name: str, document: dict[str, Any], tmp_path: Path) -> None:
    path = written(document, tmp_path, post_processor=PROCESSORS[name])
    theirs, ours = tokenizers.Tokenizer.from_file(str(path)), Tokenizer.from_file(path, verify=True)
    framed = name != "none"
    frame: dict[str, Any] = {"add_bos": framed, "add_eos": framed}
    first, second = "lower newest low", "widest"
    for a, b in ((first, second), (second, first), ("", second), (first, "")):
        for special in sorted({framed, False}):
            expected = theirs.encode(a, b, add_special_tokens=special)
            found = ours.encode_pair(a, b, add_bos=special, add_eos=special)
            assert found[0] == expected.ids
            if special or name != "roberta":  # whose type ids are all 0, also without tokens
                assert found[1] == expected.type_ids
            assert ours.encode(a, b, add_bos=special, add_eos=special) == expected.ids
    for side in ("right", "left"):
        for max_len in (4, 5, 7, 9, 12):
            theirs.enable_truncation(max_len, stride=0, direction=side)
            expected = theirs.encode(first, second, add_special_tokens=framed)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", TruncationWarning)
                found = ours.encode_pair(first, second, **frame, max_len=max_len, truncation_side=side)
            assert found == (expected.ids, expected.type_ids)
            alone = theirs.encode(first, add_special_tokens=framed).ids
            batch = ours.encode_batch([first, "low"], **frame, max_len=max_len, truncation_side=side)
            assert batch[0].tolist() == alone
            for stride in (0, 1):
                theirs.enable_truncation(max_len, stride=stride, direction=side)
                whole = theirs.encode(first, add_special_tokens=framed)
                rows = ours.encode_windows(first, max_len, stride=stride, **frame, truncation_side=side)
                assert [row.tolist() for row in rows] == [whole.ids, *(more.ids for more in whole.overflowing)]
    with pytest.warns(TruncationWarning):
        assert (
            ours.encode(first, **frame, max_len=3, truncation_side="left")
            == ours.encode_batch([first], **frame, max_len=3, truncation_side="left")[0].tolist()
        )


def test_what_a_pair_cannot_be(document: dict[str, Any], tmp_path: Path) -> None:
    tok = Tokenizer.from_file(written(document, tmp_path, post_processor=TEMPLATE))
    with pytest.raises(EncodingError, match="a pair has all of its tokens or none"):
        tok.encode_pair("low", "low", add_bos=False)
    with pytest.raises(EncodingError, match="max_len=2 has no room for the 3 ids"):
        tok.encode_pair("low", "low", max_len=2)
    with pytest.raises(EncodingError, match="stride=3 .* leaves 3 for the text"):
        tok.encode_windows("low lower", 3, stride=3)
    with pytest.raises(EncodingError, match="truncation_side='top' is unknown; choose left or right"):
        tok.encode("low", truncation_side="top")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", PROCESSORS)
def test_everything_is_written_back(name: str, document: dict[str, Any], tmp_path: Path) -> None:
    settings = {
        "truncation": {"direction": "Left", "max_length": 3, "strategy": "LongestFirst", "stride": 1},
        "padding": {
            "strategy": {"Fixed": 9}, "direction": "Left", "pad_to_multiple_of": None, "pad_id": 0, "pad_type_id": 0, "pad_token": "<s>",
        },
        "post_processor": PROCESSORS[name],
        "model": {**document["model"], "dropout": 0.5},
    }  # fmt: skip
    path = written(document, tmp_path, **settings)
    tok = Tokenizer.from_file(path, verify=True)  # none of them decides ids here
    tok.save(tmp_path / "saved")
    saved = json.loads((tmp_path / "saved" / "tokenizer.json").read_text(encoding="utf-8"))
    assert {key: saved[key] for key in ("truncation", "padding", "post_processor")} == {
        key: settings[key] for key in ("truncation", "padding")
    } | {"post_processor": json.loads(json.dumps(PROCESSORS[name]))}
    assert saved["model"]["dropout"] == 0.5
    assert Tokenizer.load(tmp_path / "saved").digest == tok.digest
    if PROCESSORS[name] is not None:  # with other ids, the pair is the same
        pruned = tok.prune(["low low"]).tokenizer
        pruned.save(tmp_path / "pruned")
        assert Tokenizer.load(tmp_path / "pruned").model.pair_pieces == tok.model.pair_pieces


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": "2.0"}, "version is '2.0'"),
        ({"version": 2.0}, "version is 2.0"),
        ({"charset": "x"}, "charset is not known"),
        ({"model": {"cache": 3}}, "model.cache is not known"),
        ({"normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC", "strict": True}]}}, r"normalizer.normalizers\[0\].strict"),
        ({"pre_tokenizer": {"type": "ByteLevel", "mode": 1}}, "pre_tokenizer.mode is not known"),
        ({"post_processor": {**TEMPLATE, "triple": []}}, "post_processor.triple"),
        ({"added_tokens": [{"id": 256, "content": "<s>", "special": True, "greedy": True}]}, r"added_tokens\[0\].greedy"),
        ({"post_processor": {**TEMPLATE, "pair": [token("<x>")]}}, "adds '<x>' to a pair"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_named(
    change: dict[str, Any], message: str, document: dict[str, Any], tmp_path: Path
) -> None:
    if "model" in change:
        change = {"model": {**document["model"], **change["model"]}}
    with pytest.raises(FormatError, match=message):
        Tokenizer.from_file(written(document, tmp_path, **change))


def test_a_pair_takes_no_dropout_and_every_side_is_checked() -> None:
    trained = learn_bpe(PretokenCounts.from_words({"low": 5, "lower": 2}), 258)
    kinds: list[dict[str, Any]] = [{"dropout": 0.5}, {"seed": 1}]
    for options in kinds:
        with pytest.raises(EncodingError, match="for one text, not for a pair"):
            trained.encode("low", pair="er", **options)
    with pytest.raises(EncodingError, match="truncation_side='x'"):
        trained.encode_pair("low", "er", truncation_side="x")  # type: ignore[arg-type]
