"""`count`, and `learn` from what it wrote: what is saved, what is said, and what Ctrl-C leaves."""

from __future__ import annotations

import gzip
import json
import random
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bpe_transformer import PretokenCounter, PretokenCounts, Pretokenizer, Tokenizer, learn_bpe
from bpe_transformer.corpora import python_stdlib
from bpe_transformer.data.counting import pretoken_counts

Run = Callable[..., Any]
Start = Callable[..., "subprocess.Popen[bytes]"]
ENGLISH, KOREAN = "three cats read three books\n" * 30, "세 마리 고양이가 책을 읽었다.\n" * 3


@pytest.fixture
def corpora(tmp_path: Path) -> tuple[Path, Path]:
    english, korean = tmp_path / "en.txt", tmp_path / "ko.jsonl.gz"
    english.write_text(ENGLISH, encoding="utf-8")
    rows = [json.dumps({"id": str(i), "text": text}) for i, text in enumerate(KOREAN.splitlines())]
    korean.write_bytes(gzip.compress("\n".join(rows).encode()))
    return english, korean


def load(path: Path) -> dict[bytes, int]:
    return dict(PretokenCounts.load(path).items())


def test_saves_what_the_library_counts(bpe: Run, corpora: tuple[Path, Path], tmp_path: Path) -> None:
    output = tmp_path / "new" / "counts.parquet"
    done = bpe("count", *corpora, "-o", output, "--columns", "text", "--pattern", "gpt2", "--normalization", "NFC")
    assert (done.returncode, done.stdout) == (0, b"")
    texts = [ENGLISH, *KOREAN.splitlines()]
    expected = PretokenCounts.from_iterator(texts, Pretokenizer("gpt2", "NFC"))
    assert load(output) == dict(expected.items())
    said = done.stderr.decode()
    for fact in (
        "4 documents",
        f"{sum(len(text.encode()) for text in texts):,} bytes",
        f"{len(expected)} distinct",
        "NFC",
    ):
        assert fact in said


def test_summary_as_json(bpe: Run, corpora: tuple[Path, Path], tmp_path: Path) -> None:
    arguments = ["--documents", "line", "--weight", 0.1, "--weight", 1, "--max-memory", "4MiB", "--json"]
    done = bpe("count", *corpora, "-o", tmp_path / "counts.parquet", *arguments)
    summary = json.loads(done.stdout)
    assert summary["documents"] == 30 + 2 * 3  # every text of a row
    assert [source["weight"] for source in summary["sources"]] == [0.1, 1]
    assert (summary["dropped_words"], summary["saturated"]) == (0, False)
    assert summary["words"] == sum(load(tmp_path / "counts.parquet").values())
    assert load(tmp_path / "counts.parquet")[b" cats"] == 3
    assert b"weights" in done.stderr


def test_learning_from_counts_is_learning_from_texts(bpe: Run, corpora: tuple[Path, Path], tmp_path: Path) -> None:
    english, korean = corpora
    bpe("count", english, "-o", tmp_path / "en.parquet", "--pattern", "o200k")
    for name, inputs in (
        ("mixed", [tmp_path / "en.parquet", korean]),
        ("texts", [english, korean, "--pattern", "o200k"]),
    ):
        done = bpe("learn", *inputs, "-o", tmp_path / name, "--vocab-size", 280, "--json")
        assert json.loads(done.stdout)["documents"] == 1 + 2 * 3
    assert Tokenizer.load(tmp_path / "mixed").digest == Tokenizer.load(tmp_path / "texts").digest
    assert Tokenizer.load(tmp_path / "mixed").pattern == "o200k"


