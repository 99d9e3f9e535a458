"""A run as a folder that CTranslate2 loads."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

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
from bpe_transformer.inference.translator import LONGEST_TARGET
from bpe_transformer.io import bound_directory
from bpe_transformer.models.convert.ctranslate2 import Vocabulary, check_ctranslate2, to_ctranslate2
from bpe_transformer.tokenizer import Tokenizer
from bpe_transformer.tokenizer.formats.tokenizer_json import token_names
from bpe_transformer.training.checkpoint import CheckpointInfo, load_checkpoint, weights_of
from bpe_transformer.training.run_files import CARD, decoding_notes, model_card

_ENGINE = "CTranslate2"


def export_ctranslate2(run: str | os.PathLike[str], directory: str | os.PathLike[str]) -> Exported:
    """Writes the translator or language model of `run` for `ctranslate2.Translator` or `ctranslate2.Generator`.

    The engine takes and gives tokens as the `tokenizer.json` beside it names them. What was written is loaded by the
    engine and has to give equal log-probabilities of given ids and equal greedy outputs; only then the folder takes its
    place.

    Raises:
        ConversionError: CTranslate2 cannot hold the model (the message names what), it differs, or is not installed.
        CheckpointError: `run` holds no model.
    """
    model, info, tokenizer = load_checkpoint(run)
    if info.labels:
        raise ConversionError(f"{_ENGINE} translates and continues texts, and {run} is a classifier; use transformers")
    check_ctranslate2(info.family, info.config)
    vocabulary = vocabulary_of(tokenizer, info)
    positions = LONGEST_TARGET * info.settings.model.max_len
    spec = to_ctranslate2(info.family, info.config, weights_of(model), vocabulary, positions=positions)
    probe = make_probe(model, info, tokenizer)
    notes = decoding_notes(info, _ENGINE)
    with bound_directory(directory) as folder:
        spec.save(str(folder))
        framed_tokenizer(tokenizer, info).save(folder)
        card = model_card(info, title=f"For {_ENGINE}", loading=_loading(info), notes=notes)
        (folder / CARD).write_text(card, encoding="utf-8")
        difference = _verify(folder, probe, vocabulary, SpecialIds.of(tokenizer), info)
    kind = "Translator" if info.task == "translation" else "Generator"
    return Exported(f"ctranslate2.{kind}", difference, len(probe.rows), notes)


def vocabulary_of(tokenizer: Tokenizer, info: CheckpointInfo) -> Vocabulary:
    """The names of all ids, as `tokenizer.json` has them; ids without a token get one that no text gives."""
    special = SpecialIds.of(tokenizer)
    names = token_names(tokenizer.model)
    names += [""] * (info.vocab_size - len(names))
    names = [name or f"<unused {id}>" for id, name in enumerate(names)]
    unk = tokenizer.roles.unk or names[special.pad]
    start = special.bos if info.task == "translation" else special.eos
    return Vocabulary(names, bos=names[special.bos], eos=names[special.eos], unk=unk, start=names[start])


def _loading(info: CheckpointInfo) -> str:
    source = 'tokens = tokenizer.encode("…").tokens'
    if info.task == "translation":
        engine, call = "Translator", "translate_batch([tokens])[0].hypotheses[0]"
    else:
        engine, call = "Generator", "generate_batch([tokens], max_length=50)[0].sequences[0]"
    return "\n".join(
        [
            "```python",
            "import ctranslate2",
            "import tokenizers",
            "",
            f'engine, tokenizer = ctranslate2.{engine}("."), tokenizers.Tokenizer.from_file("tokenizer.json")',
            source,
            f"written = engine.{call}",
            "print(tokenizer.decode([tokenizer.token_to_id(token) for token in written]))",
            "```",
        ]
    )


def _verify(folder: Path, probe: Probe, vocabulary: Vocabulary, special: SpecialIds, info: CheckpointInfo) -> float:
    """The largest difference of the log-probabilities. Raises `ConversionError` when they or the outputs differ."""
    import ctranslate2

    options: dict[str, Any] = {"device": "cpu", "compute_type": "float32", "inter_threads": 1, "intra_threads": 1}
    names = vocabulary.tokens
    id_of = {name: id for id, name in enumerate(names)}
    log_probabilities = probe.logits.log_softmax(-1)
    if info.task == "translation":
        engine = ctranslate2.Translator(str(folder), **options)
        rows = [[names[id] for id in row] for row in probe.rows]
        targets = [row[:-1] for row in probe.targets]
        found = engine.score_batch(rows, [[names[id] for id in row] for row in targets])
        written = engine.translate_batch(rows, beam_size=1, max_decoding_length=probe.limit)
        outputs = [result.hypotheses[0] for result in written]
    else:
        engine = ctranslate2.Generator(str(folder), **options)
        targets = [row[1:-1] for row in probe.rows]
        found = engine.score_batch([[names[id] for id in row] for row in probe.rows])
        prompts = [[names[id] for id in prompt] for prompt in prompts_of(probe.rows, special)]
        results = engine.generate_batch(
            prompts, beam_size=1, sampling_topk=1, max_length=probe.limit, include_prompt_in_result=False
        )
        outputs = [result.sequences[0] for result in results] if prompts else []
    ours, theirs = [], []
    for row, (target, scores) in enumerate(zip(targets, found, strict=True)):
        wanted = torch.tensor([*target, special.eos])
        ours.append(log_probabilities[row, : len(wanted)].gather(1, wanted[:, None])[:, 0])
        theirs.append(torch.tensor(scores.log_probs))
    difference = largest_difference(torch.cat(ours), torch.cat(theirs), "log-probabilities", _ENGINE)
    check_equal(probe.written, [[id_of[name] for name in output] for output in outputs], _ENGINE)
    return difference
