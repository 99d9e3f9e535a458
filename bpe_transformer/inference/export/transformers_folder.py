"""A run as a folder that `from_pretrained` of `transformers` loads."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bpe_transformer.data.batches import pad
from bpe_transformer.data.special_ids import SpecialIds
from bpe_transformer.errors import ConversionError
from bpe_transformer.inference.export.framing import framed_tokenizer
from bpe_transformer.inference.export.probe import (
    Exported,
    Probe,
    check_equal,
    largest_difference,
    make_probe,
    prompts_of,
)
from bpe_transformer.io import bound_directory
from bpe_transformer.models.convert import SpecialTokens, converter_of
from bpe_transformer.models.convert.converter import Foreign, Head
from bpe_transformer.tokenizer import Tokenizer
from bpe_transformer.tokenizer.formats import probe as tokenizer_probe
from bpe_transformer.training.checkpoint import CheckpointInfo, load_checkpoint, weights_of
from bpe_transformer.training.run_files import (
    CARD,
    GENERATION_CONFIG,
    decoding_notes,
    generation_config,
    model_card,
)

_AUTO_CLASSES = {
    "translation": "AutoModelForSeq2SeqLM",
    "language-model": "AutoModelForCausalLM",
    "masked-language-model": "AutoModelForMaskedLM",
    "classification": "AutoModelForSequenceClassification",
}
_CALLS = {
    "translation": "ids = model.generate(**tokenizer([\"…\"], return_tensors=\"pt\"))",
    "language-model": "ids = model.generate(**tokenizer([\"…\"], return_tensors=\"pt\"))",
    "masked-language-model": "logits = model(**tokenizer([\"… <mask> …\"], return_tensors=\"pt\")).logits",
    "classification": "logits = model(**tokenizer([\"…\"], return_tensors=\"pt\")).logits",
}  # fmt: skip


def export_transformers(run: str | os.PathLike[str], directory: str | os.PathLike[str]) -> Exported:
    """Writes the model of `run` as the class of `transformers` that holds its options, with its tokenizer and a card.

    What was written is loaded again and has to give equal logits on a padded probe batch, equal greedy outputs and,
    from its tokenizer, equal ids; only then the folder takes its place.

    Raises:
        ConversionError: no class holds the model (the message names what and why), the written one differs, or
            `transformers` is not installed.
        CheckpointError: `run` holds no model.
    """
    model, info, tokenizer = load_checkpoint(run)
    pool: Any = info.settings.training.pool or info.family.pool
    head = Head(info.labels, pool)
    converter = converter_of(info.family, info.config, head)
    special = SpecialIds.of(tokenizer)
    tokens = SpecialTokens(pad=info.pad_id, bos=special.bos, eos=special.eos)
    foreign = converter.to_transformers(info.config, weights_of(model), tokens, head)  # type: ignore[arg-type]
    transformers = _transformers()
    framed = framed_tokenizer(tokenizer, info)
    notes = (*foreign.notes, *decoding_notes(info, "transformers"))
    probe = make_probe(model, info, tokenizer)
    with _quiet(transformers):
        written = _instance(transformers, foreign, info)
        with bound_directory(directory) as folder:
            _save(written, folder, info, special, foreign, notes)
            framed.save(folder)
            cls = getattr(transformers, foreign.class_name)
            loaded = cls.from_pretrained(folder).eval()
            difference = _verify(transformers, loaded, probe, special, info)
            _verify_tokenizer(transformers, folder, framed)
    return Exported(foreign.class_name, difference, len(probe.rows), notes)


def _transformers() -> Any:
    try:
        import transformers
    except ImportError:
        raise ConversionError(
            "the package transformers is not installed; run pip install 'bpe-transformer[transformers]'"
        ) from None
    return transformers


def _instance(transformers: Any, foreign: Foreign, info: CheckpointInfo) -> Any:
    """The class with these weights; fields of an imported model that no option holds come first."""
    cls = getattr(transformers, foreign.class_name, None)
    if cls is None:
        raise ConversionError(
            f"transformers {transformers.__version__} has no {foreign.class_name}; install a newer one"
        )
    kept = info.foreign.get("config", {}) if info.foreign.get("class") == foreign.class_name else {}
    model = cls(cls.config_class(**{**kept, **foreign.config}))
    missing, unexpected = model.load_state_dict(foreign.weights, strict=False)
    tied = set(getattr(model, "all_tied_weights_keys", None) or getattr(model, "_tied_weights_keys", None) or ())
    missing = [name for name in missing if "embed_positions" not in name and name not in tied]
    if missing or unexpected:
        raise ConversionError(
            f"{foreign.class_name} of transformers {transformers.__version__} has other weights than it had "
            f"({[*missing, *unexpected][0]}); install a version between 5.0 and 6"
        )
    model.tie_weights()
    return model.eval()


def _save(
    model: Any, folder: Path, info: CheckpointInfo, special: SpecialIds, foreign: Foreign, notes: tuple[str, ...]
) -> None:
    model.save_pretrained(folder)
    written = generation_config(info, special)
    if written:
        kept = info.foreign.get("generation_config", {})
        text = json.dumps({**written, **kept, **_ids(written)}, ensure_ascii=False, indent=2)
        (folder / GENERATION_CONFIG).write_text(text + "\n", encoding="utf-8")
    auto = _AUTO_CLASSES[info.task]
    lines = [
        "```python",
        f"from transformers import {auto}, AutoTokenizer",
        "",
        f'model, tokenizer = {auto}.from_pretrained("."), AutoTokenizer.from_pretrained(".")',
        _CALLS[info.task],
        *(["print(tokenizer.batch_decode(ids, skip_special_tokens=True))"] if written else []),
        "```",
    ]
    card = model_card(info, title=foreign.class_name, loading="\n".join(lines), notes=notes)
    (folder / CARD).write_text(card, encoding="utf-8")


def _ids(written: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in written.items() if name.endswith("_token_id")}


@torch.inference_mode()
def _verify(transformers: Any, loaded: Any, probe: Probe, special: SpecialIds, info: CheckpointInfo) -> float:
    """The largest difference of the logits. Raises `ConversionError` when they or the greedy outputs differ."""
    engine = f"transformers ({type(loaded).__name__})"
    ids = pad(probe.rows, special.pad)
    real = ids != special.pad
    inputs: dict[str, Tensor] = {"input_ids": ids, "attention_mask": real.long()}
    greedy = transformers.GenerationConfig(
        do_sample=False,
        num_beams=1,
        max_new_tokens=probe.limit,
        pad_token_id=special.pad,
        bos_token_id=special.bos,
        eos_token_id=special.eos,
        decoder_start_token_id=special.bos if info.task == "translation" else None,
    )
    ours = probe.logits
    if info.task == "translation":
        targets = pad([[special.bos, *row[:-1]] for row in probe.targets], special.pad)
        theirs = loaded(**inputs, decoder_input_ids=targets).logits
        loaded.generation_config = greedy
        written = loaded.generate(**inputs, generation_config=greedy)[:, 1:]
    else:
        theirs = loaded(**inputs).logits
        if info.task != "classification":
            ours, theirs = ours[real], theirs[real]
        prompts = torch.tensor(prompts_of(probe.rows, special)) if probe.written else ids[:0]
        if probe.written:
            loaded.generation_config = greedy
            mask = torch.ones_like(prompts)
            written = loaded.generate(input_ids=prompts, attention_mask=mask, generation_config=greedy)
            written = written[:, prompts.size(1) :]
    difference = largest_difference(ours, theirs, "logits", engine)
    if probe.written:
        check_equal(probe.written, [_until_eos(row, special.eos) for row in written.tolist()], engine)
    elif not torch.equal(ours.argmax(-1), theirs.argmax(-1)):
        raise ConversionError(f"{engine} predicts other ids for a probe; nothing was written, please report this")
    return difference


def _until_eos(ids: list[int], eos: int) -> list[int]:
    return ids[: ids.index(eos)] if eos in ids else ids


def _verify_tokenizer(transformers: Any, folder: Path, framed: Tokenizer) -> None:
    """`ConversionError` unless the folder's tokenizer gives the ids of a probe text with the special tokens around it."""
    text = tokenizer_probe.probe_text(framed.codec)
    theirs = transformers.AutoTokenizer.from_pretrained(folder)(text, verbose=False)["input_ids"]
    before, after = framed.model.bos_eos_tokens
    ours = framed.encode(text, disallowed_special=(), add_bos=bool(before), add_eos=bool(after))
    if list(theirs) != list(ours):
        raise ConversionError(
            "AutoTokenizer of transformers gives other ids for a probe text; nothing was written, please report this"
        )


@contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """Without the notes and bars of the package, which are about the files that are only being made."""
    logging = transformers.utils.logging
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
