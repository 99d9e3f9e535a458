"""Vocabularies that the core takes out of their files: what the slower readers find, and nothing where those find a fault."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpe_transformer import PretokenCounts, Tokenizer, _core, learn_bpe
from bpe_transformer.errors import FormatError
from bpe_transformer.io import parse_json
from bpe_transformer.tokenizer.formats import clip, gpt2, ranks, ranks_json, sentencepiece, tekken, tokenizer_json
from bpe_transformer.tokenizer.formats.protobuf import blob, single, varint
from bpe_transformer.tokenizer.vocabulary.trace import MergeTrace

NAMES = ["a", "b", "é", "ab", "aé", "abaé", "</w>", '"', "\\", "\n", "가", "a</w>", "😀"]
MERGES = [["a", "b"], ["a", "é"], ["ab", "aé"], ["a", "</w>"]]


@st.composite
def documents(draw: st.DrawFn) -> str:
    """A tokenizer.json, some with a fault."""
    names = draw(st.permutations(NAMES))
    merges: list[Any] = draw(st.lists(st.sampled_from(MERGES), max_size=5))
    if draw(st.booleans()):
        merges = [" ".join(pair) for pair in merges]
    model: dict[str, Any] = {
        "type": "BPE",
        "end_of_word_suffix": draw(st.sampled_from([None, None, "</w>"])),
        "vocab": {name: id for id, name in enumerate(names)},
        "merges": merges,
    }
    keys = draw(st.permutations(list(model)))
    document = {"version": "1.0", "model": {key: model[key] for key in keys}}
    document["pre_tokenizer"] = {"type": "WhitespaceSplit"}
    document["added_tokens"] = draw(st.sampled_from([[], [{"id": 13, "content": "<s>", "special": True}]]))
    text = json.dumps(document, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 1])))
    if draw(st.booleans()):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(st.text('{}[]":,\\ue0a 1.-', max_size=2)) + text[at + draw(st.integers(0, 2)) :]
    return text


def found(read: Any) -> str:
    try:
        return str(read().digest)
    except FormatError as problem:
        return str(problem)


@given(documents())
@settings(max_examples=150, deadline=None)
def test_a_tokenizer_json_is_read_as_without_the_core(text: str) -> None:
    vocabulary = tokenizer_json.read_vocabulary(text.encode())
    slowly = found(lambda: tokenizer_json.from_json(parse_json(text)))
    if vocabulary is not None:
        assert found(lambda: tokenizer_json.from_json(parse_json(vocabulary.rest), vocabulary)) == slowly


def test_an_ordinary_tokenizer_json_is_taken_by_the_core(tmp_path: Path) -> None:
    learned = learn_bpe(PretokenCounts.from_words({"low": 5, "lower": 2, "최고": 3}), vocab_size=264)
    learned.save(tmp_path)
    data = (tmp_path / "tokenizer.json").read_bytes()
    vocabulary = tokenizer_json.read_vocabulary(data)
    assert vocabulary is not None
    assert json.loads(vocabulary.rest)["model"]["vocab"] == {}
    assert vocabulary.pairs() == json.loads(data)["model"]["merges"]
    again = data.replace(b'"merges": [', b'"merges": [' + json.dumps(vocabulary.pairs()[0]).encode() + b",")
    assert tokenizer_json.read_vocabulary(again).merges.tolist() == vocabulary.merges.tolist()  # type: ignore[union-attr]


MODEL = b"".join(
    blob(1, blob(1, text.encode()) + single(2, score) + (b"" if kind == 1 else varint(3, kind)))
    for text, score, kind in [("<unk>", 0, 2), ("▁", 0, 1), ("a", -1, 1), ("▁a", -2, 1), ("<s>", 0, 3), ("é", -3, 1)]
)
TRAILER = blob(2, varint(3, 2)) + blob(3, varint(3, 1))


@given(st.integers(0, len(MODEL) - 1), st.binary(max_size=2), st.integers(0, 2))
@settings(max_examples=150, deadline=None)
def test_pieces_are_read_as_without_the_core(at: int, put: bytes, cut: int) -> None:
    data = MODEL[:at] + put + MODEL[at + cut :] + TRAILER
    taken = _core.read_pieces(data)
    if taken is not None:
        slowly = sentencepiece._parsed_pieces(data)
        assert (taken[1], taken[2].tolist(), taken[3].tolist()) == (
            slowly.texts,
            slowly.scores.tolist(),
            slowly.kinds.tolist(),
        )


def test_an_ordinary_model_is_taken_by_the_core() -> None:
    rest, texts, scores, kinds = _core.read_pieces(MODEL + TRAILER) or (b"", [], np.empty(0), np.empty(0))
    assert (rest, [text.decode() for text in texts]) == (TRAILER, ["<unk>", "▁", "a", "▁a", "<s>", "é"])
    assert (scores.tolist(), kinds.tolist()) == ([0, 0, -1, -2, 0, -3], [2, 1, 1, 1, 3, 1])


def test_a_trace_that_the_manifest_binds_is_parsed_when_it_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned = learn_bpe(PretokenCounts.from_words({"low": 5, "lower": 2}), vocab_size=258)
    learned.save(tmp_path)
    loads, load = [], MergeTrace.load

    def counted(*args: Any, **options: Any) -> MergeTrace:
        loads.append(args)
        return load(*args, **options)

    monkeypatch.setattr(MergeTrace, "load", counted)
    bound = Tokenizer.load(tmp_path)
    bound.encode("low")
    assert not loads
    (tmp_path / "trace.parquet").unlink()  # what was read of it is kept
    assert bound.trace == learned.trace
    assert bound.trace is bound.trace
    assert len(loads) == 1


def test_a_trace_without_a_manifest_is_checked_at_once(tmp_path: Path) -> None:
    learn_bpe(PretokenCounts.from_words({"low": 5, "lower": 2}), vocab_size=258).save(tmp_path)
    (tmp_path / "manifest.json").unlink()
    (tmp_path / "trace.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(FormatError, match="not a merge trace"):
        Tokenizer.load(tmp_path)


def test_tokens_that_are_chosen_to_meet_in_the_core_s_table_are_left_to_the_slower_reader() -> None:
    """With 700 names the table has 2,048 slots; all of these belong into 64 of them."""

    def slot(name: str) -> int:
        product = (int.from_bytes(name.encode(), "little") ^ 0x9E3779B97F4A7C15) * (len(name) ^ 0xD6E8FEB86659FD93)
        return ((product ^ product >> 64) >> 32) & 2047

    def document(names: list[str]) -> str:
        model = {"type": "BPE", "vocab": {name: id for id, name in enumerate(names)}, "merges": []}
        return json.dumps({"version": "1.0", "pre_tokenizer": {"type": "WhitespaceSplit"}, "model": model})

    tried = [f"{number:x}" for number in range(40_000)]
    ordinary, chosen = document(tried[:700]), document([name for name in tried if slot(name) < 64][:700])
    assert tokenizer_json.read_vocabulary(ordinary.encode()) is not None
    assert tokenizer_json.read_vocabulary(chosen.encode()) is None
    assert len(tokenizer_json.from_json(parse_json(chosen)).tokens) == 700


GPT2_LINES = ["#version: 0.2", "a b", "ab a", "é b", "a b 3", "a  b", "", "a b\r", "x y"]


@given(
    st.permutations(["a", "b", "é", "ab", "aba", "éb", "<s>"]),
    st.lists(st.sampled_from(GPT2_LINES), max_size=4),
    st.data(),
)
@settings(max_examples=100, deadline=None)
def test_the_two_files_of_gpt2_are_read_as_without_the_core(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], lines: list[str], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("gpt2")
    vocab = json.dumps({name: id for id, name in enumerate(names)}, ensure_ascii=data.draw(st.booleans()))
    at = data.draw(st.sampled_from([None, *range(len(vocab))]))
    vocab = vocab if at is None else vocab[:at] + data.draw(st.text('{}",:e0a 1', max_size=2)) + vocab[at + 1 :]
    (folder / "vocab.json").write_text(vocab, encoding="utf-8")
    (folder / "merges.txt").write_text("\n".join(lines), encoding="utf-8", newline="")
    files = folder / "vocab.json", folder / "merges.txt"
    by_core = found(lambda: gpt2.read(*files))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_core, "read_gpt2_vocabulary", lambda vocab, merges: None)
        assert by_core == found(lambda: gpt2.read(*files))


@given(
    st.lists(
        st.sampled_from(["! 0 YQ== Yg==", "! 2 Yw==", "!  3 ZA==", "! 0 YQ", "! YQ==", "! 9", "", "! 4 YQ==\ud800"])
    )
)
@settings(max_examples=100, deadline=None)
def test_ranks_in_json_are_read_as_without_the_core(lines: list[str]) -> None:
    def pairs(read: Any) -> Any:
        try:
            ranks_read = read("\n".join(lines))
        except FormatError as problem:
            return str(problem)
        return ranks_read.as_pairs() if isinstance(ranks_read, ranks.RankColumns) else [*ranks_read.items()]

    assert pairs(ranks_json._ranks) == pairs(ranks_json._ranks_by_line)


BYTES = [
    {"rank": byte, "token_bytes": base64.b64encode(bytes([byte])).decode(), "token_str": None} for byte in range(256)
]


@pytest.mark.parametrize(
    "entry",
    [{}, {"rank": 257}, {"rank": True}, {"token_bytes": "YQ"}, {"token_bytes": "YQ=="}, {"token_bytes": ""}, {"x": 1}],
)
def test_a_tekken_json_is_read_as_without_the_core(tmp_path: Path, entry: dict[str, Any]) -> None:
    last = {"rank": 256, "token_bytes": "YWI=", "token_str": "ab"} | entry
    config = {"pattern": r"\S+|\s+", "default_vocab_size": 260, "default_num_special_tokens": 3}
    document = {"config": config, "vocab": [*BYTES, last], "version": 1}
    file = tmp_path / "tekken.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    slowly = found(lambda: tekken.from_json(document))
    assert slowly in found(lambda: Tokenizer.from_file(file).model)
    assert (tekken.read_tokens(file.read_bytes()) is not None) == (entry in ({}, {"token_bytes": "YQ=="}))


def test_clip_s_merges_are_read_as_without_the_core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clip, "_NUM_MERGES", 3)
    file = tmp_path / "bpe_simple_vocab_16e6.txt"
    for lines in (
        ["a b", "ab c</w>", "x y"],
        ["a b", "ab\tc</w>", "x y"],
        ["a b", "a b", "x y"],
        ["a b", "abc"],
        ["a bc", "x y", "y z"],
    ):
        file.write_text("\n".join(['"bpe_simple_vocab_16e6.txt#version: 0.2', *lines, "z z"]), encoding="utf-8")
        by_core = found(lambda: clip.read(file))
        with monkeypatch.context() as patch:
            patch.setattr(_core, "read_merge_lines", lambda lines, names, header: None)
            assert by_core == found(lambda: clip.read(file))
