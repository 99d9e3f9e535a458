"""The card of a model: a README.md that says what it is, what it was trained on, how well it does, and how to load it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bpe_transformer.io.printable import times

if TYPE_CHECKING:
    from bpe_transformer.ledger import LedgerRow
from bpe_transformer.training.run_files.checkpoint_info import CheckpointInfo

CARD = "README.md"
_TASKS = {
    "translation": "translates {0} to {1}",
    "language-model": "continues texts",
    "masked-language-model": "fills gaps in texts",
    "classification": "labels texts: {1} from {0}",
}
_COMMANDS = {
    "translation": 'bpe-transformer translate . "…"',
    "language-model": 'bpe-transformer generate . "…"',
    "masked-language-model": "bpe-transformer evaluate . CORPUS",
    "classification": "bpe-transformer evaluate . CORPUS",
}
_LOADERS = {
    "translation": ("load_translator", 'translate(["…"])'),
    "language-model": ("load_text_generator", 'generate("…")'),
    "masked-language-model": ("load_mask_filler", 'fill("… <mask> …")'),
    "classification": ("load_classifier", 'classify(["…"])'),
}


def model_card(info: CheckpointInfo, *, title: str, loading: str | None = None, notes: Sequence[str] = ()) -> str:
    """Markdown, in which nothing depends on when or where it is written.

    title: of the card. loading: how the model is loaded, in Markdown (None: how a run of this library is).
    notes: what else people have to know.
    """
    what = _TASKS[info.task].format(*info.columns)
    lines = [f"# {title}", "", f"A model of the family {info.family.name} ({info.family.summary}) that {what}.", ""]
    lines += ["## Data", ""]
    lines += [f"- corpus: {info.corpus or 'unknown'}, columns {', '.join(info.columns)}"]
    lines += [f"- tokenizer: {times(info.vocab_size, 'id')}, digest `{info.digest}`"]
    if info.labels:
        shown = ", ".join(info.labels[:20]) + (", …" if len(info.labels) > 20 else "")
        lines.append(f"- labels: {shown}")
    for name, ledger in info.ledgers.items():
        lines += [f"- {name} rows, {_accounted(row)}" for row in ledger.rows()]
    lines += ["", "## Figures", "", *_figures(info), "", "## Options", ""]
    lines += ["| option | value |", "|---|---|"]
    lines += [f"| {name} | {_shown(value)} |" for name, value in info.settings.model.to_dict().items()]
    lines += ["", "## How to load it", "", loading or _own_loading(info)]
    if notes:
        lines += ["", "## Notes", "", *(f"- {note}" for note in notes)]
    return "\n".join(lines) + "\n"


def _accounted(row: LedgerRow) -> str:
    why = f" ({row.reason})" if row.reason else ""
    return f"{row.stage}: {row.outcome}{why} {row.examples:,} of {times(row.bytes, 'byte')}"


def _figures(info: CheckpointInfo) -> list[str]:
    result = info.result
    if not result:
        return ["None are known: the model was not trained by this library."]
    unit = "a label" if info.labels else "a token"
    lines = []
    if isinstance(loss := result.get("validation_loss"), (int, float)):
        lines.append(f"- validation loss: {loss:.4f} nats {unit}")
    if isinstance(bits := result.get("validation_bits_per_byte"), (int, float)):
        lines.append(f"- validation: {bits:.4f} bits a byte")
    if isinstance(accuracy := result.get("validation_accuracy"), (int, float)):
        lines.append(f"- validation accuracy: {100 * accuracy:.1f} %")
    named = (("steps", "steps"), ("epochs", "epochs"), ("weights", "weights"))
    lines += [f"- {label}: {result[name]}" for name, label in named if name in result]
    return lines or ["None are known."]


def _own_loading(info: CheckpointInfo) -> str:
    loader, call = _LOADERS[info.task]
    return (
        f"```sh\n{_COMMANDS[info.task]}\n```\n\n"
        f'```python\nfrom bpe_transformer.inference import {loader}\n\nprint({loader}(".").{call})\n```\n\n'
        "`bpe-transformer export . DIR --format transformers` writes it for `from_pretrained`."
    )


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else str(value)
