"""Training that starts from the weights of a run, or of a folder of `transformers`, with a fresh optimizer.

Weights go over by their names. The embedding goes over token by token, so that the vocabulary may be another one; a
head of another kind begins anew on the trunk.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from bpe_transformer.errors import BpeTransformerError, ConfigError
from bpe_transformer.io.printable import times
from bpe_transformer.tokenizer import Tokenizer
from bpe_transformer.training.checkpoint import CheckpointInfo, build_model, load_checkpoint, weights_of
from bpe_transformer.training.config import Settings
from bpe_transformer.training.pretrained.foreign_folder import is_transformers_folder, load_transformers

Weights = dict[str, Tensor]
InitialWeights = Callable[[CheckpointInfo, Tokenizer], Weights]
# options that may be others than in the run: no weight means something else by them
_FREE_OPTIONS = ("dropout", "attention_dropout", "max_len", "init")


@dataclass(frozen=True)
class Pretrained:
    """What training starts from: a model's weights, what it is, its tokenizer, and the folder that they came from."""

    source: str
    weights: Weights
    info: CheckpointInfo
    tokenizer: Tokenizer


@dataclass(frozen=True)
class Carried:
    """What went over into a new model.

    Attributes:
        num_kept: rows of the embedding whose token has equal bytes; None where the vocabulary is the same.
        num_averaged: rows of new tokens, each the mean of the rows of the ids that the old tokenizer writes for it.
        num_drawn: rows of new tokens that the old tokenizer cannot write.
        fresh: parameters of a head that begins anew.
    """

    source: str
    num_kept: int
    num_averaged: int = 0
    num_drawn: int = 0
    fresh: tuple[str, ...] = ()

    def __str__(self) -> str:
        rows = [f"{times(self.num_kept, 'row')} of the embedding as they were"]
        if self.num_averaged:
            rows.append(
                f"{self.num_averaged:,} new ones as the mean of the rows that the old tokenizer writes for them"
            )
        if self.num_drawn:
            rows.append(f"{self.num_drawn:,} new ones drawn, which the old tokenizer cannot write")
        head = f"; a fresh head ({times(len(self.fresh), 'parameter')})" if self.fresh else ""
        return f"starting from {self.source}: {', '.join(rows)}{head}"


def load_pretrained(directory: str | os.PathLike[str]) -> Pretrained:
    """A run, or a folder that `save_pretrained` wrote. Raises as `load_checkpoint` and `load_transformers` do."""
    load = load_transformers if is_transformers_folder(directory) else load_checkpoint
    model, info, tokenizer = load(Path(directory))
    return Pretrained(str(directory), weights_of(model), info, tokenizer)


def continued_settings(settings: Settings, start: Pretrained, changes: Mapping[str, object]) -> Settings:
    """`settings` for the model of `start`: its family and options, with `changes` to what may differ.

    Raises:
        ConfigError: `changes` ask for another family or another shape, or are wrong in themselves.
    """
    run = start.info.settings
    base = Settings(run.family, run.model, settings.training, settings.decoding)
    family = changes.get("family", run.family)
    if family != run.family:
        raise ConfigError(
            f"family={family!r} cannot start from {start.source}, which is of family {run.family}; leave it out"
        )
    chosen = base.override(changes)
    before, now = run.model.to_dict(), chosen.model.to_dict()
    if other := [
        f"{name}={now[name]!r} (there {before[name]!r})"
        for name in now
        if now[name] != before[name] and name not in _FREE_OPTIONS
    ]:
        raise ConfigError(f"a model that starts from {start.source} keeps its options; leave out {', '.join(other)}")
    return chosen


