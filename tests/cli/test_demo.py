"""The demo is real: with seconds instead of minutes of training it goes the same way from end to end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_the_whole_way(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("bpe-transformer")), "demo", "-o", str(tmp_path / "demo")]
    short = ["--translation-minutes", "0.05", "--language-minutes", "0.05"]
    done = subprocess.run([*command, *short], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "e s ×9 ◂ winner" in done.stdout
    assert "exact match" in done.stdout
    assert "bits a byte" in done.stdout
    assert "def __init__(self, " in done.stdout
    assert "decoder-to-encoder attention" in done.stdout
    assert "demo finished in" in done.stderr
    made = {path.name for path in (tmp_path / "demo").iterdir()}
    pages = {"numbers-tokenizer.html", "numbers.html", "language.html"}
    assert made == {"numbers-tokenizer", "prepared", "numbers", "stdlib-tokenizer", "language"} | pages
    assert all((tmp_path / "demo" / page).as_uri() in done.stderr for page in pages)
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]
