"""JSON that others wrote: limits on depth and size, and values that name their place."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from bpe_transformer.errors import CheckpointError, CorpusError, FormatError
from bpe_transformer.io import ENTRIES, SETTINGS, Node, damage_named, parse_facts, read_facts, shown
from bpe_transformer.io.json_files import MAX_DEPTH


@pytest.mark.parametrize("depth", [MAX_DEPTH + 2, 500, 200_000])
def test_what_is_nested_too_deep_is_refused(depth: int) -> None:
    with pytest.raises(FormatError, match="nested too deep"):
        parse_facts('{"a":' * depth + "1" + "}" * depth)


@pytest.mark.parametrize("filling", [b"[],", b"{},", b"1,", b"[[[]]],"])
def test_many_small_values_are_refused_before_they_are_parsed(filling: bytes, tmp_path: Path) -> None:
    """30 MB of `[],` took 15 seconds and 2 GB to be refused."""
    path = tmp_path / "config.json"
    path.write_bytes(b'{"a": [' + filling * (15_000_000 // len(filling)) + b"0]}")
    began = time.process_time()
    with pytest.raises(FormatError, match=r"it has more than 250,000 values"):
        read_facts(path)
    with pytest.raises(FormatError, match=r"it has more than 2,500,000 values"):
        read_facts(path, ENTRIES)
    assert time.process_time() - began < 1.0
    path.write_bytes(b'{"a": "' + b"x" * SETTINGS.bytes + b'"}')
    with pytest.raises(FormatError, match=r"it has more than 16,777,216 bytes"):
        read_facts(path)


def test_labels_and_entries_as_many_as_there_are_may_be_read(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(
        json.dumps(
            {"labels": [f"label, number {i}" for i in range(10_000)], "id2label": {i: "x" for i in range(50_000)}}
        )
    )
    assert len(read_facts(path).texts("labels")) == 10_000


def test_values_name_their_place() -> None:
    node = Node({"stages": [{"kept": [1, -2], "n": True, "name": 3}]}).children("stages")[0]
    with pytest.raises(FormatError, match=r"stages\[0\]\.kept\[1\] is -2, not a whole number from 0"):
        node.numbers("kept")
    with pytest.raises(FormatError, match=r"stages\[0\]\.n is True, not a whole number"):
        node.number("n")
    with pytest.raises(FormatError, match=r"stages\[0\]\.name is 3, not text"):
        node.get("name", str)
    with pytest.raises(FormatError, match=r"stages\[0\]\.other is missing"):
        node.texts("other")


def test_damage_is_one_line_with_file_and_remedy(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"a": [1,\n')
    with (
        pytest.raises(CheckpointError, match=r"^.*a\.json is damaged \(not JSON: .*\); train again$") as caught,
        damage_named(tmp_path / "a.json", "train again", CheckpointError),
    ):
        read_facts(tmp_path / "a.json")
    assert "\n" not in str(caught.value)
    with pytest.raises(CorpusError, match="^mine$"), damage_named("x", "y"):
        raise CorpusError("mine")
    with pytest.raises(FileNotFoundError), damage_named("x", "y"):
        read_facts(tmp_path / "none.json")


def test_a_value_that_cannot_be_written_is_shown_by_its_type() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert shown(deep) == "a list"
    while deep:  # let go of it level by level
        deep = deep.pop()  # type: ignore[assignment]
