"""Runs writing commands with a kill or an error at one file operation, and looks at what is left.

The commands run in children of one server process (`server.py`), into which a small library (`shim.c`) is loaded that counts
the operations and acts at one of them. It is built when the tests run, with the C compiler that the core needs as well.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
COUNT, KILL, FULL, BROKEN = range(4)
MODES = (KILL, FULL, BROKEN)
KILLED = -9
Tree = dict[str, str]


def build_shim(folder: Path) -> Path | None:
    """The library that counts and fails; None where it cannot be built."""
    compiler = shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc") or shutil.which("clang")
    if compiler is None or not sys.platform.startswith("linux"):
        return None
    library = folder / "shim.so"
    command = [compiler, "-O1", "-shared", "-fPIC", "-D_LARGEFILE64_SOURCE", str(HERE / "shim.c"), "-o", str(library)]
    subprocess.run([*command, "-ldl"], check=True, capture_output=True)
    return library


class Server:
    """A process that runs commands in children."""

    def __init__(self, library: Path) -> None:
        environment = {**os.environ, "LD_PRELOAD": str(library), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.server"],
            cwd=HERE.parents[1],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def run(self, folder: Path, arguments: Sequence[str], *, at: int = 0, mode: int = COUNT) -> tuple[int, int]:
        """The exit status of a command that works in `folder`, and how many file operations it did there."""
        request = {
            "folder": str(folder),
            "log": f"{folder}.log",
            "arguments": list(arguments),
            "at": at,
            "mode": mode,
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return answer["status"], answer["count"]

    def log(self, folder: Path) -> str:
        """What the last command that worked in `folder` wrote."""
        return Path(f"{folder}.log").read_text(errors="replace")

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


@dataclass(frozen=True)
class Scenario:
    """A writing command: what it reads is made by `setup`, an older output by `older`.

    `check` looks at the folder at any moment and raises if the output is mixed; where it is None, what the folder holds has
    to be exactly what was there before or what is there in the end.
    """

    name: str
    arguments: tuple[str, ...]
    setup: Callable[[Path], None]
    older: tuple[str, ...] = ()
    check: Callable[[Path], None] | None = None
    ignored: tuple[str, ...] = field(default=())  # files that differ between equal runs
    varying: tuple[str, ...] = field(default=())  # keys in JSON files whose values do
    in_short: bool = True  # whether it is among those of `make test`


def visible(folder: Path, scenario: Scenario) -> Tree:
    """What is in the outputs: no hidden files, no caches."""
    return {
        name: digest
        for name, digest in tree(folder, scenario.ignored, scenario.varying).items()
        if not any(part.startswith(".") for part in Path(name).parts) and not name.startswith("cache/")
    }


def tree(folder: Path, ignored: tuple[str, ...] = (), varying: tuple[str, ...] = ()) -> Tree:
    """The sum of every file, by name; of those that differ between equal runs only that they are there.

    The values of the keys `varying` are left out of the sums of JSON files.
    """
    found = {}
    values = re.compile(rf'("(?:{"|".join(varying)})": ?)(?:"[^"]*"|[^,}}\s]*)'.encode())
    for path in sorted(folder.rglob("*")):
        name = (
            re.sub("[0-9a-f]{32}", "#", path.relative_to(folder).as_posix()) if ".bpe" not in path.name else path.name
        )
        if path.is_file():
            varies = path.name in ignored or name.startswith("cache/")
            held = path.read_bytes()
            if varying and path.suffix in (".json", ".jsonl"):
                held = values.sub(rb"\1", held)
            found[name] = "" if varies else hashlib.sha256(held).hexdigest()[:12]
        elif path.is_dir() and path.name.startswith("."):
            found[name] = "folder"
    return found


@dataclass
class Case:
    """A scenario, fresh or over an older output: a prepared folder, and how many operations a whole run does."""

    server: Server
    scenario: Scenario
    template: Path
    work: Path
    before: Tree = field(default_factory=dict)
    after: Tree = field(default_factory=dict)
    files: Any = None
    operations: int = 0

    def prepare(self, *, over_older: bool) -> None:
        self.template.mkdir()
        self.scenario.setup(self.template)
        if over_older:
            status, _ = self.server.run(self.template, self.scenario.older)
            assert status == 0, self.server.log(self.template)
        self.copy()
        self.before = visible(self.work, self.scenario)
        status, self.operations = self.server.run(self.work, self.scenario.arguments)
        assert status == 0, self.server.log(self.work)
        self.after = visible(self.work, self.scenario)
        self.files = set(tree(self.work))

    def copy(self) -> None:
        shutil.rmtree(self.work, ignore_errors=True)
        shutil.copytree(self.template, self.work, symlinks=True)

    def interrupt(self, at: int, mode: int) -> None:
        """A run with a fault at operation `at`, and a next one."""
        self.copy()
        where = f"{self.scenario.name}, mode {mode}, operation {at} of {self.operations}"
        status, _ = self.server.run(self.work, self.scenario.arguments, at=at, mode=mode)
        log = self.server.log(self.work)
        assert status == KILLED if mode == KILL else status in (0, 1), (where, status, log)
        assert "Traceback" not in log, (where, log)
        found = visible(self.work, self.scenario)
        if self.scenario.check is not None:
            self.scenario.check(self.work)
        else:
            assert found in (self.before, self.after), (where, difference(found, self.before, self.after))
            assert status != 0 or found == self.after, (where, difference(found, self.before, self.after))
        status, _ = self.server.run(self.work, self.scenario.arguments)
        assert status == 0, (f"the run after {where}", self.server.log(self.work))
        found = visible(self.work, self.scenario)
        assert found == self.after, (f"the run after {where}", difference(found, self.before, self.after))
        left = set(tree(self.work)) - self.files
        assert not left, (f"left after {where}", left)


def difference(found: Tree, before: Tree, after: Tree) -> dict[str, Any]:
    """The files that are neither the old nor the new ones, or that are of both."""
    names = sorted({*found, *before, *after})
    return {name: (found.get(name), before.get(name), after.get(name)) for name in names if len({found.get(name), before.get(name), after.get(name)}) > 1}  # fmt: skip
