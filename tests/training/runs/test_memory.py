"""The memory of a run over sentence pairs: batches of many shapes must not add up."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process is read where Linux has it")

# a run through the command line, whose peak is that of the process
RUN = """
import json, resource, sys
from bpe_transformer.cli import main
try:
    main()
finally:
    print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024))
"""


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_a_run_of_multi30ks_shape_stays_below_one_and_a_half_gigabytes(tmp_path: Path) -> None:
    """It took 3.6 GB: oneDNN kept a compiled product for each of hundreds of shapes, and freed memory was never given back."""
    draw = random.Random(1)
    words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(2, 9))) for _ in range(9_000)]
    weights = [1 / rank for rank in range(1, len(words) + 1)]  # Zipf's law
    for language in ("en", "de"):
        lines = [
            " ".join(draw.choices(words, weights, k=min(40, 4 + int(draw.gammavariate(3, 3))))) for _ in range(6_000)
        ]
        (tmp_path / f"a.{language}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    shape = "--vocab-size 6000 --d-model 128 --n-layers 4 --n-heads 4 --d-ff 512 --max-tokens 2048 --steps 300 --eval-steps 100"
    command = [
        sys.executable,
        "-c",
        RUN,
        "train",
        "a.en.txt,a.de.txt",
        "-o",
        "run",
        *shape.split(),
        "--precision",
        "bfloat16",
    ]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, env={**os.environ, "HF_HUB_OFFLINE": "1"}
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) < 1.5e9
