"""All lessons by name: what each takes from the reader, and how it is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from bpe_transformer.errors import ConfigError
from bpe_transformer.inspection.lessons.lesson import Lesson, LessonList, Step
from bpe_transformer.inspection.lessons.request import Request
from bpe_transformer.inspection.lessons.writer import Writer

Build = Callable[[Writer, Request], tuple[str, tuple[Step, ...]]]


@dataclass(frozen=True)
class Entry:
    """A lesson: "module:function" below this folder, and the fields of `Request` that it reads."""

    builder: str
    takes: tuple[str, ...] = ()


LESSONS: dict[str, Entry] = {
    "bpe": Entry("bpe:bpe_lesson", ("text",)),
    "attention": Entry("numbers.attention:attention_lesson", ("text", "q", "k", "v")),
    "heads": Entry("numbers.heads:heads_lesson", ("run",)),
    "masks": Entry("numbers.masks:masks_lesson", ("text",)),
    "positions": Entry("numbers.positions:positions_lesson", ("text",)),
    "norm": Entry("numbers.norm:norm_lesson", ("text",)),
    "schedule": Entry("numbers.schedule:schedule_lesson", ("run",)),
    "encoder-decoder": Entry("models.encoder_decoder:encoder_decoder_lesson", ("text", "run")),
    "seq2seq": Entry("models.seq2seq:seq2seq_lesson", ("text", "run")),
    "bert": Entry("models.language_models:bert_lesson", ("text", "run")),
    "gpt": Entry("models.language_models:gpt_lesson", ("text", "run")),
}


def lesson(name: str, language: str = "en", request: Request | None = None) -> Lesson:
    """The lesson `name` in a language ("en" or "ko"), on its own numbers or on the reader's.

    Raises:
        ConfigError: there is no such lesson or language, or it does not take what the reader brings, or cannot use it.
    """
    request = request or Request()
    if name not in LESSONS:
        raise ConfigError(f"there is no lesson {name!r}; choose {', '.join(LESSONS)}")
    entry = LESSONS[name]
    refused = [given for given in request.given if given not in entry.takes]
    if refused:
        taking = [other for other, found in LESSONS.items() if refused[0] in found.takes]
        raise ConfigError(
            f"the lesson {name} takes no {refused[0]}={getattr(request, refused[0])!r}; these do: {', '.join(taking)}"
        )
    writer = Writer(name, language)
    module, _, function = entry.builder.partition(":")
    build: Build = getattr(import_module(f"bpe_transformer.inspection.lessons.{module}"), function)
    basis, steps = _undisturbed(build, writer, request)
    return Lesson(name, language, writer.title(), writer.summary(), basis, steps)


def lessons(language: str = "en") -> LessonList:
    """All lessons with one line each."""
    writers = {name: Writer(name, language) for name in LESSONS}
    entries = tuple((name, writer.title(), writer.summary()) for name, writer in writers.items())
    return LessonList(language, entries, writers["attention"].label("list_remark"))


def _undisturbed(build: Build, writer: Writer, request: Request) -> tuple[str, tuple[Step, ...]]:
    """What `build` gives, from a fixed seed, with torch's global generator left as it was."""
    import torch

    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        return build(writer, request)
