"""Pages of mapped files: let go of, and there again when they are read."""

from __future__ import annotations

import mmap
import re
import sys
from pathlib import Path

import pytest

from bpe_transformer.data.prepared.mapped_files import MappedFiles


def resident(path: Path) -> int:
    """Bytes of the file that are in the memory of this process."""
    found, here = 0, False
    for line in Path("/proc/self/smaps").read_text(encoding="utf-8", errors="replace").splitlines():
        if re.match("[0-9a-f]+-[0-9a-f]+ ", line):
            here = line.endswith(str(path))
        elif here and line.startswith("Rss:"):
            found += int(line.split()[1]) << 10
    return found


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads what Linux tells of the memory of a process")
def test_pages_that_were_read_are_let_go_of(tmp_path: Path) -> None:
    path, other = tmp_path / "rows.arrow", tmp_path / "other.arrow"
    for file in (path, other):
        file.write_bytes(bytes(range(256)) * 8192)
    maps = []
    for file in (path, other):
        with file.open("rb") as opened:
            maps.append(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ))
    content = [bytes(each) for each in maps]
    assert resident(path) == resident(other) == 2 << 20
    MappedFiles([path, tmp_path / "none"]).let_go()
    assert (resident(path), resident(other)) == (0, 2 << 20)
    assert [bytes(each) for each in maps] == content
    MappedFiles([]).let_go()
