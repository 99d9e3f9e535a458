"""Files to ids on disk: the ids of `encode`, whatever the grouping, the format, and however often the run was killed."""

from __future__ import annotations

import errno
import gzip
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import datasets
import fsspec
import numpy as np
import pyarrow as pa
import pytest

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.errors import (
    CorpusError,
    DigestMismatchError,
    EncodingError,
    FormatError,
    InvalidUtf8Error,
    OutputLockedError,
    SpecialTokenError,
)
from bpe_transformer.io.byte_files import ByteFile
from bpe_transformer.tokenizer.files import file_texts
from bpe_transformer.tokenizer.splitting.pretokenizer import Pretokenizer
from bpe_transformer.tokenizer.store import ShardWriter, TokenStore

encoded_files = import_module(
    "bpe_transformer.tokenizer.files.encode_files"
)  # the room exports a function of this name

unfinished_store = import_module("bpe_transformer.tokenizer.store.unfinished_store")
shard_writer = import_module("bpe_transformer.tokenizer.store.shard_writer")

LINES = [
    "The lower the newest, the widest: it's 1,234!",
    "",
    "  한국어 문장 세 마리와  ",
    "def f(low):\treturn 'x'\r",
    "😀 e\u0301 the end",
]
TEXT = "\n".join(LINES * 40)


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test takes the power away, and a busy disk takes its time."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_texts, "GROUP_BYTES", 1000)
    monkeypatch.setattr(file_texts, "_ROW_BYTES", 100)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_text(TEXT, encoding="utf-8", newline="")
    (folder / "b.txt").write_text("", encoding="utf-8")
    (folder / "sub" / "c.txt").write_text("low lower\n", encoding="utf-8")
    (folder / "d.txt.gz").write_bytes(gzip.compress(TEXT.encode()))
    (folder / ".hidden").write_text("no", encoding="utf-8")
    return folder


def expected(tok: Tokenizer, documents: str) -> list[list[int]]:
    texts = [TEXT, "", TEXT, "low lower\n"]
    if documents == "line":
        texts = [
            line.removesuffix("\r")
            for text in texts
            for line in text.split("\n")[: -1 if text[-1:] in ("\n", "") else None]
        ]
    return [tok.encode(text) for text in texts]


@pytest.mark.usefixtures("small_groups")
@pytest.mark.parametrize("format", ["npy", "arrow"])
@pytest.mark.parametrize("documents", ["file", "line"])
def test_ids_are_those_of_encode(mixed: Tokenizer, corpus: Path, tmp_path: Path, format: str, documents: str) -> None:
    calls: list[tuple[int, int]] = []
    encoded = mixed.encode_files(
        corpus, tmp_path / "out", format=format, documents=documents, progress=lambda *now: calls.append(now)  # type: ignore[arg-type]
    )  # fmt: skip
    rows = expected(mixed, documents)
    assert encoded.tolist() == rows
    assert encoded[0].dtype == np.uint16
    assert len(encoded) == len(rows)
    assert encoded.num_empty == sum(not row for row in rows)
    assert encoded.ledger.stages[0].received.bytes == 2 * len(TEXT.encode()) + 10
    assert encoded.num_ids == sum(map(len, rows))
    assert [Path(source).name for source in encoded.sources] == ["a.txt", "b.txt", "d.txt.gz", "c.txt"]
    assert encoded.digest == mixed.digest
    assert calls == sorted(calls)
    assert calls[-1][0] == calls[-1][1] == sum(os.path.getsize(source) for source in encoded.sources)
    assert mixed.decode_batch(iter(encoded))[-1] == ("low lower\n" if documents == "file" else "low lower")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    assert TokenStore.load(tmp_path / "out", mixed).tolist() == rows


