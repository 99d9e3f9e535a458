"""What comes back from a translator, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from bpe_transformer.inference.options import Finish, Long


class ScoredToken(NamedTuple):
    """A token of a translation, by its bytes, and its log-probability (nats; None where none was asked for)."""

    token: bytes
    log_probability: float | None


@dataclass(frozen=True)
class TranslationHypothesis:
    """One translation of a text.

    Attributes:
        text: it.
        score: what hypotheses are ranked by, log-probability after length normalization; None as below.
        log_probability: of all its tokens, the end included, nats; None for a blank text, or where none was asked for.
        tokens: with their log-probabilities; the end is the last, unless the limit cut it.
        finish: "ended" by itself, "limit" when it was cut at the limit on its length, "given".
        unknown: how many of its tokens were <unk>.
    """

    text: str
    score: float | None
    log_probability: float | None
    tokens: tuple[ScoredToken, ...]
    finish: Finish
    unknown: int = 0


@dataclass(frozen=True)
class Translation:
    """What became of one text.

    Attributes:
        source: the text.
        source_ids: how many ids it has, the end included.
        unknown: how many of these are <unk>: characters that the vocabulary does not have. Always 0 for bytes.
        long: what was done since it has more ids than max_len: "split", "truncate" or "refuse"; None: nothing.
        hypotheses: best first; one alone for a text that was split, none for one that was refused.
    """

    source: str
    source_ids: int
    unknown: int
    long: Long | None
    hypotheses: tuple[TranslationHypothesis, ...]

    @property
    def text(self) -> str:
        """The best translation; empty for a text that was refused."""
        return self.hypotheses[0].text if self.hypotheses else ""

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON: what `translate --json` prints for a row."""
        return {
            "source": self.source,
            "source_ids": self.source_ids,
            "unknown": self.unknown,
            "long": self.long,
            "translations": [
                {
                    "text": found.text,
                    "score": found.score,
                    "log_probability": found.log_probability,
                    "finish": found.finish,
                    "unknown": found.unknown,
                    "tokens": [{**token_dict(token), "log_probability": value} for token, value in found.tokens],
                }
                for found in self.hypotheses
            ],
        }


def token_dict(token: bytes) -> dict[str, str | None]:
    """A token as text, None if it is not whole characters, and always as bytes."""
    try:
        text: str | None = token.decode()
    except UnicodeDecodeError:
        text = None
    return {"text": text, "hex": token.hex()}
