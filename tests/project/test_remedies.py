"""Every option and command that a message names exists, in a command that can say it; the library's messages name none."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click

import bpe_transformer
from bpe_transformer.cli import cli
from bpe_transformer.cli.support.python_names import with_options

PACKAGE = "bpe_transformer"
TOP = Path(bpe_transformer.__file__).parents[1]
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
COMMAND = re.compile(r"(?<!this )(?<!of )\bbpe-transformer ([a-z][a-z-]+)")
CONTEXT = click.Context(cli)
COMMANDS = {name: command for name in cli.list_commands(CONTEXT) if (command := cli.get_command(CONTEXT, name))}


def module_of(path: Path) -> str:
    parts = path.relative_to(TOP).with_suffix("").parts
    return ".".join(parts if parts[0] == PACKAGE else (PACKAGE, *parts)).removesuffix(".__init__")


MODULES = {
    module_of(path): path
    for folder in (PACKAGE, "cli", "corpora")
    for path in sorted((TOP / folder).rglob("*.py"))
    if "_native" not in path.parts
}


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


@cache
def imported(module: str) -> frozenset[str]:
    """The modules of the package that a module imports, at once or in a function; of a folder all, for they load on first use."""
    found = set()
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    if MODULES[module].name == "__init__.py" and module != PACKAGE:
        found |= {name for name in MODULES if name.startswith(f"{module}.")}
    return frozenset(found & MODULES.keys())


@cache
def reached(command: str) -> frozenset[str]:
    """The modules that a command can load."""
    module = inspect.getmodule(inspect.unwrap(COMMANDS[command].callback))  # type: ignore[arg-type]
    assert module is not None
    found, left = {module.__name__}, [module.__name__]
    while left:
        new = imported(left.pop()) - found
        found |= new
        left += new
    return frozenset(found)


@cache
def options_of(command: str) -> frozenset[str]:
    params = COMMANDS[command].params
    return frozenset({"--help", *(text for param in params for text in (*param.opts, *param.secondary_opts))})


def texts(module: str) -> Iterator[tuple[int, str]]:
    """(line, text) of what a module can say on the command line."""
    for line, text, is_raised in written_texts(module):
        yield line, with_options(text) if is_raised else text


def written_texts(module: str) -> Iterator[tuple[int, str, bool]]:
    """(line, text, whether it is raised) of what a module can say: texts that name an option, and those of errors.

    What is filled in is "…".
    """
    tree = tree_of(module)
    raised = {id(inner) for node in ast.walk(tree) if isinstance(node, ast.Raise) for inner in ast.walk(node)}
    passed: set[int] = set()  # docstrings, and what belongs to a text that was found
    for node in ast.walk(tree):
        text = None
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            passed.add(id(node.value))
        elif isinstance(node, ast.JoinedStr):
            passed |= {id(part) for part in node.values}
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in passed:
            text = node.value
        if (
            isinstance(node, ast.expr)
            and text is not None
            and " " in text
            and (id(node) in raised or "--" in text or "bpe-transformer" in text)
        ):
            yield node.lineno, text, id(node) in raised


def test_every_option_and_command_that_a_message_names_exists() -> None:
    wrong, seen = [], 0
    for module, path in MODULES.items():
        sayers = [name for name in COMMANDS if module in reached(name)]
        for line, text in texts(module):
            place = f"{path.relative_to(TOP)}:{line}"
            wrong += [f"{place} names the command {name}" for name in COMMAND.findall(text) if name not in COMMANDS]
            named = [name for name in COMMANDS if re.search(rf"\b{name}\b", text)]
            for option in OPTION.findall(text):
                seen += 1
                if not any(option in options_of(name) for name in (*sayers, *named)):
                    wrong.append(
                        f"{place} names {option}, which {', '.join(sayers) or 'no command'} has not: {text:.90}"
                    )
    assert not wrong, "\n".join(wrong)
    assert seen > 300


# what the library writes for readers who type commands: pictures for the terminal, and files that say how to repeat a run
FOR_THE_COMMAND_LINE = re.compile(r"\.render\.|\.run_files\.model_card$|\.training\.run_record$")


def test_no_message_of_the_library_names_an_option() -> None:
    """Python's users know parameters; `with_options` puts options in their place for those of the command line."""
    wrong, seen = [], 0
    for module, path in MODULES.items():
        if module.startswith((f"{PACKAGE}.cli", f"{PACKAGE}.corpora")) or FOR_THE_COMMAND_LINE.search(module):
            continue
        for line, text, _ in written_texts(module):
            seen += 1
            if OPTION.search(text):
                wrong.append(f"{path.relative_to(TOP)}:{line}: {text:.90}")
    assert not wrong, "\n".join(wrong)
    assert seen > 300
