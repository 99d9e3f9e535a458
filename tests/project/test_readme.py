"""The tour of the README, typed out from top to bottom in an empty folder: it prints what the README shows.

Blocks of `console` hold commands after `$ ` with their output below; blocks of `python` are followed by a block with theirs. A
line `…` stands for any lines, `…` within a line for anything. A comment before a block changes how it is run:

    <!-- tour: skip because REASON -->   not run
    <!-- tour: append OPTIONS -->        run with these options added to the first command, to make it short
    <!-- tour: figures vary -->          numbers need not be equal, words do
    <!-- tour: text varies -->           it has to succeed and print something
    <!-- tour: python-stdlib -->         equal where the standard library is the one of the README; elsewhere like the last

Several may stand in one comment, parted by `;`.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"(?:<!-- tour: (?P<rules>[^>]*) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)\n```", re.DOTALL)


@dataclass
class Step:
    """A command or a program of the tour, and what the README says that it prints."""

    code: str
    language: str
    rules: list[str]
    expected: str = ""
    printed: str = field(default="", init=False)

    def rule(self, name: str) -> str | None:
        return next((rule.removeprefix(name).strip() for rule in self.rules if rule.startswith(name)), None)


def steps(markdown: str) -> Iterator[Step]:
    """Every step of a text, in order."""
    program: Step | None = None
    for block in BLOCK.finditer(markdown):
        rules = [rule.strip() for rule in (block["rules"] or "").split(";") if rule.strip()]
        if program is not None:
            if not block["language"]:
                program.expected = block["text"]
            yield program
            program = None
        if block["language"] == "console":
            for number, (command, expected) in enumerate(commands(block["text"])):
                kept = [rule for rule in rules if not (rule.startswith("append") and number)]
                yield Step(command, "sh", kept, expected)
        elif block["language"] == "python":
            program = Step(block["text"], "python", rules)
        elif block["language"] == "sh":
            yield from (
                Step(line.partition("  #")[0], "sh", [*rules, "text varies"]) for line in block["text"].splitlines()
            )
    if program is not None:
        yield program


def commands(block: str) -> Iterator[tuple[str, str]]:
    """(command, expected output) of a block of `console`."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        yield command, expected


def agrees(expected: str, printed: str, figures_vary: bool) -> bool:
    """Whether what was printed is what was expected, where `…` stands for anything."""
    if figures_vary:
        expected, printed = (re.sub(r"[ ─]+", " ", re.sub(r"\d[\d,.]*", "#", text)) for text in (expected, printed))
    lines = [line.rstrip() for line in expected.strip("\n").splitlines()]
    pattern = "\n".join("(.*\n)*.*" if line == "…" else re.escape(line).replace("…", ".*") for line in lines)
    return re.fullmatch(pattern, "\n".join(line.rstrip() for line in printed.strip("\n").splitlines())) is not None


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tour")


@pytest.fixture(scope="module")
def tour(folder: Path) -> list[Step]:
    """The steps of the README, as far as none fails."""
    environment = {
        name: value for name, value in os.environ.items() if name not in {"COLUMNS", "NO_COLOR", "FORCE_COLOR"}
    }
    environment |= {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HF_HUB_OFFLINE": "1",
        "PYTHONUNBUFFERED": "1",  # so that both streams come in the order in which they were written
    }
    taken = []
    for step in steps(README):
        taken.append(step)
        if step.rule("skip because") is not None:
            continue
        code = f"{step.code} {step.rule('append') or ''}"
        command = (
            [sys.executable, "-c", step.code] if step.language == "python" else ["bash", "-euo", "pipefail", "-c", code]
        )
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
        )
        step.printed = done.stdout
        assert done.returncode == 0, f"{code}\n{done.stdout}"
    return taken


def is_the_stdlib_of_the_readme(tour: list[Step]) -> bool:
    """Whether the corpus python-stdlib, which is that of the machine, has as many bytes as in the README."""
    learned = next(step for step in tour if step.code.startswith("bpe-transformer learn python-stdlib"))
    shown, here = (re.search(r"([\d,]+) bytes", text) for text in (learned.expected, learned.printed))
    assert shown
    assert here
    return shown[0] == here[0]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_tour_prints_what_the_readme_shows(tour: list[Step]) -> None:
    assert len(tour) > 15
    same_stdlib = is_the_stdlib_of_the_readme(tour)
    wrong = []
    for step in tour:
        if step.rule("skip because") is not None:
            continue
        if step.rule("text varies") is not None or (step.rule("python-stdlib") is not None and not same_stdlib):
            good = bool(step.printed) or not step.expected  # a hardly trained model may write empty lines
        else:
            good = agrees(step.expected, step.printed, step.rule("figures vary") is not None)
        if not good:
            wrong.append(f"$ {step.code}\n{step.printed}\nbut the README shows\n{step.expected}")
    assert not wrong, "\n\n".join(wrong)


def visible_text(svg: str) -> str:
    return re.sub(r"<style>.*?</style>|<[^>]+>", "", svg, flags=re.DOTALL)


def pictures() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pictures", ROOT / "assets" / "pictures.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_pictures_are_what_the_commands_draw(
    tour: list[Step], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    pictures().draw_terminals(tmp_path)
    drawn = {path.name for path in tmp_path.iterdir()}
    assert drawn == {path.name for path in (ROOT / "assets").glob("*.svg")}
    stale = [
        name
        for name in sorted(drawn)
        if visible_text((tmp_path / name).read_text(encoding="utf-8"))
        != visible_text((ROOT / "assets" / name).read_text(encoding="utf-8"))
    ]
    assert not stale, f"run `make pictures`: {', '.join(stale)} show what the commands no longer print"


def test_the_readme_names_files_that_exist() -> None:
    named = re.findall(r"\]\((?!http)([^)#]+)\)", README) + re.findall(
        r"`((?:bpe_transformer|cli|corpora|tests)/[\w/.-]+)`", README
    )
    assert len(named) > 10
    assert not [name for name in named if not (ROOT / name).exists()]


def test_the_rules_of_the_tour() -> None:
    markdown = """
<!-- tour: append --minutes 1; figures vary -->
```console
$ first a
loss 1.5
…
end
$ second
```
```python
print(1)
```

```
1
```
"""
    first, second, program = steps(markdown)
    assert (first.code, first.rule("append"), first.expected) == ("first a", "--minutes 1", "loss 1.5\n…\nend\n")
    assert (second.code, second.rule("append"), second.rule("figures vary"), second.expected) == (
        "second",
        None,
        "",
        "",
    )
    assert (program.code, program.expected) == ("print(1)", "1")
    assert agrees(first.expected, "loss 27,000\nand\nso on\nend\n", figures_vary=True)
    assert not agrees(first.expected, "loss 27,000\nend\n", figures_vary=False)
    assert agrees("a … c\n", "a b c  \n", figures_vary=False)
