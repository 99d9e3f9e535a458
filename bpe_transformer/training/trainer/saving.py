"""What a run saves and goes on with: weights, optimizer, averages, the best ones and the last ones, and how far it is."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bpe_transformer.data import BatchSource
from bpe_transformer.errors import CheckpointError, FormatError
from bpe_transformer.io import Node, damage_named, shown, sync_tree
from bpe_transformer.training.averaging import WeightAverage
from bpe_transformer.training.config import Settings
from bpe_transformer.training.engine import Engine
from bpe_transformer.training.engine.precision import load_scaler_state
from bpe_transformer.training.engine.sharding import copy_into, divided_like, load_shards, save_shards, whole
from bpe_transformer.training.optimizers import STATE_SHAPES, Optimizer, load_optimizer_tensors, optimizer_tensors
from bpe_transformer.training.state import RunState, check_same_run, load_state, save_state
from bpe_transformer.training.state.state_file import RESTART, SHARDS

Weights = dict[str, Tensor]


class RunFile:
    """The state of a run in one file, and of divided weights in a folder beside it that the file names.

    Attributes:
        best, snapshots: whole weights on the CPU: the best so far, and those of the last validations by their steps.
    """

    def __init__(
        self,
        path: Path,
        engine: Engine,
        named: Mapping[str, Tensor],
        optimizer: Optimizer,
        average: WeightAverage | None,
        identity: Mapping[str, Any],
    ) -> None:
        self.path = path
        self.best: Weights = {}
        self.snapshots: dict[int, Weights] = {}
        self._engine, self._named, self._optimizer, self._average = engine, named, optimizer, average
        self._identity = dict(identity)
        self._shards: str | None = None

    def whole_weights(self) -> Weights:
        """A copy of the weights on the CPU; every process has to ask for it."""
        return {name: whole(value.detach()).to("cpu", copy=True) for name, value in self._named.items()}

    @contextmanager
    def weights(self, weights: Mapping[str, Tensor]) -> Iterator[None]:
        """The model with these weights while the block runs."""
        before = {name: value.detach().clone() for name, value in self._named.items()}
        self._set(weights)
        try:
            yield
        finally:
            self._set(before)

    @contextmanager
    def averaged_weights(self) -> Iterator[None]:
        """The model with the average of its weights while the block runs, if the run keeps one."""
        if self._average is None:
            yield
            return
        with self.weights(self._average.weights):
            yield

    @torch.no_grad()
    def _set(self, weights: Mapping[str, Tensor]) -> None:
        for name, value in self._named.items():
            source = weights[name]
            if getattr(source, "device_mesh", None) is None:
                copy_into(value, source)
            else:
                value.copy_(source)

    def _training_tensors(self) -> Weights:
        """What the next step needs, divided as it is."""
        tensors = {f"model.{name}": value.detach() for name, value in self._named.items()}
        states = optimizer_tensors(self._optimizer, self._named)
        tensors |= {f"optimizer.{name}": value for name, value in states.items()}
        if self._average is not None:
            tensors |= {f"average.{name}": value for name, value in self._average.weights.items()}
        return tensors

    def save(self, state: RunState, settings: Settings) -> None:
        """Replaces the file in one step; what it no longer names is removed afterwards. All processes call it."""
        engine = self._engine
        training, shards = self._training_tensors(), None
        facts: dict[str, Any] = {}
        if engine.shard:
            shards = f"step-{state.step}" if self._shards != f"step-{state.step}" else f"step-{state.step}-again"
            self._save_shards(training, self.path.parent / SHARDS / shards)
            facts = {"shards": shards, "in_shards": {name: list(value.shape) for name, value in training.items()}}
            training = {}
        if engine.processes.is_first:
            tensors = {name: value.cpu() for name, value in training.items()}
            tensors |= {f"best.{name}": value for name, value in self.best.items()}
            for step, weights in self.snapshots.items():
                tensors |= {f"snapshot.{step}.{name}": value for name, value in weights.items()}
            facts |= {"settings": settings.to_dict(), "identity": self._identity, "state": state.to_dict()}
            save_state(self.path, tensors, {**facts, "scaler": engine.scaler.state_dict()})
            for folder in (self.path.parent / SHARDS).glob("step-*"):
                if folder.name != shards:
                    shutil.rmtree(folder)
        self._shards = shards
        engine.processes.wait()

    def _save_shards(self, tensors: Weights, folder: Path) -> None:
        processes = self._engine.processes
        if processes.is_first:
            shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed before it named it
        processes.wait()
        save_shards(tensors, folder)
        processes.wait()
        if processes.is_first:
            sync_tree(folder)

    def load(self, settings: Settings, train: BatchSource[Any]) -> RunState | None:
        """Everything as it was saved; None where the run had begun, but not yet saved anything.

        Raises:
            CheckpointError: the file is damaged, of another version, or of a run with other settings or data.
        """
        tensors, facts = load_state(self.path)
        if facts.get("begun"):
            return None
        with damage_named(self.path, RESTART, CheckpointError):
            check_same_run(Node(facts).child("identity").value, self._identity)
        with damage_named(self.path, RESTART, CheckpointError, RuntimeError):
            state = RunState.from_node(Node(facts).child("state"))
            _check_position(state, train)
            if facts.get("shards"):
                self._shards = _shards_name(Node(facts).get("shards", str))
                tensors |= self._load_shards(Node(facts).child("in_shards"))
            self._load(tensors, state)
            load_scaler_state(self._engine.scaler, Node(facts).child("scaler"))
        return state

    def _load_shards(self, shapes: Node) -> Weights:
        """The tensors of the folder, divided among the processes of this run."""
        found: Weights = {}
        for name in shapes.value:
            parameter, shape = self._named.get(_parameter_name(name)), shapes.numbers(name)
            if parameter is None or shape not in ((), tuple(parameter.shape)):
                raise FormatError(f"{name} of shape {shape} does not fit the model")
            found[name] = torch.zeros_like(parameter.detach()) if shape else torch.zeros(())
        folder = self.path.parent / SHARDS / str(self._shards)
        if not folder.is_dir():
            raise FormatError(f"{folder} is missing")
        load_shards(found, folder)
        return found

    @torch.no_grad()
    def _load(self, tensors: Weights, state: RunState) -> None:
        self._set_checked(self._of(tensors, "model."), "model")
        states = self._of(tensors, "optimizer.")
        placed = {}
        for name, value in states.items():
            parameter = self._named.get(_parameter_name(f"optimizer.{name}"))
            placed[name] = value if parameter is None else divided_like(value, parameter)
        load_optimizer_tensors(self._optimizer, self._named, placed)
        if self._average is not None:
            found = self._of(tensors, "average.")
            self._check(found, "average")
            self._average.weights = {name: divided_like(found[name], value) for name, value in self._named.items()}
        self.best = self._of(tensors, "best.")
        if state.best:
            self._check(self.best, "best")
        self.snapshots = {step: self._of(tensors, f"snapshot.{step}.") for step in state.snapshots}
        for step, weights in self.snapshots.items():
            self._check(weights, f"snapshot.{step}")

    @staticmethod
    def _of(tensors: Weights, prefix: str) -> Weights:
        return {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}

    def _set_checked(self, weights: Weights, kind: str) -> None:
        self._check(weights, kind)
        self._set(weights)

    def _check(self, weights: Weights, kind: str) -> None:
        """`FormatError` unless names and shapes are those of the model, and all values finite."""
        wrong = [name for name, value in self._named.items() if weights.get(name, value[:0]).shape != value.shape]
        wrong += [name for name in weights if name not in self._named]
        if wrong:
            raise FormatError(f"{kind}.{wrong[0]} does not fit the model")
        for name, value in weights.items():
            if not bool(whole(value).isfinite().all()):
                raise FormatError(f"{kind}.{name} holds values that are not finite")


def _parameter_name(name: str) -> str:
    """Of a tensor of the state: "optimizer.exp_avg.head.weight" belongs to "head.weight"."""
    kind, _, rest = name.partition(".")
    if kind == "optimizer":
        key, _, rest = rest.partition(".")
        if key not in STATE_SHAPES:
            raise FormatError(f"{shown(name)} is no state of an optimizer")
    return rest


def _shards_name(name: str) -> str:
    """The name of the folder of a state, which is not to lead elsewhere."""
    if re.fullmatch(r"step-\d+(-again)?", name) is None:
        raise FormatError(f"shards is {shown(name)}, not the name of a folder of weights")
    return name


def _check_position(state: RunState, train: BatchSource[Any]) -> None:
    """`FormatError` when the run is said to be where its data does not reach."""
    batches = train.num_batches(0)
    if state.epoch > state.step or state.step > (state.epoch + 1) * 2 * batches or state.batch > 2 * batches:
        raise FormatError(f"step {state.step}, epoch {state.epoch}, batch {state.batch} is no place in the data")
    if state.batch and state.batch >= train.num_batches(state.epoch):
        raise FormatError(f"batch is {state.batch}, and epoch {state.epoch} has {train.num_batches(state.epoch)}")
