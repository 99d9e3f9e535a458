"""`train` and what is done with its runs: evaluate, translate, generate."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bpe_transformer import Tokenizer

Run = Callable[..., Any]

SMALL = ("--d-model", "32", "--n-layers", "1", "--n-heads", "2", "--d-ff", "64", "--vocab-size", "300")
QUICK = (*SMALL, "--dropout", "0", "--label-smoothing", "0", "--lr", "0.005", "--warmup", "20", "--max-tokens", "200")
NUMBERS = {"one": "하나", "two": "둘", "three": "셋", "four": "넷", "five": "다섯", "six": "여섯"}


@pytest.fixture(scope="module")
def parallel(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A parallel pair of files: every pair of English numbers with its Korean one."""
    folder = tmp_path_factory.mktemp("pairs")
    pairs = [(f"{a} {b} {b} {a}", " ".join(NUMBERS[n] for n in (a, b, b, a))) for a in NUMBERS for b in NUMBERS] * 4
    for place, language in enumerate(("en", "ko")):
        text = "".join(pair[place] + "\n" for pair in pairs)
        (folder / f"a.{language}.txt").write_text(text, encoding="utf-8")
    return f"{folder}/a.en.txt,{folder}/a.ko.txt"


@pytest.fixture(scope="module")
def trained(process: Run, parallel: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory: Path = tmp_path_factory.mktemp("runs") / "numbers"
    done = process("train", parallel, "-o", directory, *QUICK, "--epochs", "60")
    message = done.stderr.decode()
    assert done.returncode == 0, message
    assert done.stdout == b""
    assert "training, encode: 137 rows" in message
    assert "validation: 7 of 144 rows held out" in message  # a twentieth is held out
    assert "trained:" in message
    return directory


@pytest.fixture(scope="module")
def reader(process: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("runs")
    lines = "".join(f"def add_{name}(x): return x + {number}\n" for number, name in enumerate(NUMBERS)) * 20
    (folder / "code.txt").write_text(lines, encoding="utf-8")
    done = process("train", folder / "code.txt", "-o", folder / "code", *QUICK, "--max-len", "32", "--epochs", "30")
    assert done.returncode == 0, done.stderr.decode()
    return folder / "code"


def test_a_run_holds_model_settings_and_tokenizer(trained: Path) -> None:
    card = json.loads((trained / "config.json").read_text())
    assert card["task"] == "translation"
    assert card["columns"] == ["en", "ko"]
    assert card["settings"]["model"]["d_model"] == 32
    assert card["digest"] == Tokenizer.load(trained).digest == Tokenizer.load(trained / "tokenizer").digest
    assert not list(trained.glob("*.part"))


def test_translate_answers_line_by_line(bpe: Run, trained: Path) -> None:
    assert bpe("translate", trained, "two five five two", "six one one six").stdout.decode() == (
        "둘 다섯 다섯 둘\n여섯 하나 하나 여섯\n"
    )
    piped = bpe(
        "translate", trained, "--beam", "1", input=b"three four four three\n\nsix six six six\r\none six six one"
    )
    assert piped.stdout.decode() == "셋 넷 넷 셋\n\n여섯 여섯 여섯 여섯\n하나 여섯 여섯 하나\n"
    assert piped.returncode == 0


def test_evaluate_prints_score_and_signature(bpe: Run, trained: Path, parallel: str) -> None:
    done = bpe("evaluate", trained, parallel, "--split", "train[:30]", "--split", "train[30:50]")
    lines = done.stdout.decode().splitlines()
    assert lines[0] == "train[:30]  BLEU 100.00  chrF 100.00  30 rows"
    assert lines[1].startswith("  BLEU signature: nrefs:1|case:mixed")
    assert "tok:13a" in lines[1]
    assert lines[2].startswith("  chrF signature: nrefs:1|case:mixed")
    assert lines[3].startswith("train[30:50]  BLEU")
    assert max(map(len, lines)) < 100
    limited = bpe("evaluate", trained, parallel, "--split", "train[:3]", "--limit", "1")
    assert b"--limit lists misses of --metric exact-match" in limited.stderr
    (result,) = json.loads(bpe("evaluate", trained, parallel, "--split", "train[:9]", "--json").stdout)
    assert (result["score"], result["rows"], result["metric"]) == (pytest.approx(100), 9, "bleu")
    assert len(result["outputs"]) == 9


def test_evaluate_scores_what_training_held_out(bpe: Run, trained: Path, parallel: str) -> None:
    for arguments in ((), (parallel,), (parallel, "--split", "validation")):
        done = bpe("evaluate", trained, *arguments)
        assert done.stdout.startswith(b"validation  BLEU"), done.stderr.decode()
        assert b"  7 rows\n" in done.stdout
        assert b"validation: 7 of 144 rows held out, drawn with seed 1" in done.stderr
        # every pair is there four times
        assert b"validation: 7 of 7 rows are also training rows of the model" in done.stderr
    (few,) = json.loads(bpe("evaluate", trained, "--split", "validation[:3]", "--json").stdout)
    assert (few["split"], few["rows"], few["trained_on"]) == ("validation[:3]", 3, 3)


def test_rows_of_another_corpus_are_not_called_trained_on(bpe: Run, trained: Path, tmp_path: Path) -> None:
    for language, lines in (("en", "one two two one\none two\n"), ("ko", "하나 둘 둘 하나\n하나 둘\n")):
        (tmp_path / f"x.{language}.txt").write_text(lines, encoding="utf-8")
    (found,) = json.loads(bpe("evaluate", trained, f"{tmp_path}/x.en.txt,{tmp_path}/x.ko.txt", "--json").stdout)
    assert (found["split"], found["rows"], found["trained_on"]) == ("train", 2, 1)


def test_of_one_text_the_end_is_held_out(bpe: Run, reader: Path) -> None:
    (held_out,) = json.loads(bpe("evaluate", reader, "--json").stdout)
    # its lines are repeated, so that its end stands in its beginning too
    assert (held_out["split"], held_out["rows"], held_out["trained_on"]) == ("validation", 1, 1)
    (whole,) = json.loads(bpe("evaluate", reader, "--split", "train", "--json").stdout)
    assert (whole["rows"], whole["trained_on"]) == (1, 1)
    assert held_out["bytes"] < whole["bytes"] / 15


def test_evaluate_lists_what_does_not_match(bpe: Run, trained: Path, tmp_path: Path) -> None:
    (tmp_path / "x.en.txt").write_text("one two two one\nsix six six six\n", encoding="utf-8")
    (tmp_path / "x.ko.txt").write_text("하나 둘 둘 하나\n일곱\n", encoding="utf-8")
    corpus = f"{tmp_path}/x.en.txt,{tmp_path}/x.ko.txt"
    done = bpe("evaluate", trained, corpus, "--split", "train", "--metric", "exact-match")
    assert done.stdout.decode().splitlines() == [
        "train  exact match 50.0 %  1 of 2 rows",
        "  six six six six -> 여섯 여섯 여섯 여섯 (not 일곱)",
    ]


def test_a_language_model_is_scored_and_goes_on_with_a_text(bpe: Run, reader: Path) -> None:
    corpus = reader.parent / "code.txt"
    (result,) = json.loads(
        bpe("evaluate", reader, corpus, "--split", "train[:60]", "--documents", "line", "--json").stdout
    )
    assert result["metric"] == "bits-per-byte"
    assert 0 < result["score"] < 2
    assert result["bytes"] == sum(len(line) for line in corpus.read_text().splitlines()[:60])
    line = bpe("evaluate", reader, corpus, "--split", "train[:60]", "--documents", "line").stdout.decode()
    assert line.startswith(f"train[:60]  {result['score']:.3f} bits a byte  perplexity ")
    written = bpe("generate", reader, "def add_", "--temperature", "0", "--max-new", "20").stdout.decode()
    assert written.startswith("def add_")
    assert "return x" in written
    several = bpe("generate", reader, "--num-samples", "2", "--seed", "3", "--max-new", "5", input=b"def\n").stdout
    assert several.decode().count("\n---\n") == 1
    assert several == bpe("generate", reader, "def", "--num-samples", "2", "--seed", "3", "--max-new", "5").stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_a_run_that_resumes(
    start: Run, bpe: Run, parallel: str, tmp_path: Path, number: signal.Signals
) -> None:
    directory = tmp_path / "run"
    process = start("train", parallel, "-o", directory, *QUICK, "--eval-steps", "5", "--epochs", "100000")
    assert process.stderr is not None
    seen = b""
    while not seen.startswith(b"step "):  # the first validation
        seen = process.stderr.readline()
        assert seen, "training ended by itself"
    process.send_signal(number)
    rest = process.stderr.read().decode()
    assert process.wait(timeout=30) == 128 + number
    assert "stopped:" in rest
    assert "--resume" in rest
    steps = json.loads((directory / "config.json").read_text())["outcome"]["steps"]
    done = bpe("train", parallel, "-o", directory, "--resume", "--minutes", "0.05")
    assert done.returncode == 0, done.stderr.decode()
    card = json.loads((directory / "config.json").read_text())
    assert card["settings"]["model"]["d_model"] == 32  # the run's settings, not the preset's
    assert card["outcome"]["steps"] >= steps


def test_a_model_is_not_replaced_unasked(fails: Run, trained: Path, parallel: str) -> None:
    before = (trained / "model.safetensors").read_bytes()
    assert "go on with --resume, replace it with --overwrite" in fails("train", parallel, "-o", trained, *QUICK)
    assert (trained / "model.safetensors").read_bytes() == before


def test_a_stopped_run_is_not_begun_anew_unasked(fails: Run, parallel: str, tmp_path: Path) -> None:
    from bpe_transformer.training.state import STATE

    (tmp_path / "run").mkdir()
    (tmp_path / "run" / STATE).write_bytes(b"a run that has saved no model yet")
    assert "holds a run that was stopped; go on with --resume" in fails(
        "train", parallel, "-o", tmp_path / "run", *QUICK
    )


def test_ctrl_c_before_the_first_step_says_how_to_go_on(
    bpe: Run, fails: Run, parallel: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bpe_transformer.cli.support.training_options import Mixing

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    run = tmp_path / "run"
    monkeypatch.setattr(Mixing, "prepared", stop)
    done = bpe("train", parallel, "-o", run, *QUICK, "--epochs", "1")
    assert done.returncode == 130
    last = done.stderr.decode().splitlines()[-1]
    assert last == f"interrupted: {run} holds the beginning of a run; go on with the same command and --resume"
    # what other commands say of it
    commands = (["translate", run, "one"], ["evaluate", run], ["export", run, tmp_path / "hf"])
    for command in (*commands, ["report", run, "-o", tmp_path / "page.html"]):
        assert "was stopped before its first validation, so there is no model yet; go on with train, --resume" in fails(
            *command
        )
    assert not (tmp_path / "page.html").exists()
    monkeypatch.undo()
    done = bpe("train", parallel, "-o", run, *QUICK, "--resume", "--steps", "1")
    assert re.search(r"trained: 1 step, 0\.\d+ epochs, ", done.stderr.decode())


def test_a_run_that_was_ended_before_its_first_save_starts_clean(bpe: Run, fails: Run, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("low lower lowest\n\nnewest widest\n\n" * 60)
    command = ("train", tmp_path / "words.txt", "-o", tmp_path / "run", *QUICK, "--max-len", "16", "--steps", "1")
    refused = bpe(*command, "--patience-metric", "bleu")
    assert refused.returncode == 1
    assert "needs rows to decode" in refused.stderr.decode()
    assert (tmp_path / "run" / "training.safetensors").exists()
    done = bpe(*command)
    assert done.returncode == 0, done.stderr.decode()
    assert "holds a model already" in fails(*command)


def test_bad_input_is_one_line_and_nothing_is_written(
    fails: Run, parallel: str, trained: Path, reader: Path, byte_tokenizer: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    message = fails("train", parallel, "-o", run, "--n-heads", "3", "--dropout", "2", "--epochs", "0")
    assert all(part in message for part in ("--n-heads 3", "--dropout 2.0", "--epochs 0"))
    assert "nothing" in fails("train", tmp_path / "nothing.txt", "-o", run)
    (tmp_path / "empty.txt").write_text("")
    assert "empty" in fails("train", tmp_path / "empty.txt", "-o", run)
    (tmp_path / "bad.txt").write_bytes(b"fine\nnot \xff fine\n")
    message = fails("train", tmp_path / "bad.txt", "-o", run)
    assert "bad.txt" in message
    assert "9" in message
    assert "de" in fails("train", parallel, "-o", run, "--tgt", "de")
    assert "259" in fails("train", parallel, "-o", run, "--vocab-size", "100")
    assert "no run to resume" in fails("train", parallel, "-o", run, "--resume")
    assert not run.exists()
    assert "another" not in fails("translate", tmp_path / "nowhere", "x")
    assert "use generate" in fails("translate", reader, "x")
    assert "use translate" in fails("generate", trained, "x")
    assert "learn" not in fails("evaluate", trained, "low-lower", "--split", "train")


def test_a_checkpoint_with_another_tokenizer_is_refused(
    fails: Run, trained: Path, loaded: Tokenizer, tmp_path: Path
) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(trained, copy)
    loaded.save(copy)
    for command in (("translate", copy, "one"), ("evaluate", copy, "numbers-en-ko", "--split", "test[:2]")):
        assert "was trained with the tokenizer" in fails(*command)


def test_training_with_a_given_tokenizer(bpe: Run, parallel: str, byte_tokenizer: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    size = QUICK.index("--vocab-size")
    quick = (*QUICK[:size], *QUICK[size + 2 :])
    done = bpe("train", parallel, "-o", run, "--tokenizer", byte_tokenizer, *quick, "--epochs", "1")
    assert done.returncode == 0, done.stderr.decode()
    assert not (run / "tokenizer").exists()
    assert Tokenizer.load(run).digest == Tokenizer.load(byte_tokenizer).digest


@pytest.mark.parametrize("command", ["train", "evaluate", "translate", "generate"])
def test_help_has_an_example_and_loads_no_torch(bpe: Run, command: str) -> None:
    assert f"  bpe-transformer {command} " in bpe(command, "--help").stdout.decode()


def test_long_lines_are_said_or_refused_with_their_row(
    parallel: str, process: Run, bpe: Run, fails: Run, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    assert process("train", parallel, "-o", run, *QUICK, "--epochs", "1", "--max-len", "32").returncode == 0
    done = bpe("translate", run, "--beam", "1", input=f"one\n{'one two ' * 20}\n".encode())
    assert done.returncode == 0
    assert b"note: row 2 has " in done.stderr
    refused = bpe("translate", run, "--long", "refuse", input=f"one\n\n{'one two ' * 600}\n".encode())
    assert refused.returncode == 1
    assert refused.stdout.count(b"\n") == 3
    assert b"row 3 has " in refused.stderr


RECURRENT = ("--d-model", "32", "--n-layers", "1", "--vocab-size", "300", "--dropout", "0", "--max-tokens", "200")


def test_a_recurrent_family_translates_and_shows_what_attention_it_has(
    bpe: Run, fails: Run, parallel: str, tmp_path: Path
) -> None:
    quick = (*RECURRENT, "--lr", "0.01", "--warmup", "20", "--epochs", "2")
    for family in ("bahdanau", "lstm"):
        done = bpe("train", parallel, "-o", tmp_path / family, "--family", family, *quick)
        assert done.returncode == 0, done.stderr.decode()
        assert json.loads((tmp_path / family / "config.json").read_text())["settings"]["family"] == family
        scored = bpe("evaluate", tmp_path / family, parallel, "--split", "train[:5]", "--metric", "exact-match")
        assert b"of 5 rows" in scored.stdout
        assert bpe("translate", tmp_path / family, "one two", "").stdout.count(b"\n") == 2
    shown = bpe("attention", tmp_path / "bahdanau", "one two", "--target", "하나", "--width", "80")
    assert b"decoder-to-encoder attention, layer 1 of 1" in shown.stdout
    assert "no attention" in fails("attention", tmp_path / "lstm", "one two")
    assert "n_heads" in fails("train", parallel, "-o", tmp_path / "no", "--family", "lstm", "--n-heads", "2").replace(
        "-", "_"
    )


def test_a_masked_language_model_is_scored_and_shows_its_attention(bpe: Run, fails: Run, tmp_path: Path) -> None:
    text = tmp_path / "code.txt"
    text.write_text("".join(f"def add_{n}(x): return x + {n}\n" for n in range(9)) * 30, encoding="utf-8")
    done = bpe("train", text, "-o", tmp_path / "bert", "--family", "bert", *QUICK, "--max-len", "32", "--epochs", "3")
    assert done.returncode == 0, done.stderr.decode()
    assert Tokenizer.load(tmp_path / "bert").roles.mask == "<mask>"
    assert b"masked accuracy" in bpe("evaluate", tmp_path / "bert", text, "--split", "train[:9]").stdout
    assert b"encoder self-attention" in bpe("attention", tmp_path / "bert", "def add", "--width", "80").stdout
    assert "masked language model, which does not continue texts" in fails("generate", tmp_path / "bert", "def")
