"""Every writing command, killed or failing at its file operations: the old output or the new one, and nothing left behind.

A few operations of every command are tried here; FAULTS=all, which `make soak` sets, tries all of them, and FAULTS=0.1 a tenth
of them, drawn anew every time.
"""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.io import check_manifest
from bpe_transformer.tokenizer.store import read_flat
from tests.faults import calls
from tests.faults.faults import BROKEN, FULL, KILL, MODES, Case, Scenario, Server, build_shim

FAULTS = os.environ.get("FAULTS", "")
SHARE = 1.0 if FAULTS == "all" else float(FAULTS or 0)
WHOLE = SHARE > 0  # every command, and not a few operations only
WORDS = ("one", "two", "three", "four", "five", "하나", "둘", "셋")
SPECIAL = ["<pad>", "<s>", "</s>"]
MODEL = ("--d-model", "16", "--n-layers", "1", "--n-heads", "2", "--d-ff", "16", "--max-len", "32")
TRAIN = ("train", "a.en.txt,a.ko.txt", "--tokenizer", "tok", *MODEL, "--epochs", "2", "--threads", "1", "-o", "run")


def corpus(folder: Path) -> None:
    choose = random.Random(0)
    lines = [" ".join(choose.choices(WORDS, k=6)) for _ in range(60)]
    for name in ("a.en.txt", "a.ko.txt", "plain.txt", "other.txt"):
        choose.shuffle(lines)
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def vocabulary(folder: Path) -> None:
    corpus(folder)
    counts = PretokenCounts.from_words({"one": 5, " two": 4, " three": 3, " four": 2, "하나": 3}, "gpt2")
    for name, size in (("tok", 275), ("older", 265)):
        tokenizer = learn_bpe(counts, size, special_tokens=SPECIAL, alphabet_order="gpt2")
        tokenizer.save(folder / name)


def run_is_whole(folder: Path) -> None:
    run = folder / "run"
    if (run / "config.json").exists():
        check_manifest(run)


def trained(folder: Path) -> None:
    vocabulary(folder)
    calls.models(folder)


def exported(folder: Path) -> None:
    from bpe_transformer.inference.export import export_transformers

    trained(folder)
    export_transformers(folder / "run", folder / "hf")
    export_transformers(folder / "older-run", folder / "older-hf")


def encoded(folder: Path) -> None:
    vocabulary(folder)
    calls.stores(folder)


def flat_is_whole(folder: Path) -> None:
    """An index, if there is one, is that of the ids."""
    if (folder / "out.idx").exists():
        with tempfile.TemporaryDirectory() as place:
            read_flat(folder / "out.idx", Tokenizer.load(folder / "tok"), Path(place) / "store")


def trove_is_whole(folder: Path) -> None:
    """The same, in datatrove's format."""
    if (folder / "out.ds.index").exists():
        with tempfile.TemporaryDirectory() as place:
            read_flat(folder / "out.ds", Tokenizer.load(folder / "tok"), Path(place) / "store")


AB = ("ab", "plain.txt", "--flops", "1e8", "--batch-ids", "64", "--seeds", "1", "--d-model", "8", "--n-layers", "1", "--n-heads", "1", "--d-ff", "8",
      "--max-len", "8", "--threads", "1", "--svg", "out.svg", "--sizes")  # fmt: skip