def starting_weights(start: Pretrained, info: CheckpointInfo, tokenizer: Tokenizer) -> tuple[Weights, Carried]:
    """Every parameter of a new model of `info` under `tokenizer`, from `start` where it has them.

    A head begins anew when the model is of another kind or has other labels; it is drawn from the seed of the settings.

    Raises:
        ConfigError: parameters do not fit, such as a longer table of learned positions.
    """
    torch.manual_seed(info.settings.training.seed)
    model = build_model(info)
    fresh = weights_of(model)
    same_head = start.info.task == info.task and start.info.labels == info.labels
    rows = rows_by_token(start.tokenizer, tokenizer)
    taken: Weights = {}
    for name, value in fresh.items():
        old = start.weights.get(name)
        if old is None or (name.startswith("head.") and not same_head):
            if not name.startswith("head."):
                raise ConfigError(f"{start.source} has no weights for {name}; it is not of the same shape")
            continue
        if _is_by_token(name, model):
            taken[name] = carried_rows(old, value, rows)
        elif old.shape == value.shape:
            taken[name] = old
        else:
            raise ConfigError(
                f"{name} has the shape {tuple(old.shape)} in {start.source} and {tuple(value.shape)} here; "
                "keep max_len as it is there"
            )
    new = [row for row in rows if not isinstance(row, int)]
    averaged = sum(bool(row) for row in new)
    return {**fresh, **taken}, Carried(
        start.source,
        len(rows) - len(new),
        averaged,
        len(new) - averaged,
        tuple(name for name in fresh if name not in taken),
    )


def _is_by_token(name: str, model: nn.Module) -> bool:
    """Whether a parameter has a row, or a number, for every id."""
    is_classifier = not hasattr(model.head, "weight")
    return name.endswith(".tokens.weight") or (not is_classifier and name in ("head.weight", "head.bias"))


def rows_by_token(old: Tokenizer, new: Tokenizer) -> list[int | list[int]]:
    """For every new id the old id of equal bytes, or, for a new token, the ids that the old tokenizer writes for it.

    A special token is compared with special tokens, by its text, else by its role. The list is empty for a token that
    the old tokenizer cannot write.
    """
    if old.digest == new.digest:
        return list(range(new.vocab_size))
    old_special, new_special = ({**found.model.added_tokens, **found.special_tokens} for found in (old, new))
    separate = set(old_special.values())
    by_bytes: dict[bytes, int] = {}
    for id, token in enumerate(old.model.decoded_bytes):
        if token and id not in separate:
            by_bytes.setdefault(token, id)
    of_role = {role: old_special[text] for role, text in old.roles if text in old_special}
    roles: dict[str, list[str]] = {}
    for role, token_text in new.roles:
        roles.setdefault(token_text, []).append(role)
    texts = {id: text for text, id in new_special.items()}
    found: list[int | list[int]] = []
    for id, token in enumerate(new.model.decoded_bytes):
        text = texts.get(id)
        if text is None:
            same = by_bytes.get(token) if token else None
        else:
            same = old_special.get(text, next((of_role[role] for role in roles.get(text, ()) if role in of_role), None))
        found.append(_written(old, token) if same is None else same)
    return found


def _written(old: Tokenizer, token: bytes) -> list[int]:
    """The ids that a tokenizer writes for bytes, which need not be UTF-8; none where it cannot write them."""
    if not token:
        return []
    try:
        return old.encode_ordinary(token.decode())
    except (UnicodeDecodeError, BpeTransformerError):
        pass
    # half a character is no text; a vocabulary with all bytes can write it nevertheless
    return old.codec.encode_pretokens([token]) if old.model.unit == "byte" and not old.model.lacks_bytes else []


def carried_rows(old: Tensor, fresh: Tensor, rows: list[int | list[int]]) -> Tensor:
    """(new ids, …) from (old ids, …): equal tokens bit for bit, means for new ones, `fresh` for those without any."""
    carried = fresh.clone()
    same = [(new, source) for new, source in enumerate(rows) if isinstance(source, int)]
    new_ids, old_ids = torch.tensor(same, dtype=torch.long).view(-1, 2).unbind(dim=1)
    carried[new_ids] = old[old_ids]
    for new, source in enumerate(rows):
        if not isinstance(source, int) and source:
            carried[new] = old[source].mean(dim=0)
    return carried


def from_run(
    start: Pretrained | str | os.PathLike[str], report: Callable[[Carried], object] | None = None
) -> InitialWeights:
    """What `train_model(…, initial=…)` takes to start from a run or a folder; `report` hears what went over."""
    loaded = start if isinstance(start, Pretrained) else load_pretrained(start)

    def initial(info: CheckpointInfo, tokenizer: Tokenizer) -> Weights:
        weights, carried = starting_weights(loaded, info, tokenizer)
        if report is not None:
            report(carried)
        return weights

    return initial
