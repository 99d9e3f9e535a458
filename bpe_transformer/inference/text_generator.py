"""A trained language model that continues texts and says how probable they are."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, cast, overload

import torch

from bpe_transformer.data import FlatRows, PackedBatches, SpecialIds
from bpe_transformer.data.batches import Pack, on_device
from bpe_transformer.errors import CheckpointError, ConfigError, refuse_one_string
from bpe_transformer.inference.attention_weights import AttentionWeights, weights_of_row
from bpe_transformer.inference.batches import length_batches, text_list
from bpe_transformer.inference.generation import Continuation, TextWatcher, stop_strings
from bpe_transformer.inference.missing_tokens import ids_without_token
from bpe_transformer.inference.options import GenerationOptions
from bpe_transformer.inference.search.constraints import Constraints
from bpe_transformer.inference.search.decoding_session import LanguageModelSession
from bpe_transformer.inference.search.sampling import sample
from bpe_transformer.inference.search.stepwise import Written
from bpe_transformer.io.printable import times
from bpe_transformer.models import LanguageModel
from bpe_transformer.tokenizer import Tokenizer
from bpe_transformer.training.checkpoint import CheckpointInfo, load_checkpoint
from bpe_transformer.training.objectives.objective import CausalLM


class TextLikelihood(NamedTuple):
    """How probable a model finds texts: their negative log-likelihood in nats, and the number of ids predicted."""

    negative_log_likelihood: float
    num_ids: int


class _Start(NamedTuple):
    """A prompt's ids, how many may follow, and how many it lost at its beginning."""

    ids: list[int]
    limit: int
    cropped: int


