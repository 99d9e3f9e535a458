"""What is installed, and what a machine without a compiler is told."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    out = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        str(out),
    ]
    # in the build folder of the installation, where the core is compiled already
    subprocess.run([*command, str(ROOT)], check=True, cwd=out)
    return zipfile.ZipFile(next(out.glob("*.whl")))


def test_the_only_top_level_name_is_bpe_transformer(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"bpe_transformer"}


def test_the_wheel_holds_every_room_and_no_source_of_the_core(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    for room in ("tokenizer", "inspection", "data", "models", "training", "cli", "corpora"):
        assert f"bpe_transformer/{room}/__init__.py" in names
    assert "bpe_transformer/py.typed" in names
    assert any(name.startswith("bpe_transformer/_core.") and name.endswith((".so", ".pyd")) for name in names)
    assert {n for n in names if n.startswith("bpe_transformer/corpora/recipes/")} >= {
        f"bpe_transformer/corpora/recipes/{path.name}" for path in (ROOT / "corpora" / "recipes").glob("*.toml")
    }
    inspection = ROOT / "bpe_transformer" / "inspection"
    assets = [path for path in (inspection / "html" / "assets").rglob("*") if path.is_file()]
    assert {f"bpe_transformer/inspection/{path.relative_to(inspection).as_posix()}" for path in assets} <= set(names)
    assert not [name for name in names if name.endswith((".cpp", ".hpp", "CMakeLists.txt")) or "test" in name]


def test_the_wheel_has_its_command_and_licence(wheel: zipfile.ZipFile) -> None:
    info = next(name.split("/")[0] for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    assert "bpe-transformer = bpe_transformer.cli:main" in wheel.read(f"{info}/entry_points.txt").decode()
    assert any(name.startswith(f"{info}/") and name.endswith("LICENSE") for name in wheel.namelist())


def test_a_missing_compiler_says_what_to_install(tmp_path: Path) -> None:
    cmake = Path(sys.executable).with_name("cmake")
    ninja = Path(sys.executable).with_name("ninja")
    command = [str(cmake), "-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={ninja}", "-S", str(ROOT / "bpe_transformer/_native")]
    done = subprocess.run(
        [*command, "-B", str(tmp_path)], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "No C++ compiler found" in done.stderr
    assert "apt-get install g++" in " ".join(done.stderr.split())


def test_make_without_a_compiler_says_what_to_install(tmp_path: Path) -> None:
    for tool in ("sh", "bash", "python3", "make"):
        found = shutil.which(tool)
        if tool == "make" and found is None:
            pytest.skip("make is not installed")
        if found:
            (tmp_path / tool).symlink_to(found)
    command = [str(tmp_path / "make"), "check-compiler", "CXX=no-such-compiler", f"PYTHON={sys.executable}"]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "apt-get install g++" in done.stderr