LEARN = ("learn", "plain.txt", "-o", "out", "--overwrite", "--vocab-size")
PREPARE = ("prepare", "a.en.txt,a.ko.txt", "-o", "out", "--overwrite", "--max-len", "60", "--tokenizer")
ENCODE = ("encode", "tok", "--file", "plain.txt", "-o", "out", "--overwrite")
OLDER_IDS = ("encode", "older", "--file", "other.txt", "-o", "out")
SCENARIOS = [
    Scenario("learn", (*LEARN, "280"), corpus, (*LEARN, "270")),
    Scenario(
        "count", ("count", "plain.txt", "-o", "out.parquet", "--overwrite"), corpus,
        ("count", "plain.txt", "--min-count", "12", "-o", "out.parquet"),
    ),
    Scenario(
        "export", ("export", "tok", "-o", "out.json", "--overwrite"), vocabulary, ("export", "older", "-o", "out.json")
    ),
    Scenario(
        "export gpt2", ("export", "tok", "-o", "out", "--format", "gpt2", "--overwrite"), vocabulary,
        ("export", "older", "-o", "out", "--format", "gpt2"),
    ),
    Scenario(
        "import", ("import", "tok/tokenizer.json", "-o", "out", "--overwrite"), vocabulary,
        ("import", "older/tokenizer.json", "-o", "out"),
    ),
    Scenario(
        "report", ("report", "tok", "-o", "out.html", "--overwrite"), vocabulary, ("report", "older", "-o", "out.html")
    ),
    Scenario("encode", ENCODE, vocabulary, OLDER_IDS, ignored=("store.json", "manifest.json")),  # they hold times
    Scenario(
        "encode arrow", (*ENCODE, "--format", "arrow"), vocabulary, OLDER_IDS, ignored=("store.json", "manifest.json")
    ),
    Scenario(
        "encode offsets", ("encode", "tok", "one two", "--format", "npy", "--offsets", "out.npy", "--overwrite"), vocabulary,
        ("encode", "tok", "one two three", "--format", "npy", "--offsets", "out.npy"),
    ),
    Scenario(
        "prune", ("prune", "tok", "--text", "one two", "-o", "out", "--overwrite"), vocabulary,
        ("prune", "older", "--text", "one", "-o", "out"),
    ),
    Scenario(
        "prune a model", ("prune", "--run", "run", "--text", "one two", "-o", "out", "--overwrite"), trained,
        ("prune", "--run", "older-run", "--text", "one", "-o", "out"), in_short=False,
    ),
    Scenario(
        "export a model", ("export", "run", "-o", "out", "--format", "transformers", "--overwrite"), trained,
        ("export", "older-run", "-o", "out", "--format", "transformers"), in_short=False,
    ),
    Scenario(
        "import a model", ("import", "hf", "-o", "out", "--overwrite"), exported, ("import", "older-hf", "-o", "out"),
        in_short=False,
    ),
    Scenario(
        "curve", ("curve", "run", "--svg", "out.svg", "--overwrite"), trained,
        ("curve", "run", "older-run", "--svg", "out.svg"),
    ),
    Scenario("vocab of a run", ("vocab", "--run", "run"), trained, in_short=False),  # writes only the cache of the corpus
    Scenario(
        "ab", (*AB, "270,280", "--overwrite"), corpus, (*AB, "265,275"), in_short=False,
    ),
    Scenario(
        "flat file", ("call", "write flat", "ids", "out", "nanogpt"), encoded,
        ("call", "write flat", "older-ids", "out", "nanogpt"),
    ),
    Scenario(
        "flat file with an index", ("call", "write flat", "ids", "out", "megatron"), encoded,
        ("call", "write flat", "older-ids", "out", "megatron"), flat_is_whole,
    ),
    Scenario(
        "flat file of datatrove", ("call", "write flat", "ids", "out", "datatrove"), encoded,
        ("call", "write flat", "older-ids", "out", "datatrove"), trove_is_whole,
    ),
    Scenario(
        "from a flat file", ("call", "read flat", "flat.idx", "out", "tok"), encoded,
        ("call", "save store", "older-ids", "out"), ignored=("store.json", "manifest.json"), in_short=False,
    ),
    Scenario(
        "save a store", ("call", "save store", "ids", "out"), encoded, ("call", "save store", "older-ids", "out"),
        ignored=("store.json", "manifest.json"),
    ),
    Scenario(
        "prepare", (*PREPARE, "tok"), vocabulary, (*PREPARE, "older"),
        ignored=("manifest.json",), varying=("dataset",),  # the number that `datasets` gives, by the time of the files
    ),
    Scenario(
        "train", (*TRAIN, "--overwrite"), vocabulary, (*TRAIN, "--seed", "7"), run_is_whole,
        ignored=("config.json", "manifest.json", "training.safetensors"),
        varying=("seconds", "ids_per_second", "data_wait", "memory_bytes"),
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    library = build_shim(tmp_path_factory.mktemp("shim"))
    if library is None:
        pytest.skip("needs Linux and a C compiler")
    started = Server(library)
    yield started
    started.close()


@pytest.mark.timeout(7200 if WHOLE else 300)
@pytest.mark.parametrize("over_older", [False, True], ids=["fresh", "over an older one"])
@pytest.mark.parametrize(
    "scenario", [one for one in SCENARIOS if WHOLE or one.in_short], ids=lambda scenario: scenario.name
)
def test_a_command_that_is_interrupted(server: Server, tmp_path: Path, scenario: Scenario, over_older: bool) -> None:
    case = Case(server, scenario, tmp_path / "template", tmp_path / "work")
    case.prepare(over_older=over_older)
    every = [(at, mode) for at in range(1, case.operations + 1) for mode in MODES]
    if not WHOLE:
        choose = random.Random(f"{scenario.name} {over_older}")
        modes = (KILL, choose.choice([FULL, BROKEN])) if over_older else (choose.choice(MODES),)
        every = [(choose.randint(1, case.operations), mode) for mode in modes]
    elif SHARE < 1:
        every = random.sample(every, max(1, round(SHARE * len(every))))
    for at, mode in every:
        case.interrupt(at, mode)
