"""`Classifier` and `MaskFiller` take a text or a list of them."""

from __future__ import annotations

import pytest
import torch

from bpe_transformer import Tokenizer
from bpe_transformer.errors import ConfigError, EncodingError
from bpe_transformer.inference import Classifier, MaskFiller
from tests.inference.conftest import checkpoint


def test_a_classifier_labels_a_text_or_a_list(byte_vocabulary: Tokenizer) -> None:
    for family in ("bert", "gpt"):
        model, info = checkpoint(byte_vocabulary, family, labels=("cold", "warm", "wet"))
        classifier = Classifier(model, byte_vocabulary, info)
        texts = ["three cats", "a low lower newest widest text, and so on and on and on", "one"]
        listed = classifier.classify(texts)
        assert [classifier.classify(text).label for text in texts] == [found.label for found in listed]
        for found in listed:
            assert sum(found.probabilities.values()) == pytest.approx(1)
            assert found.label == max(found.probabilities, key=found.probabilities.__getitem__)
        with pytest.raises(EncodingError, match="row 2 is NoneType"):
            classifier.classify(["a", None])  # type: ignore[list-item]


def test_a_mask_filler_fills_a_text_or_a_list(byte_vocabulary: Tokenizer) -> None:
    model, info = checkpoint(byte_vocabulary, "bert")
    filler = MaskFiller(model, byte_vocabulary, info)
    texts = ["three <mask> read", "<mask> low <mask>"]
    listed = filler.fill(texts)
    assert [filler.fill(text) for text in texts] == listed
    found = filler.candidates(texts[1], limit=4)
    assert found.text == listed[1]
    assert [len(gap) for gap in found.masks] == [4, 4]
    ids = [filler.special.eos, *byte_vocabulary.encode(texts[1], allowed_special={"<mask>"})]
    with torch.inference_mode():
        logits = model(torch.tensor([ids]))[0, 1]
    logits = logits.clone()
    logits[list(byte_vocabulary.special_tokens.values())] = float("-inf")
    best = logits.softmax(-1).topk(4)
    assert [one.probability for one in found.masks[0]] == pytest.approx(best.values.tolist(), abs=1e-5)
    assert [one.token for one in found.masks[0]] == [byte_vocabulary.token_bytes(id) for id in best.indices.tolist()]
    with pytest.raises(ConfigError, match="row 2 has no <mask>"):
        filler.fill(["a <mask>", "b"])
    with pytest.raises(ConfigError, match="row 1: a text of .* longer than max_len=24"):
        filler.fill("three cats " * 20 + "<mask>")
