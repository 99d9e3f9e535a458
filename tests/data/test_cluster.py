"""Encoding, preparing and counting on a Ray cluster of two machines, of which one is lost: the result is that of one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import datasets
import fsspec
import pytest

from bpe_transformer import PretokenCounts, Pretokenizer, Tokenizer, TokenStore
from bpe_transformer.data import prepare_language_model
from bpe_transformer.data.cluster_encoding import encode_files_on_cluster
from bpe_transformer.data.counting.cluster_counts import ClusterCounting, count_on_cluster
from bpe_transformer.errors import ConfigError
from bpe_transformer.tokenizer.files import FileOptions
from bpe_transformer.tokenizer.store.shared_store import fetch_store

ray = pytest.importorskip("ray")
TEXT = "".join(f"one two {number} three\n\nfour 하나 둘 {number % 7}\r\n" for number in range(4_000))


Losing = Callable[[], Callable[..., None]]


@pytest.fixture
def losing() -> Iterator[Losing]:
    """A cluster; `losing()` adds a second machine to it, and gives a function that loses it when it is called for the third time."""
    from ray.cluster_utils import Cluster

    of_each = {"num_cpus": 1, "object_store_memory": 80 << 20}
    cluster = Cluster(initialize_head=True, head_node_args={**of_each, "include_dashboard": False})
    ray.init(address=cluster.address, log_to_driver=False, logging_level="error")
    counts: list[list[int]] = []

    def add() -> Callable[..., None]:
        machine, calls = cluster.add_node(**of_each), [0]
        counts.append(calls)

        def count(*_: Any) -> None:
            calls[0] += 1
            if calls[0] == 3:
                cluster.remove_node(machine, allow_graceful=False)

        return count

    yield add
    ray.shutdown()
    cluster.shutdown()
    assert min(calls for (calls,) in counts) > 3  # it was lost in the middle, each time


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_machine_lost_in_the_middle_changes_nothing(losing: Losing, tokenizer: Tokenizer, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(TEXT, newline="", encoding="utf-8")
    (tmp_path / "b.txt").write_text("last", encoding="utf-8")
    files = [tmp_path / "a.txt", tmp_path / "b.txt"]
    encoding = FileOptions(documents="line", unit_bytes=20_000)
    out = tmp_path / "many"
    encode_files_on_cluster(tokenizer, files, out, encoding, cluster="auto", progress=losing())
    one = tokenizer.encode_files(files, tmp_path / "one", documents="line", unit_bytes=20_000)
    many = TokenStore.load(out, tokenizer)
    assert (many.sha256, many.ledger) == (one.sha256, one.ledger)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []

    counting = ClusterCounting(Pretokenizer("gpt2"), documents="line", unit_bytes=5_000)
    facts = count_on_cluster(files, tmp_path / "counts.parquet", counting, cluster="auto", progress=losing())
    alone = PretokenCounts.from_files(files, "gpt2", documents="line")
    assert dict(PretokenCounts.load(tmp_path / "counts.parquet").items()) == dict(alone.items())
    assert (facts["num_documents"], facts["num_bytes"]) == (alone.num_documents, alone.num_bytes)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []

    rows = datasets.Dataset.from_dict({"text": TEXT.split("\n")})
    how: dict[str, Any] = {"unit_bytes": 20_000}
    spread = prepare_language_model(rows, tokenizer, out=tmp_path / "rows", cluster="auto", progress=losing(), **how)
    here = prepare_language_model(rows, tokenizer, out=tmp_path / "here", **how)
    assert (spread.sha256, spread.ledger) == (here.sha256, here.ledger)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []

    url = f"file://{tmp_path}/remote"
    encode_files_on_cluster(tokenizer, [f"file://{tmp_path}/a.txt"], url, encoding, cluster="auto")
    fetch_store(url, tmp_path / "fetched")
    assert TokenStore.load(tmp_path / "fetched", tokenizer).tolist() == one.tolist()[:-1]


@pytest.mark.slow
def test_a_cluster_on_this_machine_gives_the_same_ids_and_counts(tokenizer: Tokenizer, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(TEXT[:20_000], newline="", encoding="utf-8")
    ray.init("local", num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="error")
    try:
        options = FileOptions(documents="line", unit_bytes=8_000)
        encode_files_on_cluster(tokenizer, tmp_path / "a.txt", tmp_path / "many", options, cluster="auto")
        counting = ClusterCounting(Pretokenizer("gpt2"), documents="line", unit_bytes=8_000)
        count_on_cluster([tmp_path / "a.txt"], tmp_path / "counts.parquet", counting, cluster="auto")
    finally:
        ray.shutdown()
    one = tokenizer.encode_files(tmp_path / "a.txt", tmp_path / "one", documents="line", unit_bytes=8_000)
    many = TokenStore.load(tmp_path / "many", tokenizer)
    assert (many.sha256, many.ledger) == (one.sha256, one.ledger)
    alone = PretokenCounts.from_files([tmp_path / "a.txt"], "gpt2", documents="line")
    assert dict(PretokenCounts.load(tmp_path / "counts.parquet").items()) == dict(alone.items())


class InThisProcess:
    """Stands in the place of a cluster where units are to be stopped at a certain one."""

    def __init__(self, most: int) -> None:
        self.left = most

    def __call__(self, work: Callable[[int], Any], units: list[int], address: str) -> Iterator[tuple[int, Any]]:
        for unit in units:
            if not self.left:
                raise KeyboardInterrupt
            self.left -= 1
            yield unit, work(unit)


def test_a_stopped_driver_goes_on_at_a_url(
    tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe("/texts/a.txt", TEXT.encode())
    memory.pipe("/texts/b.jsonl", b'{"text": "one two"}\n')
    options = FileOptions(documents="line", unit_bytes=40_000)
    seen: list[int] = []

    def encode(most: int) -> None:
        monkeypatch.setattr("bpe_transformer.data.cluster_encoding.on_cluster", InThisProcess(most))
        encode_files_on_cluster(
            tokenizer, "memory://texts/a.txt", "memory://ids", options, cluster="ray", progress=lambda *now: seen.append(now[0])
        )  # fmt: skip

    for most in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            encode(most)
        assert not memory.exists("/ids/manifest.json")
    encode(100)
    assert seen == sorted(set(seen))  # no unit was done twice
    fetch_store("memory://ids", tmp_path / "ids")
    (tmp_path / "a.txt").write_text(TEXT, newline="", encoding="utf-8")
    one = tokenizer.encode_files(tmp_path / "a.txt", tmp_path / "one", documents="line", unit_bytes=40_000)
    assert TokenStore.load(tmp_path / "ids", tokenizer).sha256 == one.sha256

    counting = ClusterCounting(Pretokenizer("gpt2"), documents="line", unit_bytes=3_000)
    monkeypatch.setattr("bpe_transformer.data.counting.cluster_counts.connected", lambda _: nullcontext())
    for most in (3, 30, 200):
        monkeypatch.setattr("bpe_transformer.data.counting.cluster_counts.on_cluster", InThisProcess(most))
        if most < 100:
            with pytest.raises(KeyboardInterrupt):
                count_on_cluster(["memory://texts"], "memory://out/counts.parquet", counting, cluster="ray")
    count_on_cluster(["memory://texts"], "memory://out/counts.parquet", counting, cluster="ray")
    memory.get("/out/counts.parquet", str(tmp_path / "counts.parquet"))
    (tmp_path / "b.jsonl").write_bytes(b'{"text": "one two"}\n')
    alone = PretokenCounts.from_files([tmp_path / "a.txt", tmp_path / "b.jsonl"], "gpt2", documents="line")
    assert dict(PretokenCounts.load(tmp_path / "counts.parquet").items()) == dict(alone.items())
    assert memory.glob("/out/*") == ["/out/counts.parquet"]


def test_a_cluster_that_is_not_there(tokenizer: Tokenizer, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one")
    with pytest.raises(ConfigError, match="cluster='localhost:1' cannot be reached"):
        encode_files_on_cluster(tokenizer, tmp_path / "a.txt", tmp_path / "out", FileOptions(), cluster="localhost:1")
