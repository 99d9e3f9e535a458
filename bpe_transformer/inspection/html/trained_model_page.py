"""One HTML file in which a trained model runs: its tokens, its attention in words, what it writes and why, its training.

    write_model_page(model_page("runs/numbers"), "model.html")

`model_page` gives everything that the page shows as plain data; the page's code is in `assets/`, that of the model itself
in `assets/model/`: the same layers in JavaScript. The file needs no network and opens from disk.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bpe_transformer.errors import ConfigError, FormatError, PatternError
from bpe_transformer.inspection.base.view import View
from bpe_transformer.inspection.base.word_spans import WITHOUT_SPACES
from bpe_transformer.inspection.html.model_weights import PackedWeights, WeightKind, pack_weights
from bpe_transformer.inspection.html.packing import (
    asset,
    charts_library,
    filled,
    heading,
    script_json,
    scripts,
    write_page,
)
from bpe_transformer.inspection.html.report import splitting, trace_columns, vocabulary
from bpe_transformer.inspection.html.training_strip import TrainingStrip, training_strip

if TYPE_CHECKING:
    from bpe_transformer.tokenizer import Tokenizer
    from bpe_transformer.training.checkpoint import CheckpointInfo

SCRIPTS = (
    *("encoder.js", "splitting.js", "view.js", "token_facts.js", "token_list.js", "theme.js", "plots.js"),
    *(f"model/{name}.js" for name in ("numbers", "transformer", "recurrent", "models", "search", "units")),
    *(
        f"model/{name}.js"
        for name in ("attention", "weights_of_rows", "predictions", "writing", "reading", "training", "page")
    ),
)
# what the layers in assets/model know: the values of an option that they can run
_KNOWN: Mapping[str, tuple[str, ...]] = {
    "positions": ("sinusoidal", "learned", "rope", "none"),
    "norm": ("layernorm", "rmsnorm"),
    "norm_place": ("pre", "post"),
    "activation": ("relu", "gelu", "gelu_tanh", "swiglu", "relu2"),
    "cell": ("lstm", "gru", "rnn"),
    "score": ("additive", "dot", "general", "concat"),
}
_FAMILIES = ("transformer", "gpt", "bert", "lstm", "bahdanau")


@dataclass(frozen=True)
class ModelPage(View):
    """A trained model, and all that its page shows.

    Attributes:
        facts: (name, value, whether in small print) for the top.
        model: family, task, options, special ids, labels, decoding settings: what its code in the page reads.
        tokens: `vocabulary` and `splitting` of its tokenizer, and its trace, if it has one.
        weights: all of them.
        training: how it came to be.
        examples: texts to try.
    """

    title: str
    facts: tuple[tuple[str, str, bool], ...]
    model: dict[str, Any]
    tokens: dict[str, Any]
    weights: PackedWeights
    training: TrainingStrip
    examples: tuple[str, ...]
    colophon: str

    def as_dict(self) -> dict[str, Any]:
        """What the page reads, but the weights themselves."""
        return {
            "title": self.title,
            "facts": [list(fact) for fact in self.facts],
            "model": self.model,
            **self.tokens,
            "weights": self.weights.as_dict(),
            "training": self.training.as_dict(),
            "examples": list(self.examples),
            "colophon": self.colophon,
        }


def holds_run(path: str | os.PathLike[str]) -> bool:
    """Whether a folder holds a run of `train`, damaged or stopped before it had a model included.

    A model of transformers is none: its config.json names a type.
    """
    from bpe_transformer.io import read_facts
    from bpe_transformer.training.run_files.file_names import STATE, WEIGHTS

    folder = Path(path)
    try:
        config = read_facts(folder / "config.json").value
        if "settings" in config:
            return True
        if "model_type" in config or "architectures" in config:
            return False
    except (OSError, FormatError, AttributeError, TypeError):
        pass
    return any((folder / name).is_file() for name in (WEIGHTS, STATE))


def model_page(run: str | os.PathLike[str], *, title: str | None = None, weights: WeightKind = "float16") -> ModelPage:
    """The model in the folder `run` with all that its page shows.

    title: its heading; None is the folder's name. weights: "float16", or "int8", half as large and less exact.

    Raises:
        CheckpointError, DigestMismatchError: the run is missing or damaged.
        ConfigError: a browser cannot run this model, or cannot split text as its tokenizer does.
    """
    from bpe_transformer.training.checkpoint import load_checkpoint

    model, info, tokenizer = load_checkpoint(run)
    facts = model_facts(model, info, tokenizer)
    try:
        tokens: dict[str, Any] = {
            "vocabulary": vocabulary(tokenizer.model),
            "splitting": splitting(tokenizer.model.pretokenizer),
        }
    except PatternError as cause:
        raise ConfigError(
            f"{run} has no page: a browser cannot split text as its tokenizer does ({cause}); "
            "learn one with another pattern, or look at the model with attention and translate"
        ) from None
    tokens["trace"] = None if tokenizer.trace is None else trace_columns(tokenizer.trace)
    packed = pack_weights(model.named_parameters(), weights)
    strip = training_strip(run, model, tokenizer, info)
    return ModelPage(
        title=title or Path(run).resolve().name,
        facts=_facts(info, packed, strip.loss_unit),
        model=facts,
        tokens=tokens,
        weights=packed,
        training=strip,
        examples=tuple(dict.fromkeys(sample.given for sample in strip.samples)),
        colophon=f"bpe-transformer {version('bpe-transformer')}, tokenizer {tokenizer.digest}. Its vocabulary has a page "
        "of its own, with a playground and the merges: bpe-transformer report RUN/tokenizer.json -o vocabulary.html",
    )


def write_model_page(page: ModelPage, path: str | os.PathLike[str]) -> None:
    """Writes the page to `path`, whole or not at all. Raises OSError if it cannot be written."""
    write_page(model_page_html(page), path)


def model_page_html(page: ModelPage) -> str:
    """The page as one text."""
    return filled(
        "model.html",
        {
            "title": heading(page.title),
            "style": asset("vendor/uPlot.min.css") + asset("style.css") + asset("model/model.css"),
            "data": script_json(page.as_dict()),
            "weights": page.weights.data,
            "uplot": charts_library(),
            "script": scripts(SCRIPTS),
        },
    )


def model_facts(model: Any, info: CheckpointInfo, tokenizer: Tokenizer) -> dict[str, Any]:
    """What the page's code has to know of the model. Raises `ConfigError` for what it cannot run."""
    from bpe_transformer.data.special_ids import SpecialIds
    from bpe_transformer.inference.missing_tokens import ids_without_token

    options = asdict(info.config)
    strange = [
        f"{name}={options[name]!r}" for name, known in _KNOWN.items() if options.get(name, known[0]) not in known
    ]
    if info.settings.family not in _FAMILIES:
        strange.append(f"family={info.settings.family!r}")
    if strange:
        raise ConfigError(
            f"the page does not know how to run a model with {', '.join(strange)}; use translate or generate"
        )
    special = SpecialIds.of(tokenizer)
    known = {**tokenizer.model.added_tokens, **tokenizer.special_tokens}
    mask = tokenizer.roles.mask
    decoding = info.settings.decoding
    return {
        "family": info.settings.family,
        "task": info.task,
        "kind": info.kind,
        "options": options,
        "pool": getattr(getattr(model, "head", None), "pool", None),
        "labels": list(info.labels),
        "columns": list(info.columns),
        "decoding": asdict(decoding),
        "special": {name: getattr(special, name) for name in ("pad", "bos", "eos", "first", "last")},
        "mask": None if mask is None or mask not in known else {"text": mask, "id": known[mask]},
        "special_ids": sorted(tokenizer.special_tokens.values()),
        "missing": list(ids_without_token(tokenizer, info.vocab_size)),
        "letters_alone": [list(block) for block in WITHOUT_SPACES],
    }


def _facts(info: CheckpointInfo, weights: PackedWeights, loss_unit: str) -> tuple[tuple[str, str, bool], ...]:
    model = info.settings.model
    rows = [
        ("model", info.kind, False),
        ("parameters", f"{weights.parameters:,}", False),
        ("vocabulary", f"{info.vocab_size:,}", False),
        ("layers", f"{model.n_layers:,}", False),
        ("width", f"{model.d_model:,}", False),
    ]
    if heads := getattr(model, "n_heads", None):
        rows.append(("heads a layer", f"{heads:,}", False))
    rows.append(("family", info.settings.family, False))
    if info.corpus:
        rows.append(("trained on", info.corpus, True))
    loss = info.result.get("validation_loss")
    if isinstance(loss, (int, float)):
        rows.append(("validation loss", f"{loss:.3f} {loss_unit}", False))
    held = "float16" if weights.kind == "float16" else "int8 (rounded: figures differ from Python's)"
    rows.append(("weights in this page", f"{held}, {_size(len(weights.data))}", True))
    return tuple(rows)


def _size(characters: int) -> str:
    return f"{characters / 1e6:.1f} MB" if characters >= 1e5 else f"{characters / 1e3:.0f} kB"
