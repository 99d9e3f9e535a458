"""`count --tokenizer`: how many tokens texts have."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bpe_transformer import Tokenizer

Run = Callable[..., Any]
TEXT = "three cats read <s> books\n\n세 마리 고양이가 책을 읽었다.\n" * 30


def tokens(tok: Tokenizer, *texts: str) -> int:
    return sum(len(tok.encode_ordinary(text)) for text in texts)


def test_files_of_every_kind(bpe: Run, byte_tokenizer: Path, loaded: Tokenizer, tmp_path: Path) -> None:
    rows = TEXT.splitlines()
    (tmp_path / "a.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(TEXT.encode()))
    (tmp_path / "c.jsonl").write_text(
        "".join(json.dumps({"n": 1, "text": row}) + "\n" for row in rows), encoding="utf-8"
    )
    pq.write_table(pa.table({"text": [*rows, None], "n": range(len(rows) + 1)}), tmp_path / "d.parquet")
    files = [tmp_path / name for name in ("a.txt", "b.txt.gz", "c.jsonl", "d.parquet")]
    whole, parts = tokens(loaded, TEXT), tokens(loaded, *rows)
    done = bpe("count", "--tokenizer", byte_tokenizer, *files)
    assert done.stdout.decode().splitlines() == [
        f"{number:>{len(str(2 * whole + 2 * parts))}} {name}"
        for number, name in zip([whole, whole, parts, parts, 2 * whole + 2 * parts], [*files, "total"], strict=True)
    ]
    facts = json.loads(bpe("count", "--tokenizer", byte_tokenizer, "--documents", "line", "--json", files[0]).stdout)
    counted = {
        "documents": 90,
        "bytes": len(TEXT.encode()),
        "tokens": parts,
        "missing": 0,
        "replaced": 0,
        "dropped": {},
    }
    assert facts == [{"name": str(files[0]), **counted}]
    size = f"{4 * len(TEXT.encode()) - 2 * len(rows):,} bytes"
    assert (
        done.stderr.decode() == f"read: 183 rows, {size} in, 182 rows, {size} kept; 1 row of 0 bytes dropped: missing\n"
    )


def test_standard_input_and_a_listed_corpus(bpe: Run, byte_tokenizer: Path, loaded: Tokenizer) -> None:
    done = bpe("count", "--tokenizer", byte_tokenizer, "-", input=TEXT.encode())
    assert done.stdout.decode() == f"{tokens(loaded, TEXT)} standard input\n"
    count = json.loads(
        bpe("count", "--tokenizer", byte_tokenizer, "numbers-en-ko", "--split", "test[:5]", "--json").stdout
    )[0]
    assert count["tokens"] > count["documents"] == 10


def test_what_does_not_go_together(bpe: Run, fails: Callable[..., str], byte_tokenizer: Path) -> None:
    for arguments, message in (
        (("count", "x.txt"), b"name the file of counts with -o"),
        (("count", "x.txt", "-o", "y", "--tokenizer", byte_tokenizer), b"or the tokenizer"),
        (
            ("count", "x.txt", "--tokenizer", byte_tokenizer, "--pattern", "gpt2"),
            b"--pattern is for counts of pre-tokens",
        ),
        (("count", "x.txt", "--tokenizer", byte_tokenizer, "--documents", "--"), b"give file or line"),
    ):
        done = bpe(*arguments)
        assert (done.returncode, message in done.stderr) == (2, True)
    assert "holds pre-token counts, not texts" in fails("count", "low-lower", "--tokenizer", byte_tokenizer)
    assert "byte 0xff at position 2" in fails("count", "-", "--tokenizer", byte_tokenizer, input=b"ab\xff")
