"""Damaged and hostile files of every format: a tokenizer that works, or a FormatError; never a crash, a hang or a huge claim."""

from __future__ import annotations

import importlib.util
import json
import resource
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpe_transformer.errors import FormatError

TARGETS = Path(__file__).parents[2] / "fuzz" / "importers.py"
BUDGET = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def load_targets() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fuzz_importers", TARGETS)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


fuzz = load_targets()
SEEDS: dict[str, bytes] = fuzz.seeds()

Edit = tuple[str, float, bytes]
EDITS = st.lists(
    st.tuples(
        st.sampled_from(["flip", "cut", "insert", "double", "end"]),
        st.floats(0, 1),
        st.binary(min_size=1, max_size=6) | st.sampled_from([b"\xff" * 5, b"4294967295", b"-1", b"NaN", b"1e999", b"null", b"[" * 50, b"\n", b'"']),
    ),
    min_size=1,
    max_size=4,
)  # fmt: skip


def damaged(data: bytes, edits: list[Edit]) -> bytes:
    for kind, place, patch in edits:
        at = int(place * len(data))
        if kind == "flip":
            data = data[:at] + patch + data[at + len(patch) :]
        elif kind == "cut":
            data = data[:at] + data[at + 4 * len(patch) :]
        elif kind == "insert":
            data = data[:at] + patch + data[at:]
        elif kind == "double":
            data = data[:at] + data[max(at - 40, 0) : at] + data[at:]
        else:
            data = data[:at]
    return data


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


def neighbours(work: Path, form: str) -> None:
    """GPT-2's two files are read together."""
    for other in ("vocab.json", "merges.txt"):
        (work / other).unlink(missing_ok=True)
        if form in ("vocab.json", "merges.txt"):
            (work / other).write_bytes(SEEDS[other])


@pytest.mark.parametrize("form", list(SEEDS))
def test_the_seeds_are_read(work: Path, form: str) -> None:
    neighbours(work, form)
    assert fuzz.attempt(work, form, SEEDS[form])


@pytest.mark.parametrize("form", list(SEEDS))
@given(edits=EDITS)
@BUDGET
def test_damaged_files(work: Path, form: str, edits: list[Edit]) -> None:
    neighbours(work, form)
    fuzz.attempt(work, form, damaged(SEEDS[form], edits))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 1 << 40) | st.floats() | st.text(max_size=5)
    | st.sampled_from(["▁", " ", "<s>", "t", "th", "Ġ", "\ud800", "a b", "<0x41>", "</w>", "\\p{L}+", "(", "NFC", "Sequence", "Metaspace", "ByteLevel", "BPE", "Strip", "Replace", "Prepend", "BertNormalizer", "Digits", "Split", "Removed", "Whitespace", "WhitespaceSplit", "FixedLength", "^", "\\s"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "id", "content", "pattern", "Regex", "t", "x"]), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of a document but, of long lists and objects, only the first few entries and the last."""
    keys: list[Any] = list(node) if isinstance(node, dict) else list(range(len(node))) if isinstance(node, list) else []
    if len(keys) > 12:
        keys = [*keys[:5], keys[-1]]
    return [path, *(found for key in keys for found in places(node[key], (*path, key)))] if keys else [path]


@pytest.mark.parametrize("form", ["tokenizer.json", "metaspace", "clip", "vocab.json"])
@given(data=st.data())
@BUDGET
def test_documents_with_other_values(work: Path, form: str, data: st.DataObject) -> None:
    neighbours(work, form)
    document = json.loads(SEEDS[form])
    for _ in range(data.draw(st.integers(1, 2))):
        path = data.draw(st.sampled_from(places(document)[1:] or [()]))
        if not path:
            break
        node = document
        for key in path[:-1]:
            node = node[key]
        if isinstance(node, dict) and data.draw(st.booleans()):
            node[data.draw(st.sampled_from(["t", "<s>", "th", "\ud800", "", "type"]))] = data.draw(JSON)
        else:
            node[path[-1]] = data.draw(JSON)
    fuzz.attempt(work, form, json.dumps(document).encode())


def changed(key: str, value: Any) -> bytes:
    return json.dumps({**json.loads(SEEDS["clip"]), key: value}).encode()


@pytest.mark.parametrize(
    ("form", "content"),
    [
        ("tokenizer.json", b'{"model":' * 20_000),
        ("tokenizer.json", b'{"model": {"vocab": {"a": ' + b"9" * 5000 + b'}, "merges": []}}'),
        ("tokenizer.json", json.dumps({"model": {"vocab": {"a": 0, "b": 4_000_000_000}, "merges": []}}).encode()),
        ("tokenizer.json", json.dumps({"model": {"vocab": {"a": 0}, "merges": [["a", "a"]] * 50_000}}).encode()),
        *(("clip", changed("normalizer", value)) for value in (
            {"type": "Sequence", "normalizers": [{"type": "Replace", "pattern": {"Regex": f"a{n}+"}, "content": ""} for n in range(20_000)]},
            {"type": "Sequence", "normalizers": [{"type": "Replace", "pattern": {"Regex": r"[\s\S]"}, "content": "x" * 900}] * 9},
            {"type": "Replace", "pattern": {"String": "a"}, "content": "x" * 10_000_000},
            {"type": "Replace", "pattern": {"Regex": "(((a{1000}){1000}){1000}){1000}"}, "content": ""},
            {"type": "Replace", "pattern": {"Regex": "(" * 50_000 + ")" * 50_000}, "content": ""},
        )),
        *(("clip", changed("pre_tokenizer", value)) for value in (
            {"type": "Split", "pattern": {"Regex": r"(?:[\s\S]|[\s\S][\s\S]?)*\z(?<=\1never)"}, "behavior": "Isolated"},
            {"type": "FixedLength", "length": 4_000_000_000},
            {"type": "Sequence", "pretokenizers": [{"type": "Digits"}] * 100_000},
        )),
        ("tiktoken", b"YQ== 4000000000\n" * 3),
        ("tiktoken", b"".join(base + b" %d\n" % i for i, base in enumerate([b"YWFh" * 50_000, b"YWFh" * 50_001]))),
        ("sentencepiece", b"\x0a\x10\x0a\xff\xff\xff\xff\x7f" + b"x" * 50),
        ("sentencepiece", b"\x0a\x03\x0a\x01a" * 100_000),
        ("subword-nmt", b"#version: 0.2\n" + b"a a\n" * 100_000),
        ("nanochat", b"\x80\x04\x8e" + b"\xff" * 8),
        ("nanochat", b"\x80\x04" + b"(" * 500_000 + b"u" * 500_000),
        ("nanochat", b"\x80\x04)" + b"\x85" * 500_000 + b"."),
    ],
)  # fmt: skip
def test_claims_cost_neither_time_nor_memory(work: Path, form: str, content: bytes) -> None:
    neighbours(work, form)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    (work / fuzz.NAMES[form]).write_bytes(content)
    try:
        fuzz.attempt(work, form, content)
    except FormatError:
        raise AssertionError("attempt lets no FormatError through") from None
    assert time.process_time() - start < 10  # sanitizers make it seven times as much
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # KiB
