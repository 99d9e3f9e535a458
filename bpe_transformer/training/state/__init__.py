"""The state of an unfinished run: what it is made of, the one file that holds it, and what a run has to agree in to go on."""

from bpe_transformer.training.run_files.file_names import STATE
from bpe_transformer.training.state.identity import check_same_run, run_identity
from bpe_transformer.training.state.run_state import RunState
from bpe_transformer.training.state.snapshots import SnapshotKeeper, load_snapshot, snapshot_steps
from bpe_transformer.training.state.state_file import (
    begin_run,
    forget_begun_run,
    given_settings,
    has_begun_only,
    load_run_settings,
    load_state,
    save_state,
)

__all__ = [
    "STATE",
    "RunState",
    "SnapshotKeeper",
    "begin_run",
    "check_same_run",
    "forget_begun_run",
    "given_settings",
    "has_begun_only",
    "load_run_settings",
    "load_snapshot",
    "load_state",
    "run_identity",
    "save_state",
    "snapshot_steps",
]
