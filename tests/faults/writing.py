"""Every command that writes, in a line each, for the tests of what becomes of an output. They run in a folder of `inputs`."""

from __future__ import annotations

from pathlib import Path

from tests.faults.test_faults import MODEL, trained

_TINY = "--flops 1e8 --batch-ids 64 --seeds 1 --d-model 8 --n-layers 1 --n-heads 1 --d-ff 8 --max-len 8 --threads 1"
WRITING = {
    "ab": f"ab plain.txt --sizes 265,270 {_TINY} --svg {{out}}",
    "attention": "attention run one --svg {out}",
    "count": "count plain.txt -o {out}",
    "curve": "curve run --svg {out}",
    "learn": "learn plain.txt -o {out} --vocab-size 270",
    "lesson": "lesson masks --svg {out}",
    "export": "export tok -o {out} --format tiktoken",
    "export gpt2": "export tok -o {out} --format gpt2",
    "export a model": "export run -o {out} --format transformers",
    "import": "import tok -o {out}",
    "report": "report tok -o {out}",
    "prune": "prune tok --file plain.txt -o {out}",
    "prune a model": "prune --run run --file plain.txt -o {out}",
    "encode": "encode tok --file plain.txt -o {out}",
    "encode offsets": "encode tok one --format npy --offsets {out}",
    "prepare": "prepare a.en.txt,a.ko.txt --tokenizer tok --max-len 60 -o {out}",
    "prepare a flat file": "prepare plain.txt --tokenizer tok --format nanogpt -o {out}",
    "study": "study cost --lengths 16,32 --widths 16,32 -o {out}",
    "train": f"train a.en.txt,a.ko.txt --tokenizer tok {' '.join(MODEL)} --epochs 1 --threads 1 -o {{out}}",
}


def inputs(folder: Path) -> None:
    """What the commands read: texts, two tokenizers, two models."""
    trained(folder)


def output_name(name: str) -> str:
    """What a command may call its output; flat files have their suffix."""
    return "out.bin" if "flat" in name else "out"


def arguments(name: str, out: Path | str) -> list[str]:
    """The command line of a command that writes `out`."""
    return [part.format(out=out) for part in WRITING[name].split()]
