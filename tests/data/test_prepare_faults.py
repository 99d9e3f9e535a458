"""Killing `prepare` at random moments, two at once, and bytes that are all accounted for."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import datasets
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpe_transformer import PretokenCounts, Pretokenizer, Tokenizer, TokenStore, learn_bpe
from bpe_transformer.data import prepare_classification, prepare_language_model, prepare_translation
from bpe_transformer.errors import CorpusError, FormatError, OutputLockedError

WORDS = ["one", "two", "하나", "\u0301", " ", "\t", "<s>", "", "long" * 9, "é", "\n"]
TEXTS = st.lists(st.one_of(st.none(), st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)), max_size=30)
QUICK = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def stripping() -> Tokenizer:
    """A tokenizer that strips accents, so that some texts tokenise to nothing."""
    split = Pretokenizer(rewriting=(("replace", r"\p{M}", ""),))
    return learn_bpe(PretokenCounts.from_iterator(["one two"], split), 280, special_tokens=["<pad>", "<s>", "</s>"])


@pytest.mark.parametrize("task", ["language-model", "translation", "classification"])
@given(data=st.data(), texts=TEXTS, unit_bytes=st.integers(1, 200), max_len=st.integers(3, 12))
@QUICK
def test_every_byte_is_kept_dropped_or_truncated(
    stripping: Tokenizer, tmp_path_factory: pytest.TempPathFactory, task: str, data: Any, texts: list[str | None],
    unit_bytes: int, max_len: int,
) -> None:  # fmt: skip
    others = [data.draw(st.sampled_from(["one", " ", "two <s>", None])) for _ in texts]
    labels = [("a", "b", None)[number % 3] for number in range(len(texts))]
    schema = datasets.Features({name: datasets.Value("string") for name in ("text", "other", "label")})
    rows = datasets.Dataset.from_dict({"text": texts, "other": others, "label": labels}, features=schema)
    options: dict[str, Any] = {"unit_bytes": unit_bytes, "out": tmp_path_factory.mktemp("rows") / "out"}
    try:
        if task == "translation":
            store = prepare_translation(rows, stripping, src="text", tgt="other", max_len=max_len, **options)
        elif task == "classification":
            store = prepare_classification(
                rows, stripping, column="text", label="label", labels=("a", "b"), max_len=max_len, **options
            )
        else:
            store = prepare_language_model(rows, stripping, **options)
    except CorpusError:  # nothing is left
        assert not options["out"].exists()
        return
    (stage,) = store.ledger.stages
    read = [texts, others] if task == "translation" else [texts]
    assert stage.received.bytes == sum(len((text or "").encode()) for column in read for text in column)
    assert stage.received.examples == len(texts)
    assert stage.kept.examples == len(store)
    longest = int(store.lengths.max())
    assert task == "language-model" or longest <= max_len
    if task == "language-model":  # what was kept is what decodes
        kept = [text for text in texts if text and text.strip() and stripping.encode_ordinary(text)]
        assert stage.kept.bytes == sum(len(text.encode()) for text in kept)
        eos = stripping.special_tokens["</s>"]
        assert store.tolist() == [[*stripping.encode_ordinary(text), eos] for text in kept]


@given(lines=st.lists(st.binary(max_size=12), max_size=20), ends=st.booleans(), unit_bytes=st.integers(1, 60))
@QUICK
def test_every_byte_of_a_file_is_accounted_for(
    stripping: Tokenizer, tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], ends: bool, unit_bytes: int
) -> None:
    folder = tmp_path_factory.mktemp("file")
    raw = b"\n".join(lines) + b"\n" * ends
    (folder / "a.txt").write_bytes(raw)
    store = stripping.encode_files(
        folder / "a.txt",
        folder / "out",
        documents="line",
        errors="replace",
        disallowed_special=(),
        unit_bytes=unit_bytes,
    )
    (stage,) = store.ledger.stages
    assert stage.received.bytes == len(raw)
    assert stage.kept.examples == len(store) == len(raw.split(b"\n")) - (raw[-1:] in (b"\n", b""))
    assert stage.replaced == raw.decode("utf-8", "replace").count("\ufffd") - raw.count("\ufffd".encode())


PROGRAM = """
    import sys
    import datasets
    from bpe_transformer import Tokenizer
    from bpe_transformer.data import prepare_language_model
    folder, slow = sys.argv[1:]
    rows = datasets.Dataset.from_file(folder + "/rows.arrow")
    def pause(*_):
        import os, time
        time.sleep(0.05 if slow == "slow" else 0)
        while slow == "waiting" and not os.path.exists(folder + "/go"):
            time.sleep(0.02)
    prepare_language_model(rows, Tokenizer.load(folder + "/tok"), out=folder + "/out", unit_bytes=20_000, progress=pause)
"""


def start(folder: Path, how: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PROGRAM), str(folder), how],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, tokenizer: Tokenizer) -> Path:
    import pyarrow as pa

    folder = tmp_path_factory.mktemp("kills")
    tokenizer.save(folder / "tok")
    table = pa.table({"text": [f"one two {number} three" * 5 for number in range(8_000)]})
    with pa.OSFile(str(folder / "rows.arrow"), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return folder


def test_two_at_once(home: Path, tokenizer: Tokenizer) -> None:
    """One wins, whole, and the other says so."""
    rows = datasets.Dataset.from_file(str(home / "rows.arrow"))
    first = start(home, "waiting")
    while not list(home.glob(".bpe-transformer.*.lock")):
        assert first.poll() is None, first.communicate()
        time.sleep(0.02)
    with pytest.raises(OutputLockedError, match="is being written by another run"):
        prepare_language_model(rows, tokenizer, out=home / "out", unit_bytes=20_000)
    (home / "go").touch()
    assert first.wait(timeout=120) == 0
    assert len(TokenStore.load(home / "out")) == 8_000


@pytest.mark.soak
@pytest.mark.timeout(1_200)
def test_forty_kills(home: Path, tokenizer: Tokenizer, tmp_path: Path) -> None:
    """Nothing half-written, and the next run goes on."""
    rows = datasets.Dataset.from_file(str(home / "rows.arrow"))
    whole = prepare_language_model(rows, tokenizer, out=tmp_path / "whole", unit_bytes=20_000)
    draw = random.Random(3)
    folder = tmp_path / "home"
    folder.mkdir()
    for name in ("rows.arrow", "tok"):
        (folder / name).symlink_to(home / name)
    kills, most = 0, 0
    while kills < 40:
        process = start(folder, "slow")
        begun = time.monotonic()
        while not list(folder.glob(".bpe-transformer.*.lock")) and time.monotonic() - begun < 60:
            assert process.poll() is None, process.communicate()
            time.sleep(0.005)
        time.sleep(draw.random() * 0.15)
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills += 1
        marks = len(list(folder.glob(".bpe-transformer.*.resume.*/*.mark")))
        assert marks >= most  # it went on from there
        most = marks
        if (folder / "out").exists():
            assert TokenStore.load(folder / "out").sha256 == whole.sha256
            most = 0
            for path in (folder / "out").rglob("*"):
                if path.is_file():
                    path.unlink()
            import shutil

            shutil.rmtree(folder / "out")
        else:
            with pytest.raises(FormatError):
                TokenStore.load(folder / "out")
    store = prepare_language_model(
        datasets.Dataset.from_file(str(folder / "rows.arrow")), tokenizer, out=folder / "out", unit_bytes=20_000
    )
    assert store.sha256 == whole.sha256
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []
