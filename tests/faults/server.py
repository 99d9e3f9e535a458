"""Runs commands of the command line in forked children, under the shim, one after another: nothing is imported twice."""

from __future__ import annotations

import ctypes
import json
import os
import sys
from importlib import import_module
from pathlib import Path

import click
import datasets
import torch

from bpe_transformer import cli
from bpe_transformer.cli.support.console import run
from tests.faults import calls

# What commands import when they run, so that no child has to: public names of rooms, which load them.
_LAZY = ("tokenizer.formats", "inspection", "inspection.render", "inspection.html.report", "data", "data.prepared.prepare",
         "training", "training.train", "training.trainer", "tokenizer.files.encode_files", "tokenizer.files.id_writers",
         "inspection.curves", "inspection.render.curves.run_curves", "inspection.render.plots", "training.pruned_checkpoint", "inference.export",
         "tokenizer.store.flat_formats", "training.pretrained")  # fmt: skip


def work(request: dict[str, object], shim: ctypes.CDLL, answer: int) -> None:
    """One command, in the child."""
    folder = str(request["folder"])
    os.chdir(folder)
    log = os.open(str(request["log"]), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    datasets.config.HF_DATASETS_CACHE = Path(folder, "cache")
    torch.set_num_threads(1)
    sys.argv = ["bpe-transformer", *request["arguments"]]  # type: ignore[misc]
    is_call = sys.argv[1] == "call"  # of Python, for what no command does
    shim.fault_arm(request["at"], request["mode"], folder.encode())
    code: object = 0
    try:
        if is_call:
            calls.call(*sys.argv[2:])
        else:
            run(cli.cli)
    except SystemExit as stop:
        code = stop.code
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 70
    sys.stdout.flush()
    count = shim.fault_count()
    os.write(answer, str(count).encode())
    os._exit(code if isinstance(code, int) else 1 if code else 0)


def serve() -> None:
    shim = ctypes.CDLL(os.environ["LD_PRELOAD"])
    shim.fault_arm.argtypes = (ctypes.c_long, ctypes.c_int, ctypes.c_char_p)
    shim.fault_count.restype = ctypes.c_long
    for name in cli.COMMANDS:
        cli.cli.get_command(click.Context(cli.cli), name)
    for room in _LAZY:
        import_module(f"bpe_transformer.{room}")
    if os.environ.get("FAULTS"):
        from transformers import AutoModelForCausalLM  # noqa: F401
    torch.optim.AdamW([torch.zeros(1)])  # the first optimizer of a process imports much
    print("ready", flush=True)
    for line in sys.stdin:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            work(json.loads(line), shim, writing)
        os.close(writing)
        with os.fdopen(reading) as answer:
            count = answer.read()
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(json.dumps({"status": status, "count": int(count or 0)}), flush=True)


if __name__ == "__main__":
    serve()