class TextGenerator:
    """A language model with its tokenizer. A document is taken to follow </s>, as in training."""

    def __init__(self, model: LanguageModel, tokenizer: Tokenizer, info: CheckpointInfo) -> None:
        self.model, self.tokenizer, self.info = model, tokenizer, info
        self.special = SpecialIds.of(tokenizer)
        self.missing = ids_without_token(tokenizer, info.vocab_size)

    @overload
    def generate(self, prompts: str, *, num_samples: None = None, **options: Any) -> str: ...
    @overload
    def generate(self, prompts: str, *, num_samples: int, **options: Any) -> list[str]: ...
    @overload
    def generate(self, prompts: Sequence[str], *, num_samples: None = None, **options: Any) -> list[str]: ...
    @overload
    def generate(self, prompts: Sequence[str], *, num_samples: int, **options: Any) -> list[list[str]]: ...

    def generate(self, prompts: str | Sequence[str], *, num_samples: int | None = None, **options: Any) -> Any:
        """The continuation of a prompt, without it, or one a prompt of a list; with `num_samples`, a list of each.

        Otherwise as `continuations`.
        """
        found = self.continuations(text_list(prompts), num_samples=num_samples or 1, **options)
        written: list[Any] = [[one.text for one in samples] for samples in found]
        if num_samples is None:
            written = [samples[0] for samples in written]
        return written[0] if isinstance(prompts, str) else written

    def continuations(
        self,
        prompts: Sequence[str],
        *,
        stop: str | Sequence[str] = (),
        on_text: Callable[[int, int, str], None] | None = None,
        first_row: int = 1,
        first_stream: int = 0,
        **options: Any,
    ) -> list[list[Continuation]]:
        """`num_samples` continuations of every prompt, in order.

        temperature=0 takes the most probable id each time. The same seed draws the same texts for a prompt in the same
        place, whatever stands in the other places.

        Args:
            stop: a text ends before the first of these strings.
            on_text: called with the prompt's place, the sample's place and each text as soon as it is sure.
            first_row: the number of the first prompt, for messages.
            first_stream: the number of the first text, on which its draws depend beside the seed.
            options: fields of `GenerationOptions`.

        Raises:
            ConfigError: prompt and continuation exceed the model's max_len, with the row, or an option is out of range.
        """
        refuse_one_string(prompts=prompts)
        chosen, stops = self._options(options), stop_strings(stop)
        starts = [self._start(row, prompt, chosen) for row, prompt in enumerate(text_list(prompts), first_row)]
        samples = [(row, sample) for row in range(len(starts)) for sample in range(chosen.num_samples)]
        results: list[list[Continuation]] = [[] for _ in starts]
        rows = [starts[row].ids for row, _ in samples]
        sizes = [len(ids) + starts[row].limit for (row, _), ids in zip(samples, rows, strict=True)]
        written: dict[tuple[int, int], Continuation] = {}
        for batch in length_batches(sizes, self.info.settings.decoding.batch_tokens):
            places = [samples[place] for place in batch]
            watchers = {}
            if stops or on_text is not None:
                for number, (row, sample_) in enumerate(places):
                    tell = None if on_text is None else partial(on_text, row, sample_)
                    watchers[number] = TextWatcher(self.tokenizer, stops, tell)
            streams = [first_stream + place for place in batch]
            found = self._written([starts[row] for row, _ in places], streams, chosen, watchers)
            for number, (place, one) in enumerate(zip(places, found, strict=True)):
                written[place] = self._continuation(one, starts[place[0]], watchers.get(number))
        for row, sample_ in samples:
            results[row].append(written[row, sample_])
        return results

    def _options(self, options: dict[str, Any]) -> GenerationOptions:
        decoding = self.info.settings.decoding
        run = {name: getattr(decoding, name) for name in ("temperature", "top_k", "top_p")}
        known = GenerationOptions.__dataclass_fields__
        unknown = [name for name in options if name not in known]
        if unknown:
            raise ConfigError(f"{unknown[0]}={options[unknown[0]]!r} is unknown; the options are {', '.join(known)}")
        return GenerationOptions(**{**run, **{name: value for name, value in options.items() if value is not None}})

    def _start(self, row: int, prompt: str, options: GenerationOptions) -> _Start:
        """The ids of a prompt and the room after them. Raises `ConfigError` when there is none."""
        max_len = self.info.settings.model.max_len
        ids = [self.special.eos, *self.tokenizer.encode_ordinary(prompt)]
        room = max_len - len(ids)
        wanted = max(room, 1) if options.max_new is None else options.max_new
        if wanted <= room:
            return _Start(ids, wanted, 0)
        if options.long == "crop" and (options.max_new or 1) < max_len:
            wanted = options.max_new or max(1, max_len // 2)
            kept = ids[-(max_len - wanted) :]
            return _Start(kept, wanted, len(ids) - len(kept))
        raise ConfigError(
            f"row {row:,}: a prompt of {times(len(ids), 'id')}, </s> before it included, + max_new={wanted} is more than "
            f"max_len={max_len}; shorten the prompt or max_new, or crop the prompt from the left with long='crop'"
        )

    def _written(
        self,
        starts: Sequence[_Start],
        streams: Sequence[int],
        options: GenerationOptions,
        watchers: Mapping[int, TextWatcher],
    ) -> list[Written]:
        """What is written after each start; `streams` are the numbers that the draws of each depend on."""
        session = LanguageModelSession(self.model, [start.ids for start in starts])
        constraints = Constraints(
            no_repeat_ngram=options.no_repeat_ngram,
            repetition_penalty=options.repetition_penalty,
            suppressed=self.missing,
        )
        return sample(
            session,
            session.start,
            eos_id=self.special.eos,
            limits=torch.tensor([start.limit for start in starts], device=self.device),
            temperature=options.temperature or 0.0,
            top_k=options.top_k or 0,
            top_p=1.0 if options.top_p is None else options.top_p,
            min_p=options.min_p,
            seed=options.seed,
            streams=torch.tensor(streams, device=self.device),
            constraints=constraints,
            stops=(lambda row, id: watchers[row].push(id)) if watchers else None,
        )

    def _continuation(self, written: Written, start: _Start, watcher: TextWatcher | None) -> Continuation:
        if watcher is None:
            text = self.tokenizer.decode(written.ids, skip_special_tokens=True)
        else:
            if written.finish != "stopped":
                watcher.finish()
            text = watcher.text
        return Continuation(text, len(written.ids), written.finish, start.cropped)

    def negative_log_likelihood(
        self, texts: Sequence[str], *, progress: Callable[[int, int], None] | None = None
    ) -> TextLikelihood:
        """That of all texts together, the </s> after each included.

        Texts are packed into windows of max_len ids as the model was trained, every id predicted once; a window sees
        only itself, so this is an upper bound of what a sliding window would give. `progress` hears of the ids read.
        """
        refuse_one_string(texts=texts)
        training = self.info.settings.training
        encoded = self.tokenizer.encode_batch(list(texts), disallowed_special=())
        source = PackedBatches(
            FlatRows.of([*ids.tolist(), self.special.eos] for ids in encoded),
            length=self.info.settings.model.max_len,
            max_tokens=training.max_tokens,
            seed=training.seed,
            pack=cast(Pack, training.pack),
            cross_documents=training.cross_documents,
            start_id=self.special.eos,
            pad_id=self.special.pad,
            shuffle=False,
        )
        total, done, num_ids = 0.0, 0, source.padding(0).ids
        objective = CausalLM(self.model).eval()
        with torch.inference_mode():
            for batch in source.batches(0):
                loss = objective(on_device(batch, self.device))
                total, done = total + float(loss.total), done + int(loss.count)
                if progress is not None:
                    progress(done, num_ids)
        return TextLikelihood(total, num_ids)

    def attention(self, text: str) -> AttentionWeights:
        """The weights while reading `text`."""
        ids = [self.special.eos, *self.tokenizer.encode_ordinary(text)]
        with torch.inference_mode():
            weights = self.model.attention(torch.tensor([ids], device=self.device))
        return weights_of_row(weights, self.tokenizer, src_ids=ids, tgt_ids=ids, end_id=self.special.eos)

    @property
    def device(self) -> torch.device:
        """Where the model is; move it with `model.to`."""
        return self.model.head.weight.device


def load_text_generator(directory: str | os.PathLike[str], tokenizer: Tokenizer | None = None) -> TextGenerator:
    """Raises `CheckpointError` (missing, damaged, not a language model) or `DigestMismatchError`."""
    model, info, tokenizer = load_checkpoint(directory, tokenizer)
    if not isinstance(model, LanguageModel):
        remedy = "use translate" if info.task == "translation" else "train one with family gpt"
        raise CheckpointError(f"{directory} holds a {info.kind}, which does not continue texts; {remedy}")
    return TextGenerator(model, tokenizer, info)
