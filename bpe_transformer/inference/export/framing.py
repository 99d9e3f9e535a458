"""The tokenizer of an exported model, which puts the special tokens around a text that the model was trained with."""

from __future__ import annotations

from dataclasses import replace

from bpe_transformer.data.special_ids import SpecialIds
from bpe_transformer.tokenizer import Tokenizer
from bpe_transformer.training.checkpoint import CheckpointInfo


def framed_tokenizer(tokenizer: Tokenizer, info: CheckpointInfo) -> Tokenizer:
    """The tokenizer with a template for texts, and with what `transformers` has to know of the model's inputs.

    A source ends with eos; a document follows eos; a text to classify stands between the two special tokens of
    `SpecialIds`. A tokenizer that has a template already, as imported ones may, keeps it.
    """
    model = tokenizer.model
    fields = {"model_max_length": info.settings.model.max_len, "model_input_names": ["input_ids", "attention_mask"]}
    if info.task == "language-model":
        fields["padding_side"] = "left"  # so that every row of a batch goes on from its end
    model = replace(model, roles=model.named_roles, config_fields={**fields, **model.config_fields})
    if model.bos_eos_tokens == ((), ()):
        before, after = frame(tokenizer, info)
        model = replace(model, bos_token=before, eos_token=after)
    return Tokenizer(model)


def frame(tokenizer: Tokenizer, info: CheckpointInfo) -> tuple[str | None, str | None]:
    """The special tokens before and after a text, by the task."""
    special = SpecialIds.of(tokenizer)
    model = tokenizer.model
    texts = {id: text for text, id in {**model.added_tokens, **model.special_tokens}.items()}
    if info.task == "translation":
        return None, texts[special.eos]
    if info.task == "classification":
        return texts[special.first], texts[special.last]
    return texts[special.eos], None
