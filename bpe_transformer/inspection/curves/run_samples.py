"""What a model writes in the middle of its training, for a few rows that it does not train on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bpe_transformer.inspection.curves.live_run import RunSample

if TYPE_CHECKING:
    from bpe_transformer.tokenizer import Tokenizer
    from bpe_transformer.training import CheckpointInfo

_PROMPT = 60  # characters that a language model goes on from
_CONTINUED = 32  # ids


def write_samples(
    model: Any, tokenizer: Tokenizer, info: CheckpointInfo, rows: Sequence[Sequence[Any]]
) -> list[RunSample]:
    """A sample for each of `rows`, which hold the columns of `info`.

    Translations are greedy, continuations take the most probable id each time, of a masked language model's row one word in
    its middle is hidden, and a classifier gives its label. Nothing is drawn at random. The model is left in evaluation mode.
    """
    model.eval()
    if info.task == "translation":
        return _translations(model, tokenizer, info, rows)
    texts = [str(row[0]) for row in rows]
    if info.task == "language-model":
        return [sample for text in texts if (sample := _continuation(model, tokenizer, info, text)) is not None]
    if info.task == "masked-language-model":
        return [sample for text in texts if (sample := _filled(model, tokenizer, info, text)) is not None]
    from bpe_transformer.inference import Classifier

    found = Classifier(model, tokenizer, info).classify(texts)
    return [RunSample(text, one.label, str(row[1])) for text, one, row in zip(texts, found, rows, strict=True)]


def _translations(
    model: Any, tokenizer: Tokenizer, info: CheckpointInfo, rows: Sequence[Sequence[Any]]
) -> list[RunSample]:
    from bpe_transformer.inference import Translator

    written = Translator(model, tokenizer, info).translate([str(row[0]) for row in rows], beam=1)
    return [RunSample(str(row[0]), text, str(row[1])) for row, text in zip(rows, written, strict=True)]


def _continuation(model: Any, tokenizer: Tokenizer, info: CheckpointInfo, text: str) -> RunSample | None:
    from bpe_transformer.inference import TextGenerator

    longest = info.settings.model.max_len
    words = text.strip()[:_PROMPT].rpartition(" ")[0] or text.strip()[:_PROMPT]
    ids = tokenizer.encode_ordinary(words)[: longest // 2]
    if not len(ids):
        return None
    prompt = tokenizer.decode(ids)
    generator = TextGenerator(model, tokenizer, info)
    left = longest - 1 - len(tokenizer.encode_ordinary(prompt))
    if left < 1:
        return None
    written = generator.generate(prompt, max_new=min(_CONTINUED, left), temperature=0)
    return RunSample(prompt, written)


def _filled(model: Any, tokenizer: Tokenizer, info: CheckpointInfo, text: str) -> RunSample | None:
    from bpe_transformer.inference import MaskFiller

    words = text.split()[:12]
    mask = tokenizer.roles.mask
    if (
        len(words) < 2
        or mask is None
        or len(tokenizer.encode_ordinary(" ".join(words))) + 2 > info.settings.model.max_len
    ):
        return None
    middle = len(words) // 2
    given = " ".join([*words[:middle], str(mask), *words[middle + 1 :]])
    return RunSample(given, MaskFiller(model, tokenizer, info).fill(given), " ".join(words))
