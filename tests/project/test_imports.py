"""The order of the packages: imports go in one direction only, without cycles.

Read from the source, so that imports inside functions and under `TYPE_CHECKING` count like those at the top of a file.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = "bpe_transformer"
SOURCES = {PACKAGE: ROOT / "bpe_transformer", f"{PACKAGE}.cli": ROOT / "cli", f"{PACKAGE}.corpora": ROOT / "corpora"}

# Lowest level first. A module imports from lower levels and from its own package, but from no other package of its level.
# The last level of a folder is its `__init__`, which re-exports the others.
LEVELS: dict[str, list[set[str]]] = {
    PACKAGE: [
        {"errors", "_core", "lazy"},
        {"io"},
        {"ledger"},
        {"corpora"},
        {"tokenizer"},
        {"data", "models"},
        {"training"},
        {"inference"},
        {"evaluation", "inspection"},
        {"studies"},
        {"__init__"},
        {"cli"},
        {"__main__"},
    ],
    f"{PACKAGE}.tokenizer": [
        {"splitting", "threads"},
        {"vocabulary"},
        {"encoding"},
        {"store"},
        {"formats", "counting", "files"},
        {"resizing"},
        {"file_methods"},
        {"tokenizer"},
        {"learning"},
        {"__init__"},
    ],
    f"{PACKAGE}.inspection": [
        {"base"},
        {"tokens"},
        {"derivation"},
        {"history", "comparison", "vocabulary", "attention", "curves"},
        {"lessons"},
        {"html", "render"},
        {"__init__"},
    ],
}
NATIVE_LEVELS = [
    {"base"},
    {"text"},
    {"rows"},
    {"simd"},
    {"attention"},
    {"splitting"},
    {"normalization"},
    {"merging"},
    {"counting"},
    {"encoding"},
    {"learning"},
    {"formats"},
    {"python"},
]


def modules() -> dict[str, Path]:
    """Every module of the package, under the name by which it is imported."""
    found = {}
    for name, folder in SOURCES.items():
        for path in folder.rglob("*.py"):
            if "_native" not in path.parts:
                found[".".join([name, *path.relative_to(folder).with_suffix("").parts])] = path
    return {name.removesuffix(".__init__"): path for name, path in found.items()}


MODULES = modules()


def resolved(name: str) -> str | None:
    """The module of ours that an import of `name` loads: `name` itself, or the module in which it is defined."""
    if name != PACKAGE and not name.startswith(f"{PACKAGE}."):
        return None
    if name == f"{PACKAGE}._core" or name.startswith(f"{PACKAGE}._core."):
        return f"{PACKAGE}._core"
    while name not in MODULES:
        name = name.rpartition(".")[0]
    return name


def imported_names(tree: ast.AST, module: str, is_folder: bool) -> Iterator[str]:
    """Whatever a file imports, anywhere in it, by its full name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = module.split(".")[: len(module.split(".")) - node.level + is_folder]
                base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            called = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            literal = node.args[0] if node.args else None
            if called == "import_module" and isinstance(literal, ast.Constant):
                yield str(literal.value)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"[\w.]+:\w+", node.value):
            folder = module if is_folder else module.rpartition(".")[0]
            if (named := f"{folder}.{node.value.partition(':')[0]}") in MODULES:  # "module:name", in tables
                yield named


def import_graph() -> dict[str, set[str]]:
    """Every module with the modules of the package that it imports."""
    graph = {}
    for module, path in MODULES.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = imported_names(tree, module, path.name == "__init__.py")
        graph[module] = {found for name in names if (found := resolved(name)) and found != module}
    return graph


GRAPH = import_graph()


def level(folder: str, module: str) -> tuple[int, str]:
    """The level of a module within a folder, and its package there."""
    package = module[len(folder) + 1 :].partition(".")[0] or "__init__"
    for number, packages in enumerate(LEVELS[folder]):
        if package in packages:
            return number, package
    raise AssertionError(f"{module} is in no package that LEVELS lists; enter {package} there")


def test_the_graph_sees_every_kind_of_import() -> None:
    source = """
import a.b
from a.c import d
from . import sibling
from ..above import thing
if TYPE_CHECKING:
    from a import typed
def function():
    from a import hidden
    importlib.import_module("a.literal")
"""
    names = set(imported_names(ast.parse(source), "top.package.module", is_folder=False))
    assert names == {"a.b", "a.c.d", "top.package.sibling", "top.above.thing", "a.typed", "a.hidden", "a.literal"}
    assert len(GRAPH) > 100
    assert f"{PACKAGE}._core" in GRAPH[f"{PACKAGE}.tokenizer.learning.learning_run"]


@pytest.mark.parametrize("folder", LEVELS)
def test_imports_run_downwards(folder: str) -> None:
    wrong = []
    for module, imported in sorted(GRAPH.items()):
        if module != folder and not module.startswith(f"{folder}."):
            continue
        number, package = level(folder, module)
        for other in sorted(imported):
            if other != folder and not other.startswith(f"{folder}."):
                continue
            other_number, other_package = level(folder, other)
            if other_package != package and other_number >= number:
                wrong.append(f"{module} imports {other}")
    assert not wrong, "\n".join(wrong)


def test_models_know_no_other_package() -> None:
    lower = {f"{PACKAGE}.{package}" for package in ("errors", "lazy", "io", "_core", "models")}
    for module, imported in GRAPH.items():
        if module.startswith(f"{PACKAGE}.models"):
            assert {".".join(other.split(".")[:2]) for other in imported} <= lower, module


def test_no_circle() -> None:
    try:
        TopologicalSorter(GRAPH).prepare()
    except CycleError as error:
        pytest.fail("\n  imports ".join(reversed(error.args[1])))


def test_the_folders_of_the_core_include_downwards() -> None:
    numbers = {package: number for number, packages in enumerate(NATIVE_LEVELS) for package in packages}
    native = ROOT / "bpe_transformer" / "_native"
    wrong = []
    files = [path for path in native.rglob("*.[ch]pp")]
    assert len(files) > 50
    graph: dict[str, set[str]] = {}
    for path in files:
        package = path.relative_to(native).parts[0]
        for included in re.findall(r'^#include "(.+)"', path.read_text(encoding="utf-8"), re.MULTILINE):
            beside = path.parent / included
            other = (beside if beside.exists() else native / included).resolve().relative_to(native)
            graph.setdefault(str(path.relative_to(native)), set()).add(str(other))
            if other.parts[0] != package and numbers[other.parts[0]] >= numbers[package]:
                wrong.append(f"{path.relative_to(native)} includes {other}")
    assert not wrong, "\n".join(wrong)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail("\n  includes ".join(reversed(error.args[1])))


@pytest.mark.parametrize("module", ["bpe_transformer", "bpe_transformer.cli", "bpe_transformer.tokenizer"])
def test_importing_the_package_loads_nothing_heavy(module: str) -> None:
    heavy = {"torch", "datasets", "pyarrow", "pandas", "transformers", "ray"} | (
        {"click"} if "cli" not in module else set()
    )
    program = f"import sys; import {module}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not heavy & set(done.stdout.split())


def test_importing_the_tokenizer_loads_no_numpy() -> None:
    program = (
        "import sys; from bpe_transformer import Tokenizer; print(*{'numpy', 'regex', 'hashlib'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not done.stdout.split()
