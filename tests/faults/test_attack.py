"""A folder that everybody may write to, as two users: what a neighbour puts there is neither written through, nor removed.

Needs to be root, who becomes the neighbour ("nobody") for a while; the commands run as root, whose files are the prize.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from bpe_transformer.cli import cli
from bpe_transformer.io.workspaces import hidden_name
from tests.faults.writing import WRITING, arguments, output_name
from tests.faults.writing import inputs as write_inputs

NOBODY = 65534

pytestmark = pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0, reason="two users are needed, and only root can become another"
)


def as_neighbour(act: Callable[[], None]) -> None:
    """Runs `act` in a process of the other user, who owns what it makes."""
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            os.umask(0)
            act()
            os._exit(0)
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0


@pytest.fixture(scope="module")
def inputs() -> Iterator[Path]:
    """A folder that the neighbour can enter, which those of pytest are not."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in").mkdir()
        write_inputs(folder / "in")
        folder.chmod(0o755)
        yield folder


def plant(shared: Path, names: list[str], prize: Path) -> None:
    """Makes what a neighbour would beside an output: links, folders with links in them, and files."""

    def act() -> None:
        for number, name in enumerate(names):
            place = shared / name
            if number % 3 == 0:
                place.symlink_to(prize)
            elif number % 3 == 1:
                place.mkdir(mode=0o777)
                for inner in ("output", "ids.npy", "journal.jsonl", "tokenizer.json", "previous", "out", "new"):
                    (place / inner).symlink_to(prize)
            else:
                place.write_text("the neighbour's")

    as_neighbour(act)


def predictable(target: Path) -> list[str]:
    """Names that programs use for what is unfinished, and all of ours but for their random part."""
    name, hidden = target.name, hidden_name(target)
    old = [f".{name}.part", f"{name}.part", f".{name}.tmp", f"{name}.tmp", f".{name}.old", f".{name}.NAME.old", f"{name}.new",
           f".{name}.new", f".{name}.lock", f"{name}.lock", f".tmp{name}", f"{name}~", f".{name}.journal"]  # fmt: skip
    ours = [f"{hidden}.{fill * 32}" for fill in "0af"] + [f"{hidden}.resume.{fill * 32}" for fill in "1be"]
    return [*old, hidden, *ours, ".bpe-transformer", ".bpe-transformer-workspace"]


def tree_of(folder: Path, names: list[str]) -> dict[str, object]:
    """What is at names in a folder: kind, owner, mode and content, links not followed."""
    found: dict[str, object] = {}
    for name in names:
        place = folder / name
        for path in [place, *(sorted(place.iterdir()) if place.is_dir() and not place.is_symlink() else [])]:
            facts = path.lstat()
            content = path.read_bytes() if stat.S_ISREG(facts.st_mode) else ""
            target = os.readlink(path) if path.is_symlink() else ""
            found[str(path.relative_to(folder))] = (facts.st_mode, facts.st_uid, content, target)
    return found


@pytest.mark.parametrize("name", WRITING)
def test_a_neighbour_gains_nothing(inputs: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(inputs / "in")
    shared = inputs / f"shared {name}"
    shared.mkdir()
    shared.chmod(0o777)  # without the sticky bit: whoever comes may rename
    prize = inputs / f"prize {name}"
    prize.write_text("root's own")
    prize.chmod(0o600)
    target = shared / output_name(name)
    made = predictable(target)
    plant(shared, made, prize)
    before = tree_of(shared, made)
    for more in ([], ["--overwrite"]):
        done = CliRunner().invoke(cli, [*arguments(name, target), *more])
        assert done.exit_code == 0, (done.output, done.exception)
        assert prize.read_text() == "root's own"
        assert tree_of(shared, made) == before
        assert set(os.listdir(shared)) == {*made, target.name}
        for path in [target, *target.rglob("*")]:
            facts = path.lstat()
            assert facts.st_uid == 0, path
            assert not path.is_symlink(), path
            assert not facts.st_mode & 0o022, path


@pytest.mark.parametrize("kind", ["link", "folder", "file"])
def test_what_lies_in_the_place_of_a_lock_is_named_and_left(
    inputs: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.chdir(inputs)
    shared, prize = inputs / f"locks {kind}", inputs / f"prize of {kind}"
    shared.mkdir()
    shared.chmod(0o777)
    lock = shared / f"{hidden_name(shared / 'out')}.lock"

    def act() -> None:
        if kind == "link":
            lock.symlink_to(prize)
        elif kind == "folder":
            lock.mkdir()
        else:
            lock.write_text("mine")

    as_neighbour(act)
    before = tree_of(shared, [lock.name])
    done = CliRunner().invoke(cli, ["export", "in/tok", "-o", str(shared / "out"), "--format", "tiktoken"])
    assert "cannot be locked" in str(done.exception)
    assert str(lock) in str(done.exception)
    assert not prize.exists()
    assert os.listdir(shared) == [lock.name]
    assert tree_of(shared, [lock.name]) == before


def test_an_output_of_a_neighbour_that_is_a_link_into_a_folder_of_ones_own(
    inputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link in the place of the output itself is followed, as `>` of a shell does, but never without --overwrite."""
    monkeypatch.chdir(inputs)
    shared, prize = inputs / "links", inputs / "precious.json"
    shared.mkdir()
    shared.chmod(0o777)
    prize.write_text("root's own")
    as_neighbour(lambda: (shared / "out.json").symlink_to(prize))
    digest = hashlib.sha256(prize.read_bytes()).hexdigest()
    done = CliRunner().invoke(cli, ["export", "in/tok", "-o", str(shared / "out.json")])
    assert isinstance(done.exception, FileExistsError)
    assert hashlib.sha256(prize.read_bytes()).hexdigest() == digest


def test_a_neighbour_cannot_enter_a_workspace(inputs: Path) -> None:
    from bpe_transformer.io import atomic_directory

    shared = inputs / "private"
    shared.mkdir()
    shared.chmod(0o777)

    def act(place: Path) -> None:
        with pytest.raises(PermissionError):
            os.listdir(place)
        with pytest.raises(PermissionError):
            (place / "out" / "more").symlink_to("/etc/passwd")

    with atomic_directory(shared / "out") as new:
        (new / "file").write_text("root's own")
        as_neighbour(lambda: act(new.parent))
    assert (shared / "out" / "file").read_text() == "root's own"
