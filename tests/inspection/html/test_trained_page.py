"""The pages of the demo's own models: what they write and how sure they are, as in Python; and how fast they answer."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bpe_transformer.corpora.numbers_en_ko import generate
from bpe_transformer.inference import load_text_generator, load_translator

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]
LOGITS = """([read, ids]) => {
  const nodes = page.model.extend(page.model.read(read), [], ids);
  return nodes.map((node) => Array.from(page.model.logits(node)));
}"""
GREEDY = """([read, start, limit]) => {
  const { writer } = page.part;
  let row = writer.start(page.model.read(read), start);
  while (writer.written(row).length < limit) {
    const id = writer.best(row);
    if (id === writer.eos) break;
    row = writer.advance(row, id);
  }
  return writer.written(row);
}"""
# milliseconds of a key, and of a token, of a text typed key by key
TYPED = """async (text) => {
  const keys = [], tokens = [];
  for (let end = 1; end <= text.length; end++) {
    page.text.value = text.slice(0, end);
    page.update();
    keys.push(page.spent);
    while (!page.part.over) await new Promise((resolve) => setTimeout(resolve, 5));
    if (page.part.pace) tokens.push(page.part.pace.each);
  }
  const median = (list) => list.sort((a, b) => a - b)[Math.floor(list.length / 2)];
  return [median(keys), median(tokens)];
}"""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's folder: its models, and their pages."""
    folder = tmp_path_factory.mktemp("demo") / "demo"
    command = [str(Path(sys.executable).with_name("bpe-transformer")), "demo", "-o", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    return folder


def test_the_translator(demo: Path, open_file: Callable[..., Any]) -> None:
    watched = open_file(demo / "numbers.html")
    page, translator = watched.page, load_translator(demo / "numbers")
    texts = [example.en for example in generate("test", 200)] + ["세 마리 고양이 👩‍🚀", "🎉 three", "</script>"]
    for text in texts:
        src = translator._encode(text)
        limit = int(translator._limits([len(src)], [0])[0])
        ids = page.evaluate(GREEDY, [src, [translator.special.bos], limit])
        assert translator.tokenizer.decode(ids) == translator.translate(text, beam=1), text
        read = [translator.special.bos, *ids]
        with torch.inference_mode():
            expected = translator.model(torch.tensor([src]), torch.tensor([read]))[0].numpy()
        np.testing.assert_allclose(page.evaluate(LOGITS, [src, read]), expected, atol=1e-2)
    assert max(page.evaluate(TYPED, "one thousand two hundred and thirty-four cats")) < 50
    assert (demo / "numbers.html").stat().st_size < 8_000_000
    assert watched.said == []


def test_the_language_model(demo: Path, open_file: Callable[..., Any]) -> None:
    watched = open_file(demo / "language.html")
    page, generator = watched.page, load_text_generator(demo / "language")
    for text in ("def __init__(self, ", "import os\n", 'raise ValueError("', "# 세 마리 👩‍🚀\n"):
        start = [generator.special.eos, *generator.tokenizer.encode_ordinary(text)]
        ids = page.evaluate(GREEDY, [[], start, 60])
        assert generator.tokenizer.decode(ids) == generator.generate(text, max_new=60, temperature=0)
        with torch.inference_mode():
            expected = generator.model(torch.tensor([[*start, *ids]]))[0].numpy()
        np.testing.assert_allclose(page.evaluate(LOGITS, [[], [*start, *ids]]), expected, atol=1e-2)
    assert max(page.evaluate(TYPED, "def read(path):\n    with open(")) < 50
    assert (demo / "language.html").stat().st_size < 8_000_000
    assert watched.said == []