def test_weights_and_temperatures(bpe: Run, corpora: tuple[Path, Path], tmp_path: Path) -> None:
    english, korean = corpora
    bpe("count", english, f"{korean}:2.5", "-o", tmp_path / "suffix.parquet")
    bpe("count", english, korean, "--weight", 1, "--weight", 2.5, "-o", tmp_path / "option.parquet")
    parts = [PretokenCounts.from_files(path) for path in corpora]
    assert load(tmp_path / "suffix.parquet") == load(tmp_path / "option.parquet")
    assert load(tmp_path / "suffix.parquet") == dict(PretokenCounts.mix(parts, weights=[1, 2.5]).items())
    done = bpe("learn", english, korean, "-o", tmp_path / "tok", "--vocab-size", 300, "--temperature", 2)
    expected = learn_bpe(PretokenCounts.mix(parts, temperature=2), 300, special_tokens=["<pad>", "<s>", "</s>"])
    assert Tokenizer.load(tmp_path / "tok").digest == expected.digest
    assert f"{korean} {PretokenCounts.mix(parts, temperature=2).sources[1].weight:g}"[-7:] in done.stderr.decode()


def test_rare_words_are_told(bpe: Run, corpora: tuple[Path, Path], tmp_path: Path) -> None:
    done = bpe("count", corpora[0], "-o", tmp_path / "counts.parquet", "--min-count", 40)
    assert load(tmp_path / "counts.parquet") == {}
    counts = PretokenCounts.from_files(corpora[0])
    assert f"{len(counts)} words with {counts.total} occurrences: too rare" in done.stderr.decode()


def test_word_lists(bpe: Run, fails: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "words.tsv").write_text("low\t5\nlower\t2\n", encoding="utf-8")
    bpe("count", tmp_path / "words.tsv", "--word-list", "-o", tmp_path / "words.parquet", "--pattern", "gpt2")
    assert load(tmp_path / "words.parquet") == {b"low": 5, b"lower": 2}
    assert PretokenCounts.load(tmp_path / "words.parquet").pattern == "gpt2"
    done = bpe("learn", tmp_path / "words.tsv", "--word-list", "-o", tmp_path / "tok", "--vocab-size", 262, "--json")
    assert json.loads(done.stdout)["words"] == 7
    (tmp_path / "words.tsv").write_text("low\n", encoding="utf-8")
    assert "words.tsv, line 1: 'low' is not word<TAB>count" in fails(
        "count", tmp_path / "words.tsv", "--word-list", "-o", tmp_path / "more.parquet"
    )


def test_learning_within_memory(fails: Callable[..., str], bpe: Run, tmp_path: Path) -> None:
    words = {f"word{i}": 1 + i % 2 for i in range(100_000)}
    PretokenCounts.from_words(words).save(tmp_path / "words.parquet")
    arguments = [
        "learn",
        tmp_path / "words.parquet",
        "-o",
        tmp_path / "tok",
        "--vocab-size",
        300,
        "--max-memory",
        "20MB",
    ]
    assert "learning from 100,000 distinct words needs about" in fails(*arguments)
    assert bpe(*arguments[:-1], "60MB").returncode == 0


