"""What a computation takes: CPU seconds, and the most memory that torch holds at once while it runs."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from torch.profiler import ProfilerActivity, profile

os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # torch's profiler tells of its own start and stop on standard error
_LEAST_SECONDS = 0.005  # of a measurement: a shorter call is repeated
_MOST_CALLS = 200


def cpu_seconds(work: Callable[[], object], repeats: int) -> float:
    """CPU seconds of a call, all threads together: the least of `repeats` measurements, after one call that warms up."""
    work()
    began = time.process_time()
    work()
    once = max(time.process_time() - began, 1e-7)
    calls = min(_MOST_CALLS, max(1, int(_LEAST_SECONDS / once)))
    found = []
    for _ in range(repeats):
        began = time.process_time()
        for _ in range(calls):
            work()
        found.append((time.process_time() - began) / calls)
    return min(found)


def peak_bytes(work: Callable[[], object]) -> int:
    """The most bytes that torch's allocator held on the CPU while `work` ran, beyond those that it held before."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True, acc_events=False) as found:
        kept = work()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "trace.json")
        found.export_chrome_trace(str(path))
        events = json.loads(path.read_text("utf-8"))["traceEvents"]
    del kept
    changes = [
        (event["ts"], event["args"]["Bytes"])
        for event in events
        if event.get("name") == "[memory]" and event["args"].get("Device Type") == 0
    ]
    held = most = 0
    for _, change in sorted(changes, key=lambda change: change[0]):
        held += change
        most = max(most, held)
    return most
