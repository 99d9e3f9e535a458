"""Builds the native core with sanitizers and tests it: once with ThreadSanitizer, once with the two for memory.

With ThreadSanitizer the core is linked with `native/thread_pools.cpp`, a program without Python that uses from many
threads whatever they share. With AddressSanitizer and UndefinedBehaviorSanitizer it runs the tokenizer's tests.

`make sanitize`, or `python tests/sanitize.py [pytest options]` for the latter only. Linux with GCC or Clang. Property tests run a tenth of
their examples, since everything takes several times as long. Leaks are not looked for: Python keeps memory to its end.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "sanitize"
PACKAGE = BUILD / "package" / "bpe_transformer"
LEFT_OUT = (
    "tests/tokenizer/splitting/test_scanner.py::test_every_code_point_has_the_classes_of_regex",  # slow, says nothing about memory
    "tests/tokenizer/encoding/test_sharing.py::test_a_fork_goes_on",  # a child waits for a lock of the sanitizer's own allocator
)
# what mostly other packages do, or Python; the core is handed no bytes there that other tests do not hand it
FILES_LEFT_OUT = (
    "tests/tokenizer/formats/test_sentencepiece.py",
    "tests/tokenizer/formats/test_public_shapes.py",
    "tests/tokenizer/files/test_encoded_files.py",
)
HEAVIEST = str(ROOT / "tests" / "tokenizer" / "encoding" / "test_encoder.py")  # takes as long as all others together
PROCESSES = max(2, min(os.cpu_count() or 1, 4))
EXAMPLES = 0.1  # of those of property tests


def compile_core(folder: Path, *options: str) -> None:
    configure = ["cmake", "-S", str(ROOT / "bpe_transformer" / "_native"), "-B", str(folder), "-G", "Ninja"]
    subprocess.run([*configure, "-DCMAKE_BUILD_TYPE=None", *options], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", str(folder)], check=True)


def run_thread_pools() -> None:
    """Builds and runs the program; ends this one if it finds a data race or a wrong result."""
    folder = BUILD.with_name("sanitize-threads")
    compile_core(folder, "-DSANITIZE=thread")
    # ThreadSanitizer maps its memory at fixed addresses, which randomized ones may overlap
    setarch = ["setarch", "-R"] if shutil.which("setarch") else []
    environment = {**os.environ, "TSAN_OPTIONS": "halt_on_error=1"}
    if code := subprocess.run([*setarch, str(folder / "thread_pools")], env=environment).returncode:
        sys.exit(f"thread_pools ended with exit code {code}")


def build() -> Path:
    """Builds the core and lays it among links to the library's files; returns the compiler."""
    import nanobind

    python = f"-DPython_EXECUTABLE={sys.executable}"
    compile_core(BUILD, "-DSANITIZE=ON", python, f"-Dnanobind_DIR={nanobind.cmake_dir()}")
    shutil.rmtree(PACKAGE, ignore_errors=True)
    PACKAGE.mkdir(parents=True)
    core = next(BUILD.glob("_core*.so"))
    sources = [path for path in (ROOT / "bpe_transformer").iterdir() if path.suffix != ".so"]
    for path in [*sources, ROOT / "cli", ROOT / "corpora", core]:
        (PACKAGE / path.name).symlink_to(path)
    cache = (BUILD / "CMakeCache.txt").read_text(encoding="utf-8")
    found = re.search(r"^CMAKE_CXX_COMPILER:\w+=(.+)$", cache, re.MULTILINE)
    if found is None:
        sys.exit("CMake names no C++ compiler")
    return Path(found.group(1))


def runtimes(compiler: Path) -> str:
    """The sanitizers' libraries, which have to be in a process before Python is."""

    def find(name: str) -> str | None:
        said = subprocess.run([compiler, f"-print-file-name={name}"], capture_output=True, text=True, check=True)
        path = said.stdout.strip()
        return path if Path(path).is_absolute() else None

    machine = os.uname().machine
    for names in (("libasan.so", "libubsan.so"), (f"libclang_rt.asan-{machine}.so",), ("libclang_rt.asan.so",)):
        if all(found := [find(name) for name in names]):
            return " ".join([*map(str, found), find("libstdc++.so") or ""]).strip()
    sys.exit(
        f"{compiler} has no shared AddressSanitizer; install its runtime (Debian: libasan, or clang's compiler-rt)"
    )


def run(arguments: list[str]) -> int:
    """The tests, in a process that has the sanitizers in it."""
    import pytest

    # an editable installation puts its own core before every other; here the one in PACKAGE is meant
    sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__name__ != "ScikitBuildRedirectingFinder"]
    sys.path.insert(0, str(PACKAGE.parent))
    from bpe_transformer import _core

    if not str(_core.__file__).startswith(str(BUILD)):
        sys.exit(f"the core is {_core.__file__}, not the one built for this")

    left_out = [f"--deselect={test}" for test in LEFT_OUT]
    return int(pytest.main(["-q", "-p", "no:cacheprovider", f"--examples={EXAMPLES}", *left_out, *arguments]))


def main() -> None:
    if sys.argv[1:2] == ["--inside"]:
        sys.exit(run(sys.argv[2:]))
    if not sys.argv[1:]:
        run_thread_pools()
    preload = runtimes(build())
    for report in BUILD.glob("report.*"):
        report.unlink()
    log = f"log_path={BUILD / 'report'}"  # pytest keeps standard error to itself, and an abort would take it along
    environment = {
        **os.environ,
        "LD_PRELOAD": preload,
        "ASAN_OPTIONS": f"detect_leaks=0:strict_string_checks=1:{log}",
        "UBSAN_OPTIONS": f"print_stacktrace=1:halt_on_error=1:{log}",
        "PYTHONMALLOC": "malloc",
    }
    files = sorted(map(str, (ROOT / "tests" / "tokenizer").rglob("test_*.py")))
    files = [file for file in files if not file.endswith(FILES_LEFT_OUT)]
    files.remove(HEAVIEST)
    shares = (
        [sys.argv[1:]] if sys.argv[1:] else [[HEAVIEST], *(files[i :: PROCESSES - 1] for i in range(PROCESSES - 1))]
    )
    inside = [sys.executable, str(Path(__file__)), "--inside"]
    runs = [subprocess.Popen([*inside, *share], env=environment, cwd=ROOT) for share in shares]
    codes = [process.wait() for process in runs]
    for report in sorted(BUILD.glob("report.*")):
        print(report.read_text(encoding="utf-8", errors="replace"), file=sys.stderr)
    sys.exit(max(map(abs, codes)))


if __name__ == "__main__":
    main()