def test_standard_input_and_separators(bpe: Run, tmp_path: Path) -> None:
    text = "low lower<|endoftext|>low<|endoftext|>"
    done = bpe(
        "count", "-", "-o", tmp_path / "c.parquet", "--documents", "<|endoftext|>", "--json", input=text.encode()
    )
    assert json.loads(done.stdout)["documents"] == 2
    assert load(tmp_path / "c.parquet") == {b"low": 2, b" lower": 1}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.txt"], "nowhere.txt does not exist"),
        (["en.txt", "--max-memory", "much"], "--max-memory much is not an amount of memory"),
        (["en.txt", "--pattern", "gtp2"], "choose one of gpt2"),
        (["en.txt", "--weight", "-1"], "--weight -1.0; a weight is above"),
        (["cl100k.parquet", "--pattern", "gpt2"], "do not add up"),
        (["empty.txt"], "empty.txt is empty"),
    ],
)
def test_bad_input_writes_nothing(
    fails: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("en.txt").write_text("low", encoding="utf-8")
    Path("empty.txt").touch()
    PretokenCounts.from_iterator(["low"], "cl100k").save("cl100k.parquet")
    assert message in fails("count", *arguments, "-o", "counts.parquet")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cl100k.parquet", "empty.txt", "en.txt"]


@pytest.mark.parametrize("arguments", [["--weight", "1", "--weight", "2"], ["--weight", "1", "--temperature", "2"]])
def test_weights_that_do_not_fit_are_wrong_usage(bpe: Run, tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "en.txt").write_text("low", encoding="utf-8")
    assert bpe("count", tmp_path / "en.txt", "-o", tmp_path / "c.parquet", *arguments).returncode == 2


def interrupted_reading(start: Start, tmp_path: Path, text: bytes, *options: str) -> str:
    """Ctrl-C when the command has read all of `text` but its last bytes, which the pipe holds, and waits for more."""
    process = start("count", "-", "-o", tmp_path / "counts.parquet", *options, TMPDIR=str(tmp_path))
    assert process.stdin is not None
    process.stdin.write(text)
    process.stdin.flush()
    process.send_signal(signal.SIGINT)
    _, message = process.communicate(timeout=30)
    assert process.returncode == 130
    return message.decode()


@pytest.mark.parametrize("options", [[], ["--max-memory", "20MB"]])
def test_interrupted_counts_go_on_exactly(start: Start, tmp_path: Path, options: list[str]) -> None:
    text = "".join(f"word {i} 단어\n" for i in range(1_200_000)).encode()
    said = interrupted_reading(start, tmp_path, text, "--keep-partial", *options)
    assert "marked partial" in said
    assert [entry.name for entry in tmp_path.iterdir()] == ["counts.parquet"]
    counts = PretokenCounts.load(tmp_path / "counts.parquet")
    stopped_at = counts.sources[0].stopped_at
    assert counts.partial
    assert stopped_at is not None
    assert 4 << 20 < stopped_at < len(text)
    rest = PretokenCounts.from_iterator([text[stopped_at:].decode()])
    assert dict((counts + rest).items()) == dict(PretokenCounts.from_iterator([text.decode()]).items())


def test_interrupted_counts_leave_nothing_unless_asked(start: Start, tmp_path: Path) -> None:
    said = interrupted_reading(start, tmp_path, b"low lower\n" * 2_000_000, "--max-memory", "4MiB")
    assert "bytes" in said
    assert "nothing was written; --keep-partial keeps what was reached" in said
    assert not list(tmp_path.iterdir())


def test_interrupted_learning_keeps_whole_vocabularies(start: Start, tmp_path: Path) -> None:
    letters = random.Random(0)
    words = {"".join(letters.choices("abcdefghij", k=12)): 1 for _ in range(80_000)}
    counts = PretokenCounts.from_words(words)
    counts.save(tmp_path / "words.parquet")
    arguments = ["-o", tmp_path / "tok", "--vocab-size", 400_000, "--no-special", "--keep-partial"]
    process = start("learn", tmp_path / "words.parquet", *arguments, FORCE_COLOR="1")
    assert process.stderr is not None
    seen = b""
    while b"learning" not in seen:  # the progress bar is drawn where a terminal is claimed
        piece = process.stderr.read1(4096)  # type: ignore[attr-defined]
        assert piece, seen
        seen += piece
    process.send_signal(signal.SIGINT)
    _, message = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"learning stopped after" in message
    tokenizer = Tokenizer.load(tmp_path / "tok")
    assert tokenizer.trace is not None
    assert tokenizer.trace.interrupted
    assert 0 < len(tokenizer.merges) < 390_000
    assert tokenizer.digest == learn_bpe(counts, tokenizer.vocab_size).digest


def test_what_a_folder_holds_besides_is_named_and_subfolders_are_read(bpe: Callable[..., Any], tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_text("one two\n")
    (folder / "b.pdf").write_bytes(b"%PDF")
    (folder / "sub" / "c.txt").write_bytes(b"th\xffree\n")
    done = bpe("count", folder, "-o", tmp_path / "counts.parquet")
    assert "holds b.pdf, sub/ besides, which are not read; subfolders are read with --recursive" in done.stderr.decode()
    assert done.stderr.decode().endswith("read: 1 row, 8 bytes, all kept\n")
    done = bpe("count", folder, "-o", tmp_path / "all.parquet", "--recursive", "--errors", "replace")
    assert done.stderr.decode().endswith("read: 2 rows, 17 bytes, all kept; 1 character replaced by U+FFFD\n")


def test_the_share_of_an_interrupted_count_is_that_of_the_bytes(
    bpe: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was the share of what was read ahead; in a compressed file the bytes are others than those of its text."""
    (tmp_path / "a.txt").write_text("x" * 300)
    (tmp_path / "b.txt").write_text("y" * 900)
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"x" * 300))
    add_file = PretokenCounter.add_file

    def interrupted(self: PretokenCounter, path: Path, **options: Any) -> Any:
        if path.name == "b.txt":
            options["report"](800)  # read, and not yet counted
            raise KeyboardInterrupt
        return add_file(self, path, **options)

    monkeypatch.setattr(PretokenCounter, "add_file", interrupted)
    plain = bpe("count", tmp_path / "a.txt", tmp_path / "b.txt", "-o", tmp_path / "c.parquet")
    assert plain.stderr.startswith(b"interrupted after 300 bytes (25% of the input), 1 whole document;")
    packed = bpe("count", tmp_path / "a.txt.gz", tmp_path / "b.txt", "-o", tmp_path / "c.parquet")
    assert b"interrupted after 300 bytes (" in packed.stderr
    assert b"% of its files were read)" in packed.stderr


def test_what_was_dropped_when_a_corpus_was_read_is_told_and_can_fail(
    bpe: Run, fails: Callable[..., str], byte_tokenizer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = tmp_path / "library"
    library.mkdir()
    for name, source in {"a": '"""Three cats."""\n', "b": "x = 1\n", "c": "def (\n"}.items():
        (library / f"{name}.py").write_text(source, encoding="utf-8")
    monkeypatch.setattr(python_stdlib, "root", lambda: library)
    monkeypatch.setattr(python_stdlib, "split_of", lambda _: "train")
    monkeypatch.setattr(python_stdlib, "files", lambda: ["a.py", "b.py", "c.py"])
    words = tmp_path / "words.parquet"
    account = (
        "read: 3 rows, 17 bytes in, 1 row, 11 bytes kept; 1 row of 0 bytes dropped: no docstring; "
        "1 row of 6 bytes dropped: does not parse"
    )
    counted = bpe("count", "python-docstrings", "-o", words, "--json")
    assert counted.stderr.decode().splitlines()[-1] == account
    (source,) = json.loads(counted.stdout)["sources"]
    assert source["dropped"] == {"no docstring": [1, 0], "does not parse": [1, 6]}
    learned = bpe("learn", words, "-o", tmp_path / "tok", "--vocab-size", "260")  # the counts know it
    assert learned.stderr.decode().splitlines()[-1] == account
    of_tokens = bpe("count", "python-docstrings", "--tokenizer", byte_tokenizer)
    assert of_tokens.stderr.decode().splitlines()[-1] == account
    for command in (
        ("count", "python-docstrings", "-o", tmp_path / "no"),
        ("count", "python-docstrings", "--tokenizer", byte_tokenizer),
        ("learn", "python-docstrings", "-o", tmp_path / "no", "--vocab-size", "300"),
    ):
        assert "the stage 'read' lost 35.294% of its data, more than the 1.000% that --fail-above" in fails(
            *command, "--fail-above", "1%"
        )
        assert not (tmp_path / "no").exists()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ((), "nothing was written; --keep-partial keeps what was reached"),
        (("--keep-partial",), "nothing was written, since no whole document was counted; run the command again"),
    ],
)
def test_ctrl_c_while_counting_says_why_nothing_is_kept(
    bpe: Run, corpora: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: Any, why: str
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for place, said in (("add_inputs", why), ("count_inputs", "nothing was counted or written")):
        with monkeypatch.context() as patched:
            patched.setattr(pretoken_counts, place, stop)
            done = bpe("count", corpora[0], "-o", tmp_path / "words.parquet", *options)
        assert done.returncode == 130
        assert done.stderr.decode().splitlines()[-1].endswith(said)
        assert not (tmp_path / "words.parquet").exists()
