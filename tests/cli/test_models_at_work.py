"""`translate`, `generate`, `classify`, `fill-mask` and `evaluate` on untrained models of real shape, in this process."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import torch

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.cli.support.training.scored_splits import ScoredCorpora
from bpe_transformer.inference import load_translator
from bpe_transformer.training import CheckpointInfo, Settings, load_checkpoint_info, save_checkpoint
from bpe_transformer.training.checkpoint import build_model, weights_of

Run = Callable[..., Any]
LONG = "three cats read a text. Two dogs, one bird! a low lower newest widest text"


@pytest.fixture(scope="module")
def vocabulary() -> Tokenizer:
    counts = PretokenCounts.from_iterator([LONG, "고양이 세 마리가 책을 읽었다."] * 2)
    return learn_bpe(counts, vocab_size=290, special_tokens=["<pad>", "<s>", "</s>", "<mask>"])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, vocabulary: Tokenizer) -> Callable[..., Path]:
    folder = tmp_path_factory.mktemp("runs")

    def make(family: str, labels: tuple[str, ...] = ()) -> Path:
        place = folder / f"{family}{len(labels)}"
        if not place.exists():
            shape = {"family": family, "d_model": 16, "n_layers": 1, "n_heads": 2, "d_ff": 16, "max_len": 24, "beam": 2}
            settings = Settings.preset("tiny").override(shape)
            info = CheckpointInfo(
                digest=vocabulary.digest,
                vocab_size=vocabulary.vocab_size,
                pad_id=vocabulary.special_tokens["<pad>"],
                columns=("en", "ko") if family == "transformer" else ("text", "kind") if labels else ("text",),
                corpus="none",
                settings=settings,
                labels=labels,
            )
            torch.manual_seed(1)
            save_checkpoint(place, weights_of(build_model(info)), info, vocabulary)
        return place

    return make


def rows(done: Any, name: str) -> list[dict[str, Any]]:
    schema = json.loads((files("bpe_transformer.inspection") / f"schemas/{name}.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    found = [json.loads(line) for line in done.stdout.decode().splitlines()]
    for row in found:
        jsonschema.validate(row, schema)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**row, "strange": 1}, schema)
    assert [row["row"] for row in found] == list(range(1, len(found) + 1))
    return found


def test_lines_are_translated_plainly_or_as_json(bpe: Run, run: Callable[..., Path]) -> None:
    model = run("transformer")
    plain = bpe("translate", model, input=b"three cats\n\ntext\n").stdout.decode().split("\n")
    assert len(plain) == 4
    assert plain[1] == ""
    assert plain[0] == bpe("translate", model, "three cats").stdout.decode().rstrip("\n")
    found = rows(bpe("translate", model, "--json", input=b"three cats\n\ntext\n"), "translate")
    assert [" ".join(row["translations"][0]["text"].splitlines()) for row in found] == plain[:3]
    scored = load_translator(model).search("three cats").hypotheses[0]
    assert found[0]["translations"][0]["score"] == pytest.approx(scored.score, abs=1e-5)
    line = bpe("translate", model, "three cats", "--scores").stdout.decode()
    assert line == f"{scored.score:.4f}\t{plain[0]}\n"


def test_n_best_targets_and_pairs(bpe: Run, run: Callable[..., Path]) -> None:
    model = run("transformer")
    lines = bpe("translate", model, "three cats", "text", "--n-best", "3").stdout.decode().splitlines()
    cells = [line.split("\t") for line in lines]
    assert {row for row, *_ in cells} == {"1", "2"}
    for row in "12":
        scores = [float(score) for number, score, _ in cells if number == row]
        assert scores == sorted(scores, reverse=True)
        assert 1 < len(scores) <= 3
    given = bpe("translate", model, "three cats", "--target", "세 마리").stdout.decode()
    assert given == bpe("translate", model, "--pairs", input="three cats\t세 마리\n".encode()).stdout.decode()
    score, target = given.rstrip("\n").split("\t")
    assert target == "세 마리"
    assert float(score) == pytest.approx(load_translator(model).score("three cats", "세 마리").score, abs=1e-3)
    (scored,) = rows(bpe("translate", model, "three cats", "--target", "세 마리", "--json"), "translate")
    assert scored["translations"][0]["finish"] == "given"
    assert bpe("translate", model, "a", "--target", "b", "--target", "c").returncode == 2
    assert bpe("translate", model, "--pairs", input=b"no tab\n").returncode == 2
    forced = bpe("translate", model, "three cats", "--prefix", "세").stdout.decode()
    assert forced.startswith("세")


def test_a_long_line_is_told_and_does_not_stop_the_stream(bpe: Run, run: Callable[..., Path]) -> None:
    model, text = run("transformer"), f"three\n{LONG}\ntext\n".encode()
    done = bpe("translate", model, input=text)
    assert done.returncode == 0
    assert done.stdout.count(b"\n") == 3
    assert b"note: row 2 has " in done.stderr
    assert b"it was split" in done.stderr
    refused = bpe("translate", model, "--long", "refuse", input=text)
    assert refused.returncode == 1
    lines = refused.stdout.decode().split("\n")
    assert (lines[1], len(lines)) == ("", 4)
    assert lines[::2] == done.stdout.decode().split("\n")[::2]
    (_, row, _) = rows(bpe("translate", model, "--long", "refuse", "--json", input=text), "translate")
    assert (row["long"], row["translations"]) == ("refuse", [])
    assert b"only its beginning" in bpe("translate", model, "--long", "truncate", input=text).stderr


def test_texts_are_continued(bpe: Run, run: Callable[..., Path]) -> None:
    model = run("gpt")
    same = ("--max-new", "6", "--seed", "4")
    several = bpe("generate", model, "three", "text", "--num-samples", "2", *same).stdout.decode()
    assert several.count("\n---\n") == 3
    assert several == bpe("generate", model, "--num-samples", "2", *same, input=b"three\ntext\n").stdout.decode()
    found = rows(bpe("generate", model, "three", "text", "--num-samples", "2", "--json", *same), "generate")
    texts = [row["prompt"] + sample["text"] for row in found for sample in row["samples"]]
    assert "\n---\n".join(texts) + "\n" == several
    whole = rows(bpe("generate", model, "--whole", "--json", *same, input=b"three\ntext\n"), "generate")
    assert [row["prompt"] for row in whole] == ["three\ntext"]
    greedy = ("--temperature", "0", "--max-new", "6")
    assert (
        bpe("generate", model, "three", *greedy).stdout
        == bpe("generate", model, "three", "--temperature", "1e-40", "--max-new", "6").stdout
    )
    stop = rows(bpe("generate", model, "three", "--json", *greedy), "generate")[0]["samples"][0]["text"][1:2]
    (cut,) = rows(bpe("generate", model, "three", "--json", "--stop", stop, *greedy), "generate")
    assert cut["samples"][0]["finish"] == "stopped"
    cropped = bpe("generate", model, LONG * 2, "--long", "crop", "--max-new", "3", "--json")
    assert rows(cropped, "generate")[0]["cropped"] > 0
    assert b"lost" in cropped.stderr


def test_texts_are_labelled(bpe: Run, run: Callable[..., Path]) -> None:
    model = run("bert", ("cold", "warm"))
    lines = bpe("classify", model, input=b"three cats\n\ntext\n").stdout.decode().split("\n")
    assert lines[1] == lines[3] == ""
    assert {lines[0], lines[2]} <= {"cold", "warm"}
    found = rows(bpe("classify", model, "three cats", "", "--json"), "classify")
    assert found[0]["label"] == lines[0]
    assert sum(found[0]["probabilities"].values()) == pytest.approx(1)
    assert (found[1]["label"], found[1]["probabilities"]) == (None, {})
    probability, label = bpe("classify", model, "three cats", "--scores").stdout.decode().rstrip("\n").split("\t")
    assert label == lines[0]
    assert float(probability) == pytest.approx(found[0]["probabilities"][label], abs=1e-3)


def test_gaps_are_filled(bpe: Run, run: Callable[..., Path], fails: Callable[..., str]) -> None:
    model = run("bert")
    lines = bpe("fill-mask", model, input=b"three <mask>\n\n<mask> low <mask>\n").stdout.decode().split("\n")
    assert len(lines) >= 4
    found = rows(bpe("fill-mask", model, "three <mask>", "", "<mask> low <mask>", "--json"), "fill_mask")
    assert [len(row["masks"]) for row in found] == [1, 0, 2]
    best = bpe("fill-mask", model, "three <mask>", "--best", "2").stdout.decode().splitlines()
    assert [line.split("\t")[0] for line in best if "\t" in line][-2:] == ["1", "1"]
    assert "row 2 has no <mask>" in fails("fill-mask", model, "a <mask>", "b")
    # one space where one was written, whether the token in the gap has one or not
    (texts,) = zip(*[(row["filled"],) for row in found if row["masks"]], strict=True)
    assert texts[0].startswith("three ")
    assert "  " not in texts[0] + texts[1]


@pytest.mark.parametrize(
    ("family", "command", "options", "message"),
    [
        (
            "transformer",
            "translate",
            ("--length-penalty", "1000"),
            "--length-penalty 1000.0 (exponent) must be below 20",
        ),
        ("transformer", "translate", ("--length-penalty", "nan"), "--length-penalty nan (exponent) must be a finite"),
        (
            "transformer",
            "translate",
            ("--repetition-penalty", "inf"),
            "--repetition-penalty inf (factor) must be a finite",
        ),
        ("transformer", "translate", ("--n-best", "3", "--beam", "2"), "--n-best 3 is more than --beam 2 finds"),
        ("gpt", "generate", ("--temperature", "nan"), "--temperature nan (factor) must be a finite number"),
        ("gpt", "generate", ("--top-p", "inf"), "--top-p inf"),
        ("gpt", "generate", ("--max-new", "30"), "--max-new 30 is more than --max-len 24"),
        ("gpt", "translate", (), "use generate"),
        ("bert", "classify", (), "--task classification"),
        ("transformer", "fill-mask", (), "train one with family bert"),
    ],
)
def test_what_cannot_be_is_one_line(
    fails: Callable[..., str],
    run: Callable[..., Path],
    family: str,
    command: str,
    options: tuple[str, ...],
    message: str,
) -> None:
    assert message in fails(command, run(family), "three", *options)


def test_evaluate_counts_and_refuses_rows(
    bpe: Run, run: Callable[..., Path], fails: Callable[..., str], tmp_path: Path
) -> None:
    table = tmp_path / "pairs.jsonl"
    pairs = [("three", "세"), (None, "x"), ("cats", " "), ("", ""), ("text", "텍")]
    table.write_text("".join(json.dumps({"en": en, "ko": ko, "more": ko}) + "\n" for en, ko in pairs))
    (score,) = json.loads(bpe("evaluate", run("transformer"), table, "--split", "train", "--json").stdout)
    assert (score["rows"], score["left_out"]) == (2, 3)
    assert score["signature"].startswith("nrefs:1|")
    assert "nc:6" in score["chrf_signature"]
    line = bpe("evaluate", run("transformer"), table, "--split", "train", "--reference", "more").stdout.decode()
    assert "3 without source or reference left out" in line
    assert "nrefs:2|" in line
    lists = tmp_path / "lists.jsonl"
    lists.write_text(json.dumps({"en": ["a"], "ko": "x"}) + "\n")
    message = fails("evaluate", run("transformer"), lists, "--split", "train")
    assert "row 1 of column 'en' is a list, not a text" in message
    blank = tmp_path / "blank.jsonl"
    blank.write_text(json.dumps({"en": " ", "ko": "x", "text": " "}) + "\n")
    assert "no row has text in 'en' and 'ko'" in fails("evaluate", run("transformer"), blank, "--split", "train")
    assert "holds no text to score" in fails("evaluate", run("gpt"), blank, "--split", "train")


def test_further_references_are_read_of_every_split_and_change_no_training_rows(
    run: Callable[..., Path], tmp_path: Path
) -> None:
    table = tmp_path / "pairs.csv"
    table.write_text("en,ko,more\n" + "".join(f"{n},{n},{n % 7}\n" for n in range(40)))
    folder = run("transformer")
    for names in itertools.permutations(("train[:3]", "validation")):
        scored = ScoredCorpora(
            str(folder), load_checkpoint_info(folder), None, names, {"corpus": [str(table)]}, None, ("more",)
        )
        splits = {split.name: split for split in scored.splits()}
        assert all(split.rows.column_names == ["en", "ko", "more"] for split in splits.values())
        assert len(splits["validation"].rows) == 2
        assert splits["validation"].num_trained_on == 0
        held_out = set(splits["validation"].rows["en"]) & {"0", "1", "2"}
        assert splits["train[:3]"].num_trained_on == 3 - len(held_out)
