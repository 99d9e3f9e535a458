"""One tokenizer in many threads and processes: shared, forked, pickled."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.tokenizer.vocabulary.pickling import pack, unpack

TEXTS = [f"low {i} lower 한국어 {i * i} the newest\n" * (1 + i % 7) for i in range(300)]


def test_many_threads_share_one_object(mixed: Tokenizer) -> None:
    ids = [mixed.encode(text) for text in TEXTS]
    offsets = [mixed.encode_offsets(text)[1].tolist() for text in TEXTS]
    expected = mixed.encode_batch(TEXTS, 1).tolist()
    assert expected == ids
    fresh = Tokenizer(mixed.model)
    with ThreadPoolExecutor(8) as pool:
        batches = [pool.submit(fresh.encode_batch, TEXTS, 2) for _ in range(6)]
        assert list(pool.map(fresh.encode, TEXTS)) == ids
        assert list(pool.map(fresh.decode, ids)) == TEXTS
        assert [spans.tolist() for _, spans in pool.map(fresh.encode_offsets, TEXTS)] == offsets
        assert all(batch.result().tolist() == expected for batch in batches)


def test_a_fork_goes_on() -> None:
    """Children forked while other threads encode do the same work and end; with a lock held by a lost thread they would not."""
    program = textwrap.dedent(
        """
        import os, signal, threading, warnings
        from bpe_transformer import PretokenCounts, learn_bpe
        warnings.simplefilter("ignore", DeprecationWarning)  # Python says that forking with threads is dangerous
        tok = learn_bpe(PretokenCounts.from_words({"low": 5, "lower": 2, "newest": 6}), 300)
        texts = ["low lower newest " * 20] * 40
        expected = tok.encode_batch(texts, 2).tolist()
        stop = threading.Event()
        def work():
            while not stop.is_set():
                tok.encode_batch(texts, 2)
        threads = [threading.Thread(target=work, daemon=True) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(25):
            child = os.fork()
            if child == 0:
                signal.alarm(20)
                same = tok.encode_batch(texts, 2).tolist() == expected and tok.decode(expected[0]) == texts[0]
                os._exit(0 if same else 1)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        stop.set()
        for thread in threads:
            thread.join()
        print("done")
        """
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=100)
    assert (done.stdout, done.stderr) == ("done\n", "")


@pytest.mark.skipif(sys.platform != "linux", reason="limits the number of threads")
def test_a_system_without_threads_to_give() -> None:
    program = textwrap.dedent(
        """
        import os, resource
        from bpe_transformer import PretokenCounts, learn_bpe
        counts = PretokenCounts.from_words({"low": 5, "lower": 2, "newest": 6})
        tok = learn_bpe(counts, 300)
        texts = ["low lower newest " * 1000] * 200
        expected = tok.encode_batch(texts, 1).tolist()
        if os.getuid() == 0:
            os.setuid(65534)  # the superuser has no limits
        resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
        assert tok.encode_batch(texts, 16).tolist() == expected
        assert tok.encode_offsets_batch(texts, num_threads=16)[0].tolist() == expected
        PretokenCounts.from_iterator(texts, num_threads=16)
        print("done")
        """
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("done\n", "")


def test_pickle_keeps_everything(mixed: Tokenizer) -> None:
    for duplicate in (pickle.loads(pickle.dumps(mixed)), copy.deepcopy(mixed)):
        assert duplicate.digest == mixed.digest
        assert duplicate.trace == mixed.trace
        assert duplicate.encode("newest 한국어") == mixed.encode("newest 한국어")
        for field in fields(mixed.model):
            ours, theirs = getattr(mixed.model, field.name), getattr(duplicate.model, field.name)
            assert np.array_equal(ours, theirs) if isinstance(ours, np.ndarray) else ours == theirs, field.name


def test_pickle_keeps_the_bound_of_the_cache(mixed: Tokenizer) -> None:
    small = Tokenizer(mixed.model)
    small.cache_bytes = 1 << 20
    assert pickle.loads(pickle.dumps(small)).cache_bytes == copy.copy(small).cache_bytes == 1 << 20


def test_pickle_of_other_kinds(low_lower: Tokenizer, mixed: Tokenizer) -> None:
    marked = learn_bpe(PretokenCounts.from_words({"low": 5, "lower": 2}), 50, unit="char", end_of_word="</w>")
    odd = replace(
        mixed.model,
        left=mixed.model.left[::-1].copy(),
        right=mixed.model.right[::-1].copy(),
        merged_ids=mixed.model.merged_ids[::-1].copy(),
    )
    for tok in (low_lower, marked, Tokenizer(odd), learn_bpe(PretokenCounts.from_words({"a": 1}), 256)):
        assert pickle.loads(pickle.dumps(tok)).digest == tok.digest


def test_pickles_are_smaller_than_the_file(mixed: Tokenizer, tmp_path: Path) -> None:
    words = {
        f"{a}{b}{c}": 3 + len(a)
        for a in ("un", "re", "pre", "")
        for b in ("happi", "load", "view")
        for c in ("ness", "ed", "ing", "s")
    }
    tok = learn_bpe(PretokenCounts.from_words(words), 400)
    for tokenizer in (tok, mixed):
        (
            tokenizer.digest,
            tokenizer.model.decoded_bytes,
            tokenizer.model.widths,
            tokenizer.id_of(b"a"),
        )  # computed: not kept
        tokenizer.save(tmp_path)
        assert len(pickle.dumps(tokenizer)) < os.path.getsize(tmp_path / "tokenizer.json") / 2


@pytest.mark.parametrize("dtype", [np.uint8, np.uint32, np.uint64])
def test_packed_columns(dtype: type) -> None:
    top = np.iinfo(dtype).max
    for column in ([], [5], [0, top, 0, 1, top], list(range(100)), [3] * 50):
        array: np.ndarray[Any, Any] = np.array(column, dtype)
        assert np.array_equal(unpack(pack(array)), array)
        assert unpack(pack(array)).dtype == array.dtype
