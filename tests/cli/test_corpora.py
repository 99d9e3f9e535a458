"""`bpe-transformer corpora`: for people, for pipes, for programs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from bpe_transformer.cli import cli
from bpe_transformer.data import list_corpora

COMMAND = Path(sys.executable).with_name("bpe-transformer")


def test_json_tells_everything_on_standard_output() -> None:
    done = subprocess.run([COMMAND, "corpora", "--json"], capture_output=True, text=True, check=True)
    corpora = {info["name"]: info for info in json.loads(done.stdout)}
    assert corpora["multi30k"]["licence"] == "CC BY-NC-SA 4.0"
    assert corpora["multi30k"]["splits"][2:] == [
        *("test_2016_flickr", "test_2017_flickr"),
        *("test_2017_mscoco", "test_2018_flickr"),
    ]
    assert corpora["numbers-en-ko"]["columns"] == ["en", "ko", "kind"]
    assert isinstance(corpora["numbers-en-ko"]["train"], dict)


def test_piped_output_is_a_line_a_corpus_with_tabs() -> None:
    done = subprocess.run([COMMAND, "corpora"], capture_output=True, text=True, check=True)
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert {len(row) for row in rows} == {6}
    assert ["low-lower", "words", "4 words, 16 in all", "Apache-2.0", "word,count", "train"] in rows
    assert "--from DIR" in done.stderr


def test_the_table_fits_eighty_columns_and_breaks_no_name() -> None:
    result = CliRunner().invoke(cli, ["corpora", "--width", "80"])
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    shown = set(result.stdout.split())
    for info in list_corpora():
        cells = (info.name, info.kind, info.size, info.licence, *info.columns, *info.splits)
        assert set(" ".join(cells).split()) <= shown
    assert "bpe-transformer corpora" in CliRunner().invoke(cli, ["corpora", "--help"]).stdout
