"""Work on units over the machines of a Ray cluster; nothing else here knows Ray.

Units are handed out as workers become free, and handed out again when their machine is lost. The driver holds no more than
the small results: text and ids go from where they lie to where they shall be.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from bpe_transformer.errors import BpeTransformerError, ConfigError

Result = TypeVar("Result")
_OBJECT_STORE = 128 << 20  # bytes of Ray's shared memory on a machine of our own; results are small
_AHEAD = 2  # units handed out for each core


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """Ray, connected to the cluster at `address` (`ray://host:10001`, `auto`), or with "ray" to one that this process starts.

    Raises `ConfigError` where Ray is not installed, or nothing answers there.
    """
    try:
        import ray
    except ImportError:
        raise ConfigError(
            f'cluster={address!r} needs Ray; install it with pip install "bpe-transformer[cluster]"'
        ) from None
    if ray.is_initialized():
        yield ray
        return
    _check_answers(address)
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
    try:
        if address == "ray":
            ray.init("local", include_dashboard=False, object_store_memory=_OBJECT_STORE, **quiet)
        else:
            ray.init(address, **quiet)
    except (ConnectionError, ValueError, RuntimeError) as cause:
        raise ConfigError(f"cluster={address!r} cannot be reached: {cause}; start it, or name ray") from None
    try:
        yield ray
    finally:
        ray.shutdown()


def _check_answers(address: str) -> None:
    """Raises `ConfigError` if nothing listens at `host:port`; Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdecimal():
        return
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except OSError as cause:
        raise ConfigError(f"cluster={address!r} cannot be reached: {cause}; start it, or name ray") from None


def on_cluster(work: Callable[[int], Result], units: Sequence[int], address: str) -> Iterator[tuple[int, Result]]:
    """(unit, its result) in the order in which they are done, on all cores of a cluster.

    `work` is sent once. A unit whose machine or process is lost is done again elsewhere; an error of `work` itself ends all.
    """
    with connected(address) as ray:
        if not units:
            return
        shared = ray.put(work)
        task = ray.remote(num_cpus=1, max_retries=-1)(_run)
        left = list(reversed(units))
        running: dict[Any, int] = {}
        try:
            while left or running:
                room = _AHEAD * max(int(ray.cluster_resources().get("CPU", 1)), 1)
                while left and len(running) < room:
                    unit = left.pop()
                    running[task.remote(shared, unit)] = unit
                done, _ = ray.wait(list(running), num_returns=1)
                for reference in done:
                    yield running.pop(reference), _result(ray, reference)
        finally:
            for reference in running:  # of an error, or of Ctrl-C
                ray.cancel(reference, force=True)


def _run(work: Callable[[int], Any], unit: int) -> Any:
    return work(unit)


def _result(ray: Any, reference: Any) -> Any:
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as failure:
        cause = failure.cause if isinstance(getattr(failure, "cause", None), BaseException) else failure
        if isinstance(cause, (BpeTransformerError, OSError)):
            raise cause from None
        raise BpeTransformerError(f"a task of the cluster failed: {type(cause).__name__}: {cause}") from cause
    except ray.exceptions.RayError as failure:
        raise BpeTransformerError(
            f"the cluster lost a task and could not do it again ({type(failure).__name__}); run the same again to go on"
        ) from None
