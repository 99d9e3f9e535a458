"""Imported by the fork server: one tiny run, so that no process that is forked from it has to import what a run needs."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.training.runs.jobs import trainer_of

with tempfile.TemporaryDirectory() as folder:
    trainer_of("translation", Path(folder) / "run").run(resume=False)
