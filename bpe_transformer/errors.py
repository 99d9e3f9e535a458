"""The exception types. Every message gives the value, its cause and the remedy, in one line.

All derive from `BpeTransformerError`, which is what the command line turns into a one-line message and exit code 1.
"""

from __future__ import annotations


class BpeTransformerError(Exception):
    """Base of everything this library raises on purpose."""


class CorpusError(BpeTransformerError, ValueError):
    """A corpus is missing, empty, malformed, or its columns do not fit the task."""


class InvalidUtf8Error(CorpusError):
    """Bytes that are not UTF-8, with the file and the byte position."""


class DataLossError(CorpusError):
    """More of the data was dropped, truncated or replaced than was allowed."""


class PatternError(BpeTransformerError, ValueError):
    """An unknown pattern name or a regular expression that does not compile."""


class LearningError(BpeTransformerError, ValueError):
    """A vocabulary cannot be learned as asked (too small, empty counts, contradictory options)."""


class SpecialTokenError(BpeTransformerError, ValueError):
    """Text holds a special token that was not allowed, or a special token is missing."""


class EncodingError(BpeTransformerError, ValueError):
    """Text cannot be encoded (a character outside the alphabet, a lone surrogate)."""


class DecodingError(BpeTransformerError, ValueError):
    """Ids cannot be decoded (out of range)."""


class IdOutOfRangeError(DecodingError):
    """An id that the vocabulary does not have: `id`, at `position` of the ids that were given."""

    def __init__(self, message: str, id: int, position: int) -> None:
        super().__init__(message)
        self.id = id
        self.position = position


class TruncationWarning(UserWarning):
    """`max_len` cut ids off a text; says how many."""


class FormatError(BpeTransformerError, ValueError):
    """A file is not in the format it should be in, or a format cannot hold this tokenizer."""


class DigestMismatchError(BpeTransformerError, ValueError):
    """A data cache or checkpoint belongs to another tokenizer."""


class ConfigError(BpeTransformerError, ValueError):
    """One or more settings are invalid; the message lists every problem at once."""


class CheckpointError(BpeTransformerError, ValueError):
    """A checkpoint is missing, incomplete, or does not fit the model."""


class ConversionError(BpeTransformerError, ValueError):
    """A model cannot be held by another library's class, or one of theirs by ours; the message names what and why."""


class TrainingError(BpeTransformerError):
    """A training run cannot go on: its numbers are not finite, or the memory of the device ran out."""


class OutputLockedError(BpeTransformerError):
    """Another run writes the same output at the moment."""


def refuse_one_string(error: type[BpeTransformerError] = ConfigError, /, **values: object) -> None:
    """Raises `error` for a `str` or `bytes` where several are meant: its characters would be taken one by one, in silence.

    >>> refuse_one_string(texts=["low", "lower"])
    >>> refuse_one_string(texts="low")
    Traceback (most recent call last):
    ...
    bpe_transformer.errors.ConfigError: texts='low' is one string, where several are meant; put it into a list
    """
    for name, value in values.items():
        if isinstance(value, (str, bytes)):
            shown = repr(value) if len(value) <= 40 else f"{value[:37]!r}…"
            raise error(f"{name}={shown} is one string, where several are meant; put it into a list")