@pytest.mark.usefixtures("small_groups")
def test_pieces_split_as_the_whole(mixed: Tokenizer, tmp_path: Path) -> None:
    texts = {"marks": "a<s>b " * 300, "blank": " \n\t" * 700, "word": "x" * 5000, "mixed": TEXT, "signs": "!?-" * 900}
    for name, text in texts.items():
        (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8", newline="")
    for pattern in ("gpt2", "cl100k", "o200k", "whitespace", r"\w+|\W+"):
        tok = Tokenizer(replace(mixed.model, pretokenizer=Pretokenizer(pattern)))
        for name, text in texts.items():
            encoded = tok.encode_files(
                tmp_path / f"{name}.txt", tmp_path / "out", allowed_special="all", overwrite=True
            )
            assert encoded[0].tolist() == tok.encode(text, allowed_special="all"), (pattern, name)


@pytest.mark.usefixtures("small_groups")
@pytest.mark.parametrize("pattern", ["cl100k", "whitespace"])
def test_a_token_at_the_end_of_a_group(tmp_path: Path, pattern: str) -> None:
    name = "<|end of text|>"
    tok = learn_bpe(PretokenCounts.from_iterator(["low lower end"], pattern), 280, special_tokens=[name])
    file, out = tmp_path / "a.txt", tmp_path / "out"
    for place in range(980, 1005):
        text = "x" * place + name + " low lower" * 200
        file.write_text(text)
        encoded = tok.encode_files(file, out, allowed_special="all", overwrite=True)
        assert encoded[0].tolist() == tok.encode(text, allowed_special="all"), place
        for disallowed in ("all", {"of text|>"}):
            with pytest.raises(SpecialTokenError, match="a.txt"):
                tok.encode_files(file, out, disallowed_special=disallowed, overwrite=True)


@pytest.mark.usefixtures("small_groups")
def test_bos_and_eos_once_a_document(mixed: Tokenizer, corpus: Path, tmp_path: Path) -> None:
    tok = Tokenizer(replace(mixed.model, bos_token="<s>", eos_token="</s>"))
    encoded = tok.encode_files(corpus, tmp_path / "out", add_bos=True, add_eos=True)
    assert encoded.tolist() == [[257, *ids, 258] for ids in expected(tok, "file")]
    assert encoded.num_empty == 1


def unfinished(folder: Path) -> Path:
    """The output of a run that was stopped, in its private folder."""
    (place,) = folder.glob(".bpe-transformer.*.resume.*")
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    return place / "output"


@pytest.mark.usefixtures("small_groups")
@pytest.mark.parametrize("documents", ["file", "line"])
@pytest.mark.parametrize("stop_after", [1, 2, 5])
def test_a_stopped_run_goes_on(mixed: Tokenizer, corpus: Path, tmp_path: Path, documents: str, stop_after: int) -> None:
    calls = 0

    def stop(*_: int) -> None:
        nonlocal calls
        calls += 1
        if calls % stop_after == 0:
            raise KeyboardInterrupt

    for _ in range(40):
        try:
            encoded = mixed.encode_files(corpus, tmp_path / "out", documents=documents, progress=stop)  # type: ignore[arg-type]
            break
        except KeyboardInterrupt:
            assert not (tmp_path / "out").exists()
            kept = unfinished(tmp_path)
            (ids,) = kept.glob("00000.ids.npy")
            with ids.open("ab") as handle:  # what a kill may leave after the last line
                handle.write(b"half a group")
            with (kept.parent / "00000.journal").open("ab") as handle:
                handle.write(b'{"piece": 0, "posi')
    assert calls > stop_after
    assert encoded.tolist() == expected(mixed, documents)


def test_a_killed_process_goes_on(mixed: Tokenizer, corpus: Path, tmp_path: Path) -> None:
    mixed.save(tmp_path / "tok")
    program = textwrap.dedent(
        f"""
        import os, signal
        from importlib import import_module
        from bpe_transformer import Tokenizer
        from bpe_transformer.tokenizer.files import file_texts
        encoded_files = import_module("bpe_transformer.tokenizer.files.encode_files")
        file_texts.GROUP_BYTES = 1000
        encoded_files._SYNC_SECONDS = 0
        calls = 0
        def stop(*_):
            global calls
            calls += 1
            if calls == 5:
                os.kill(os.getpid(), signal.SIGKILL)
        Tokenizer.load({str(tmp_path / "tok")!r}).encode_files({str(corpus)!r}, {str(tmp_path / "out")!r}, progress=stop)
        """
    )
    done = subprocess.run([sys.executable, "-c", program], timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert len((unfinished(tmp_path).parent / "00000.journal").read_text().splitlines()) == 5
    assert mixed.encode_files(corpus, tmp_path / "out").tolist() == expected(mixed, "file")


class Killed(OSError):
    """Stands for the end of the process: from then on nothing is written."""


@pytest.mark.usefixtures("small_groups")
@pytest.mark.parametrize("format", ["npy", "arrow"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_kill_at_any_step_loses_nothing(
    mixed: Tokenizer, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: str, overwrite: bool
) -> None:
    out = tmp_path / "out"
    monkeypatch.setattr(encoded_files, "_SYNC_SECONDS", 0)
    left = 0

    def dying(function: Callable[..., object]) -> Callable[..., object]:
        def step(*arguments: object, **options: object) -> object:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed(errno.EIO, "killed", "here")
            return function(*arguments, **options)

        return step

    def encode(steps: int) -> list[list[int]]:
        nonlocal left
        left = steps
        with monkeypatch.context() as patched:
            for owner, name in (
                (os, "fsync"), (Path, "replace"), (Path, "unlink"), (Path, "write_text"), (shutil, "rmtree"),
                (unfinished_store, "sync"), (shard_writer, "sync_all"), (ShardWriter, "_to_arrow"), (ShardWriter, "sync"),
            ):  # fmt: skip
                patched.setattr(owner, name, dying(getattr(owner, name)))
            found = mixed.encode_files(corpus, out, documents="line", format=format, overwrite=overwrite)  # type: ignore[arg-type]
        return found.tolist()

    rows = expected(mixed, "line")
    steps = kills = 0
    while True:
        if overwrite and not out.exists():
            (tmp_path / "a.txt").write_text("low")
            mixed.encode_files(tmp_path / "a.txt", out, overwrite=True)
        try:
            assert encode(steps) == rows
            break
        except Killed:
            kills += 1
        assert not out.exists() or TokenStore.load(out).tolist() in (rows, [[*mixed.encode("low")]])
        copy = shutil.copytree(tmp_path, tmp_path.parent / f"copy{format}{overwrite}{steps}", symlinks=True)
        assert mixed.encode_files(corpus, copy / "out", documents="line", format=format, overwrite=overwrite).tolist() == rows  # type: ignore[arg-type]  # fmt: skip
        assert [path.name for path in copy.iterdir() if path.name.startswith(".")] == []
        for leftover in (out, *tmp_path.glob(".bpe-transformer.*")):
            shutil.rmtree(leftover, ignore_errors=True)
        steps += 1
    assert kills > 10


def test_where_to_write(mixed: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "a.txt").write_text("low lower")
    (corpus / "loop").symlink_to(corpus)
    os.mkfifo(corpus / "fifo")
    for _ in range(2):  # the second time the output lies among the sources
        assert mixed.encode_files(corpus, corpus / "ids").sources == (str(corpus / "a.txt"),)
    link = tmp_path / "link"
    link.symlink_to(corpus / "ids")
    assert len(mixed.encode_files(corpus / "a.txt", link, overwrite=True, documents="line")) == 1
    assert link.is_symlink()
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    assert mixed.encode_files(corpus / "a.txt", ".").path == empty
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes").touch()
    with pytest.raises(FormatError, match="exists and holds no token store"):
        mixed.encode_files(corpus / "a.txt", tmp_path / "mine", overwrite=True)
    assert (tmp_path / "mine" / "notes").exists()


def test_a_file_that_grows_while_it_is_read(mixed: Tokenizer, tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_text("low\n")
    (tmp_path / "b.txt").write_text("low\n" * 10)
    real = ByteFile.readinto

    def readinto(file: object, buffer: memoryview) -> int:
        with log.open("a") as other:
            other.write("more\n")
        return real(file, buffer)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ByteFile, "readinto", readinto)
        with pytest.raises(CorpusError, match="log.txt changed since encoding began"):
            mixed.encode_files(log, tmp_path / "out")


@pytest.mark.skipif(sys.platform != "linux", reason="limits the size of files")
def test_a_full_disk_is_told_and_the_run_goes_on(mixed: Tokenizer, corpus: Path, tmp_path: Path) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    mixed.save(tmp_path / "tok")
    program = textwrap.dedent(
        f"""
        import resource
        from bpe_transformer import Tokenizer
        tok = Tokenizer.load({str(tmp_path / "tok")!r})
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, {before[1]}))
        tok.encode_files({str(corpus)!r}, {str(tmp_path / "out")!r}, documents="line")
        """
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "File too large; what was encoded is kept, so the same call goes on from there: " in done.stderr
    assert mixed.encode_files(corpus, tmp_path / "out", documents="line").tolist() == expected(mixed, "line")


@pytest.mark.usefixtures("small_groups")
def test_other_facts_are_refused(mixed: Tokenizer, corpus: Path, tmp_path: Path) -> None:
    def stop(*_: int) -> None:
        raise KeyboardInterrupt

    other = learn_bpe(PretokenCounts.from_words({"low": 1}), 258)
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        mixed.encode_files(corpus, out, progress=stop)
    assert len(other.encode_files(corpus, out, documents="line")) == 401  # no output was there yet
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    mixed.encode_files(corpus, out, overwrite=True)
    with pytest.raises(DigestMismatchError, match=f"made with the tokenizer {mixed.digest[:12]}.*overwrite=True"):
        other.encode_files(corpus, out)
    with pytest.raises(DigestMismatchError, match="documents='file', not 'line'"):
        mixed.encode_files(corpus, out, documents="line")
    with pytest.raises(DigestMismatchError, match="other sources: .*c.txt is another"):
        mixed.encode_files(corpus, out, glob="*.txt*")
    (corpus / "b.txt").touch()
    with pytest.raises(DigestMismatchError, match="other sources: .*b.txt is another"):
        mixed.encode_files(corpus, out)
    mixed.encode_files(corpus, out, overwrite=True)
    stamp = (out / "00000.ids.npy").stat().st_mtime_ns
    mixed.encode_files(corpus, out)
    assert (out / "00000.ids.npy").stat().st_mtime_ns == stamp
    assert len(other.encode_files(corpus, out, documents="line", overwrite=True)) == 401
    with pytest.raises(DigestMismatchError, match="was encoded with the tokenizer"):
        TokenStore.load(out, mixed)


def test_a_source_that_changed_behind_its_size_and_time_of_writing(mixed: Tokenizer, tmp_path: Path) -> None:
    file, out = tmp_path / "a.txt", tmp_path / "out"
    file.write_text("low lower")
    os.utime(file, (1, 1))
    mixed.encode_files(file, out)
    mixed.encode_files(file, out)
    file.write_text("low newer")
    os.utime(file, (1, 1))
    with pytest.raises(DigestMismatchError, match=r"other sources: .*a.txt is another; .*overwrite=True"):
        mixed.encode_files(file, out)
    mixed.encode_files(file, out, overwrite=True)


def test_bytes_that_are_not_utf8(mixed: Tokenizer, tmp_path: Path) -> None:
    file, out = tmp_path / "bad.txt", tmp_path / "out"
    file.write_bytes(b"ok\nlo\xffw")
    with pytest.raises(InvalidUtf8Error, match=r"bad.txt is not UTF-8: byte 0xff at position 5"):
        mixed.encode_files(file, out)
    assert mixed.encode_files(file, out, errors="keep", overwrite=True).tolist() == [mixed.encode(b"ok\nlo\xffw")]
    replaced = mixed.encode_files(file, out, errors="replace", overwrite=True)
    assert replaced.tolist() == [mixed.encode("ok\nlo\ufffdw")]
    assert replaced.ledger.stages[0].replaced == 1


def test_problems_name_the_file(mixed: Tokenizer, low_lower: Tokenizer, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("low\n")
    (tmp_path / "b.txt").write_text("low\nlow<s>x\n")
    with pytest.raises(SpecialTokenError, match=r"b.txt: the text holds the special token '<s>' \(byte 7\)"):
        mixed.encode_files(tmp_path, tmp_path / "out", glob="*.txt")
    with pytest.raises(EncodingError, match=r"b.txt \(text 1 from there\): character '<'"):
        low_lower.encode_files(tmp_path, tmp_path / "lines", glob="*.txt", documents="line")
    for paths, message in ((tmp_path / "no", "neither a file nor a folder"), ([], "paths is empty")):
        with pytest.raises(CorpusError, match=message):
            mixed.encode_files(paths, tmp_path / "x")
    with pytest.raises(CorpusError, match="holds no file that '.*md' finds"):
        mixed.encode_files(tmp_path, tmp_path / "x", glob="*.md")
    with pytest.raises(FormatError, match="exists and holds no token store"):
        mixed.encode_files(tmp_path / "a.txt", tmp_path)
    for option in ("format", "documents", "errors"):
        options: dict[str, Any] = {option: "x"}
        with pytest.raises(CorpusError, match=f"{option}='x' is unknown; choose"):
            mixed.encode_files(tmp_path / "a.txt", tmp_path / "y", **options)


def test_two_runs_do_not_mix(mixed: Tokenizer, corpus: Path, tmp_path: Path) -> None:
    def meanwhile(*_: int) -> None:
        with pytest.raises(OutputLockedError, match="being written by another run"):
            mixed.encode_files(corpus, tmp_path / "out")

    assert len(mixed.encode_files(corpus, tmp_path / "out", progress=meanwhile)) == 4


def test_arrow_is_for_datasets_too(mixed: Tokenizer, corpus: Path, tmp_path: Path) -> None:
    mixed.encode_files(corpus, tmp_path / "out", format="arrow", documents="line")
    rows = expected(mixed, "line")
    assert datasets.Dataset.from_file(str(tmp_path / "out" / "00000.arrow"))["ids"][:] == rows
    with pa.memory_map(str(tmp_path / "out" / "00000.arrow")) as source:
        before = pa.total_allocated_bytes()
        assert pa.ipc.open_stream(source).read_all()["ids"].to_pylist() == rows
        assert pa.total_allocated_bytes() == before  # read where it lies


def test_nothing_to_encode(mixed: Tokenizer, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").touch()
    kinds: list[tuple[Literal["npy", "arrow"], Literal["file", "line"], int]] = [
        ("npy", "file", 1), ("npy", "line", 0), ("arrow", "file", 1), ("arrow", "line", 0),
    ]  # fmt: skip
    for format, documents, count in kinds:
        out = tmp_path / f"{format}-{documents}"
        encoded = mixed.encode_files(tmp_path / "empty.txt", out, format=format, documents=documents)
        assert len(encoded) == count
    out.joinpath("store.json").write_text(json.dumps({"version": 1}))
    with pytest.raises(FormatError, match="store.json has .* bytes where manifest.json has"):
        TokenStore.load(out)
    (out / "manifest.json").unlink()
    with pytest.raises(FormatError, match="is damaged"):
        TokenStore.load(out)
    with pytest.raises(FormatError, match="holds no token store"):
        TokenStore.load(tmp_path)


def test_a_later_version_is_refused_by_name(mixed: Tokenizer, corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    mixed.encode_files(corpus, out)
    facts = json.loads((out / "store.json").read_text())
    facts["version"] = 200
    (out / "store.json").write_text(json.dumps(facts))
    with pytest.raises(FormatError, match="store.json has .* bytes where manifest.json has"):
        TokenStore.load(out)
    (out / "manifest.json").unlink()
    for use in (lambda: TokenStore.load(out), lambda: mixed.encode_files(corpus, out)):
        with pytest.raises(
            FormatError, match="is of version 200 of the store format, and this bpe-transformer reads up to version 1"
        ):
            use()
    assert len(mixed.encode_files(corpus, out, overwrite=True)) == len(TokenStore.load(out))


def test_parquet_is_not_taken_for_text(mixed: Tokenizer, tmp_path: Path) -> None:
    (tmp_path / "rows.parquet").write_bytes(b"PAR1")
    with pytest.raises(CorpusError, match=r"rows\.parquet is a table of Parquet"):
        mixed.encode_files(tmp_path / "rows.parquet", tmp_path / "out", errors="keep")


def test_units_do_not_change_the_rows(mixed: Tokenizer, tmp_path: Path) -> None:
    text = "low\n\nlower widest\r\n" * 30 + "newest"
    (tmp_path / "a.txt").write_text(text, newline="")
    (tmp_path / "b.txt").write_text("low", newline="")
    files = [tmp_path / "a.txt", tmp_path / "b.txt"]
    whole = mixed.encode_files(files, tmp_path / "whole", documents="line")
    for unit_bytes in range(1, 60, 7):
        cut = mixed.encode_files(files, tmp_path / "cut", documents="line", unit_bytes=unit_bytes, overwrite=True)
        assert cut.tolist() == whole.tolist()
        assert cut.ledger == whole.ledger
        assert len(cut.facts.shards) > 8
    (stage,) = whole.ledger.stages
    assert stage.received.bytes == sum(file.stat().st_size for file in files)


def test_sources_at_urls(mixed: Tokenizer, corpus: Path, tmp_path: Path) -> None:
    memory = fsspec.filesystem("memory")
    memory.put(str(corpus), "/corpus", recursive=True)
    here = mixed.encode_files(corpus, tmp_path / "here", documents="line", unit_bytes=500)
    for number, url in enumerate(("memory://corpus", f"file://{corpus}")):
        there = mixed.encode_files(url, tmp_path / str(number), documents="line", unit_bytes=500)
        assert there.tolist() == here.tolist()
        assert there.sha256 == here.sha256
        assert all(source.startswith(url.partition("://")[0]) for source in there.sources)
    with pytest.raises(CorpusError, match="memory://none is neither a file nor a folder"):
        mixed.encode_files("memory://none", tmp_path / "none")
    with pytest.raises(CorpusError, match="nosuch://x cannot be opened"):
        mixed.encode_files("nosuch://x", tmp_path / "none")
