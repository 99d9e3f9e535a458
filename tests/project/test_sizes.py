"""How large a file, a function and a folder may be, and what every folder of the package says of itself."""

from __future__ import annotations

import ast
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE_FOLDERS = ("bpe_transformer", "cli", "corpora")
MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 60
MAX_FOLDER_FILES = 15

GENERATED_TABLES = {
    f"bpe_transformer/_native/{name}.hpp"
    for name in ("text/unicode_tables", "text/unicode_properties", "normalization/normalization_tables")
}
MIRRORS_THE_COMMANDS = {"cli/commands", "tests/cli"}  # one file for every command, which no one wants grouped


def files(*suffixes: str) -> list[Path]:
    """The files of ours that are source, by their suffix; no copies from elsewhere and nothing built."""
    found = []
    for folder in (*PACKAGE_FOLDERS, "tests", "assets", "examples"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in suffixes and not {"vendor", "__pycache__"} & set(path.parts):
                found.append(path)
    assert found
    return found


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def python_functions(source: str) -> Iterator[tuple[str, int]]:
    """Every function of a Python file with the number of lines from `def` to its end."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def without_text(source: str) -> str:
    """C++ with its comments, strings and characters blanked, so that every brace left is one of the language."""
    tokens = r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<!\w)\'(?:\\.|[^\'\\\n])+\''
    return re.sub(tokens, lambda found: "\n" * found[0].count("\n"), source, flags=re.DOTALL)


def native_functions(source: str) -> Iterator[tuple[str, int]]:
    """Every function of a C++ file with its lines: a brace after `)` that is in nothing but namespaces and classes."""
    source = re.sub(
        r"^#(?:[^\n]*\\\n)*[^\n]*", lambda found: "\n" * found[0].count("\n"), without_text(source), flags=re.M
    )
    scopes: list[tuple[bool, int, str]] = []  # is it a function; line of its head; the head
    start = 0
    for at, sign in ((found.start(), found[0]) for found in re.finditer(r"[{};]", source)):
        head = source[start:at]
        if sign == "{":
            inside = any(is_function for is_function, _, _ in scopes)
            is_scope = re.search(r"\b(namespace|class|struct|union|enum)\b[^()]*$", head) is not None
            first_line = source.count("\n", 0, start + len(head) - len(head.lstrip())) + 1
            scopes.append((not inside and not is_scope and "(" in head, first_line, head))
        elif sign == "}" and scopes:
            is_function, first_line, head = scopes.pop()
            if is_function:
                name = re.search(r"([\w:~]+)\s*\(", head)
                yield name[1] if name else head, source.count("\n", 0, at) + 1 - first_line + 1
        start = at + 1


def test_the_lines_of_native_functions() -> None:
    source = """
// a comment with a { brace
namespace bpe {
struct Word {
  int size() const { return 1; }  // }
  explicit Word(int n) : n_(n) {
    if (n) {
      auto twice = [](int x) { return 2 * x; };
    }
    const char brace = '{';
  }
  int n_{0};
};

template <class T>
T largest(const T* first,
          const T* last) {
  return *std::max_element(first, last);
}
constexpr int kTable[] = {1, 2, 3};
}  // namespace bpe
"""
    assert list(native_functions(source)) == [("size", 1), ("Word", 6), ("largest", 5)]


def test_no_file_is_too_long() -> None:
    long = {}
    for path in files(".py", ".pyi", ".cpp", ".hpp", ".js", ".css"):
        lines = path.read_text(encoding="utf-8").count("\n")
        if lines > MAX_FILE_LINES and named(path) not in GENERATED_TABLES:
            long[named(path)] = lines
    assert not long


def test_no_function_is_too_long() -> None:
    long = {}
    for path in files(".py", ".cpp", ".hpp"):
        functions = python_functions if path.suffix == ".py" else native_functions
        for name, lines in functions(path.read_text(encoding="utf-8")):
            if lines > MAX_FUNCTION_LINES:
                long[f"{named(path)}: {name}"] = lines
    assert not long


def test_no_folder_holds_too_many_files() -> None:
    folders = defaultdict(set)
    for path in files(".py", ".cpp", ".hpp", ".js"):
        if path.name != "__init__.py":
            folders[named(path.parent)].add(path.stem)  # a header and its source are one
    full = {folder: len(names) for folder, names in folders.items() if len(names) > MAX_FOLDER_FILES}
    assert set(full) <= MIRRORS_THE_COMMANDS, full


PACKAGES = sorted(
    {
        named(path.parent)
        for path in files(".py")
        if path.relative_to(ROOT).parts[0] in PACKAGE_FOLDERS and "_native" not in path.parts
    }
)


@pytest.mark.parametrize("folder", PACKAGES)
def test_every_folder_says_what_it_is_for(folder: str) -> None:
    source = (ROOT / folder / "__init__.py").read_text(encoding="utf-8")
    tree = ast.parse(source)
    said = ast.get_docstring(tree)
    assert said, f"{folder}/__init__.py has no docstring; say in one sentence what the folder is for"
    assert said.split("\n\n")[0].endswith("."), said
    imports = any(
        isinstance(node, ast.ImportFrom) and (node.module or "").startswith("bpe_transformer")
        for node in ast.walk(tree)
    )
    exports = any(isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__" for node in tree.body)
    assert exports or not imports, f"{folder}/__init__.py names what it re-exports in no __all__"


def test_nothing_strays_at_the_top_level() -> None:
    """What an example or a run leaves behind is not part of the project."""
    listed = subprocess.run(["git", "ls-files", "--", ":(glob)*"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a checkout of git")
    documents = {"CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md", "SECURITY.md"}
    settings = {".clang-format", ".clang-tidy", ".gitignore", "Makefile", "pyproject.toml"}
    assert set(listed.stdout.split()) <= documents | settings
