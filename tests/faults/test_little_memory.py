"""At 1 GB of address space every command ends well or with one line; huge words, lines and fields do not take much more."""

from __future__ import annotations

import gzip
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bpe_transformer import PretokenCounts, learn_bpe

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="address space is limited on Linux alone")

COMMAND = Path(sys.executable).parent / "bpe-transformer"
GB = 10**9
Run = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("memory")
    lines = ["one two three four", "five six seven eight"] * 50
    learn_bpe(PretokenCounts.from_iterator(lines), 300, special_tokens=["<pad>", "<s>", "</s>"]).save(folder / "tok")
    learn_bpe(PretokenCounts.from_iterator(lines), 280).save(folder / "tok2")
    for language in ("en", "ko"):
        (folder / f"a.{language}.txt").write_text("\n".join(lines) + "\n")
    with gzip.open(folder / "letters.txt.gz", "wb", compresslevel=1) as packed:
        for _ in range(300):
            packed.write(b"x" * (1 << 20))
    with open(folder / "field.csv", "wb") as table:
        table.write(b"text\n")
        for _ in range(300):
            table.write(b"x" * (1 << 20))
    with open(folder / "line.jsonl", "wb") as table:
        table.write(b'{"text": "')
        for _ in range(300):
            table.write(b"x" * (1 << 20))
    with open(folder / "quoted.csv", "wb") as table:
        table.write(b'text\n"')
        for _ in range(300):
            table.write((b"x" * 1023 + b"\n") * 1024)
    return folder


@pytest.fixture
def limited(folder: Path) -> Run:
    """Runs a command in the folder with this much address space."""

    def run(line: str, space: int = GB) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [str(COMMAND), *line.split()],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            cwd=folder,
            timeout=300,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (space, space)),
        )

    return run


def check_ended(done: subprocess.CompletedProcess[bytes]) -> None:
    message = done.stderr.decode(errors="replace")
    assert done.returncode in (0, 1), (done.returncode, message)
    assert "Traceback" not in message, message
    if done.returncode:
        assert message.splitlines()[-1].startswith("error: "), message


@pytest.mark.parametrize(
    "line",
    [
        *("tokens tok abc", "trace tok", "encode tok abc", "report tok -o a.html", "count a.en.txt -o a.parquet"),
        *(
            "learn a.en.txt -o new --vocab-size 280",
            "prepare a.en.txt,a.ko.txt --tokenizer tok -o p",
            "translate run one",
        ),
        *(
            pytest.param(line, marks=pytest.mark.soak)
            for line in (
                *(
                    "why tok three",
                    "vocab tok",
                    "sizes tok --text abc",
                    "decode tok 100",
                    "compare tok tok2 --text abc",
                ),
                *(
                    "export tok -o a --format gpt2",
                    "corpora",
                    "import tok -o in",
                    "generate run one",
                    "attention run one",
                ),
                "evaluate run a.en.txt",
            )
        ),
    ],
)
def test_every_command_ends_in_a_gigabyte(line: str, limited: Run) -> None:
    check_ended(limited(line))


@pytest.mark.parametrize("threads", ["1", "8"])
def test_training_says_how_much_address_space_it_needs(limited: Run, threads: str) -> None:
    done = limited(f"train a.en.txt,a.ko.txt -o refused --epochs 1 --tokenizer tok --threads {threads}")
    said = done.stderr.decode()
    needed = {"1": "1,150", "8": "1,374"}[threads]
    assert (
        f"may have 1,000 MB of address space, and PyTorch with a small model needs {needed} MB; raise the limit" in said
    )
    assert ("--threads 1" in said) is (threads == "8")
    assert done.returncode == 1
    assert "Traceback" not in said


@pytest.mark.soak
@pytest.mark.parametrize("space", [1_150_000_000, 1_300_000_000, 1_500_000_000, 2_000_000_000])
def test_what_training_says_that_it_needs_is_enough(limited: Run, space: int) -> None:
    """Also just above what Arrow's allocator would reserve at once, and leave nothing."""
    line = "train a.en.txt,a.ko.txt -o trained --epochs 1 --tokenizer tok --threads 1 --overwrite"
    assert limited(line, space).returncode == 0
    assert limited("evaluate trained a.en.txt,a.ko.txt --threads 1", space).returncode == 0
    assert limited("translate trained one --threads 1", space).returncode == 0


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (
            "count letters.txt.gz -o b.parquet",
            "byte 0: the pre-token there is longer than 16,777,216 bytes; allow longer ones with",
        ),
        (
            "count letters.txt.gz -o b.parquet --max-memory 20MB",
            "longer than 2,500,000 bytes, an eighth of --max-memory",
        ),
        ("count letters.txt.gz -o b.parquet --max-word-bytes 700MB", "memory ran out; give the command less at a time"),
        ("learn letters.txt.gz -o b --vocab-size 300", "--max-word-bytes 32MiB"),
        (
            "count field.csv -o b.parquet",
            "line 2, from byte 5 on: the line is longer than 134,217,728 bytes; cut it up, or count",
        ),
        ("count line.jsonl -o b.parquet", "the line is longer than 134,217,728 bytes"),
        (
            "count quoted.csv -o b.parquet --max-row-bytes 30MB",
            "the row is longer than 30,000,000 characters; close its quotes",
        ),
        ("encode tok --file letters.txt.gz --whole -o ids", "memory ran out"),
        ("tokens tok --file letters.txt.gz", "memory ran out"),
    ],
)
def test_what_is_too_large_is_refused_in_a_gigabyte(line: str, says: str, limited: Run) -> None:
    done = limited(line)
    check_ended(done)
    assert says in done.stderr.decode(), done.stderr.decode()
    assert done.returncode == 1


def test_counts_of_long_words_are_written_without_statistics(limited: Run, folder: Path) -> None:
    import pyarrow.parquet as pq

    (folder / "long.txt").write_bytes(b"x" * (15 << 20) + b" low")
    done = limited("count long.txt -o long.parquet")
    assert done.returncode == 0, done.stderr
    assert pq.read_metadata(folder / "long.parquet").row_group(0).column(0).statistics is None
    assert json.loads(limited("learn long.parquet -o long --vocab-size 260 --json").stdout)["vocab_size"] == 260
