"""`Codec`: text to ids and back on a `BpeModel`. Knows no files, no formats and no traces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, Literal, NoReturn, get_args

from bpe_transformer import _core
from bpe_transformer.errors import EncodingError
from bpe_transformer.lazy import NDArray, np
from bpe_transformer.tokenizer.encoding.decoding import Decoder
from bpe_transformer.tokenizer.encoding.encodings import Encodings
from bpe_transformer.tokenizer.encoding.error_messages import check_dropout, encoding_error
from bpe_transformer.tokenizer.encoding.framing import Frame, warn_of_cuts
from bpe_transformer.tokenizer.encoding.inputs import Rows, Texts, spans_with_halves, texts_of, without_halves
from bpe_transformer.tokenizer.encoding.special_tokens import NONE, Policies, SpecialNames, refuse, sought_tokens
from bpe_transformer.tokenizer.splitting import normalizers
from bpe_transformer.tokenizer.splitting.alignment import Offsets
from bpe_transformer.tokenizer.threads import thread_count
from bpe_transformer.tokenizer.vocabulary.model import BpeModel, PrefixSpace

OffsetUnit = Literal["byte", "char"]


class Codec:
    """Encodes and decodes with a model; `Tokenizer` has the same methods and documents them.

    A text goes through the stages of the native core in the order of the model: special and added tokens with their flags,
    normalisation, the space before a text, splits, merging. What the core cannot do itself is a stage that calls Python.
    """

    def __init__(self, model: BpeModel) -> None:
        self.model = model
        self.splitter = model.pretokenizer.splitter
        self.encoder = _core.Encoder(
            model.alphabet(),
            *model.columns,
            sought_tokens(model),  # in the order of `policy`
            model.whole_tokens(),
            get_args(PrefixSpace).index(model.prefix_space),
            (model.space_mark or " ").encode(),
            model.pretokenizer.native_normalizer,
            model.vocab_size,
            [becomes for _, becomes in sorted(model.undone.items())],
        )
        self.decoder = Decoder(model)
        self._policies = Policies(model.special_tokens, model.added_tokens, model.token_flags)
        policy, sought = self._policies.of(NONE, "all")
        self._nothing_allowed = None if sought else policy
        self._all_plain, _ = self._policies.of(NONE, ())

    def __reduce__(self) -> tuple[type[Codec], tuple[BpeModel]]:
        return Codec, (self.model,)

    # --- one text ------------------------------------------------------------------------------------------------------

    def encode(
        self,
        text: str | bytes,
        allowed_special: SpecialNames = NONE,
        disallowed_special: SpecialNames = "all",
        add_bos: bool = False,
        add_eos: bool = False,
        max_len: int | None = None,
        dropout: float = 0.0,
        seed: int | None = None,
    ) -> list[int]:
        """See `Tokenizer.encode`."""
        is_default = allowed_special is NONE and disallowed_special == "all"
        policy = self._nothing_allowed if is_default else None
        if policy is None:
            policy = self.policy(allowed_special, disallowed_special, (text,))
        try:
            if dropout:
                ids = self.encoder.sample(self.splitter, text, policy, *check_dropout(dropout, seed))
            else:
                ids = self.encoder.encode(self.splitter, text, policy)
        except (ValueError, TypeError) as cause:
            if (joined := without_halves((text,))) is not None:
                options = (allowed_special, disallowed_special, add_bos, add_eos, max_len, dropout, seed)
                return self.encode(joined[0], *options)
            self._fail(cause, (text,))
        if add_bos or add_eos or max_len is not None:
            ids, num_cut = Frame.of(self.model, add_bos, add_eos, max_len).apply(ids)
            warn_of_cuts(max_len, num_cut, len(ids))
        return ids

    def encode_ordinary(self, text: str | bytes) -> list[int]:
        """The ids of a text in which special tokens are plain text."""
        return self.encode(text, NONE, ())

    def encode_offsets(
        self,
        text: str | bytes,
        unit: OffsetUnit = "byte",
        allowed_special: SpecialNames = NONE,
        disallowed_special: SpecialNames = "all",
        add_bos: bool = False,
        add_eos: bool = False,
        max_len: int | None = None,
        trim: bool | None = None,
    ) -> tuple[list[int], Offsets]:
        """See `Tokenizer.encode_offsets`."""
        policy = self.policy(allowed_special, disallowed_special, (text,))
        in_characters = _in_characters(unit)
        form = (self.model.widths, in_characters, *self._trimming(trim))
        try:
            ids, flat, length = self.encoder.encode_spans(self.splitter, text, policy, *form)
            spans = flat.reshape(-1, 2)
        except (ValueError, TypeError) as cause:
            if (joined := without_halves((text,))) is not None:
                options = (allowed_special, disallowed_special, add_bos, add_eos, max_len, trim)
                ids, spans = self.encode_offsets(joined[0], unit, *options)
                return ids, spans_with_halves(spans, str(text)) if in_characters else spans
            self._fail(cause, (text,))
        if add_bos or add_eos or max_len is not None:
            row = Encodings.unchecked(np.array(ids, np.uint32), np.array([0, len(ids)]))
            frame = Frame.of(self.model, add_bos, add_eos, max_len)
            framed, spans = frame.apply_with_spans(row, spans, np.array([length]))
            ids = framed.ids.tolist()
            warn_of_cuts(max_len, int(framed.num_cut[0]), len(ids))
        return ids, spans

    def pretokens(
        self, text: str | bytes, allowed_special: SpecialNames = NONE, disallowed_special: SpecialNames = "all"
    ) -> Iterator[tuple[bytes, int | None]]:
        """(pre-token, None) and (special or added token, id), in the order of the text, as `encode` finds them."""
        policy = self.policy(allowed_special, disallowed_special, (text,))
        try:
            found = self.encoder.pretokens(self.splitter, text, policy)
        except (ValueError, TypeError) as cause:
            if (joined := without_halves((text,))) is not None:
                return self.pretokens(joined[0], allowed_special, disallowed_special)
            self._fail(cause, (text,))
        tokens = self.model.tokens
        return ((word if id is None else tokens[id], id) for word, id in found)

    def encode_pretokens(self, pretokens: Sequence[bytes]) -> list[int]:
        """The ids of pre-tokens, one after another; they are not split further."""
        return self.encoder.encode_pretokens(list(pretokens))

    def base_ids(self, pretoken: bytes) -> list[int]:
        """The ids of the base symbols of a pre-token, before any merge."""
        return self._encoder_without_merges.encode_pretokens([pretoken])

    @cached_property
    def _encoder_without_merges(self) -> _core.Encoder:
        no_merges = np.empty(0, np.uint32)
        return _core.Encoder(self.model.alphabet(), no_merges, no_merges, no_merges, [], [], 0, b" ", None, 0, [])

    # --- many texts ----------------------------------------------------------------------------------------------------

    def encode_batch(
        self,
        texts: Texts,
        num_threads: int | None = None,
        allowed_special: SpecialNames = NONE,
        disallowed_special: SpecialNames = "all",
        add_bos: bool = False,
        add_eos: bool = False,
        max_len: int | None = None,
        dropout: float = 0.0,
        seed: int | None = None,
    ) -> Encodings:
        """See `Tokenizer.encode_batch`."""
        batch = texts_of(texts)
        policy = self.policy(allowed_special, disallowed_special, batch)
        try:
            encodings = self._encode_rows(batch, policy, thread_count(num_threads), dropout, seed)
        except (ValueError, TypeError) as cause:
            if (joined := without_halves(batch)) is not None:
                options = (num_threads, allowed_special, disallowed_special, add_bos, add_eos, max_len, dropout, seed)
                return self.encode_batch(joined, *options)
            self._fail(cause, batch)
        frame = Frame.of(self.model, add_bos, add_eos, max_len)
        return frame.apply_to_rows(encodings) if frame != Frame() else encodings

    def encode_offsets_batch(
        self,
        texts: Texts,
        unit: OffsetUnit = "byte",
        num_threads: int | None = None,
        allowed_special: SpecialNames = NONE,
        disallowed_special: SpecialNames = "all",
        add_bos: bool = False,
        add_eos: bool = False,
        max_len: int | None = None,
        trim: bool | None = None,
    ) -> tuple[Encodings, Offsets]:
        """See `Tokenizer.encode_offsets_batch`."""
        batch = texts_of(texts)
        policy = self.policy(allowed_special, disallowed_special, batch)
        in_characters = _in_characters(unit)
        try:
            form = (self.model.widths, in_characters, *self._trimming(trim))
            core_options = (policy, *form, thread_count(num_threads))
            if isinstance(batch, Rows):
                ids, row_starts, flat, lengths = self.encoder.spans_rows(self.splitter, batch.chunks, *core_options)
            else:
                ids, row_starts, flat, lengths = self.encoder.spans_batch(self.splitter, batch, *core_options)
            encodings, spans = Encodings.unchecked(ids, row_starts), flat.reshape(-1, 2)
        except (ValueError, TypeError) as cause:
            if (joined := without_halves(batch)) is not None:
                options = (num_threads, allowed_special, disallowed_special, add_bos, add_eos, max_len, trim)
                encodings, spans = self.encode_offsets_batch(joined, unit, *options)
                if in_characters:
                    for text, start, stop in zip(batch, encodings.row_starts, encodings.row_starts[1:], strict=False):
                        if isinstance(text, str) and not text.isascii():
                            spans[start:stop] = spans_with_halves(spans[start:stop], text)
                return encodings, spans
            self._fail(cause, batch)
        frame = Frame.of(self.model, add_bos, add_eos, max_len)
        return frame.apply_with_spans(encodings, spans, lengths) if frame != Frame() else (encodings, spans)

    def count(
        self, text: str | bytes, allowed_special: SpecialNames = NONE, disallowed_special: SpecialNames = "all"
    ) -> int:
        """See `Tokenizer.count`."""
        return len(self.encode(text, allowed_special, disallowed_special))

    def count_batch(
        self,
        texts: Texts,
        num_threads: int | None = None,
        allowed_special: SpecialNames = NONE,
        disallowed_special: SpecialNames = "all",
    ) -> NDArray[np.int64]:
        """See `Tokenizer.count_batch`."""
        return np.diff(self.encode_batch(texts, num_threads, allowed_special, disallowed_special).row_starts)

    # --- settings ------------------------------------------------------------------------------------------------------

    @property
    def cache_bytes(self) -> int:
        """See `Tokenizer.cache_bytes`."""
        return int(self.encoder.cache_bytes)

    @cache_bytes.setter
    def cache_bytes(self, value: int) -> None:
        if not isinstance(value, int) or value < 0:
            raise EncodingError(
                f"cache_bytes={value!r} is not a size; give a number of bytes, 0 for the smallest cache"
            )
        self.encoder.cache_bytes = min(value, 2**62)

    @property
    def stages(self) -> dict[str, str]:
        """The stages of encoding in order, each with what does it: the core, or Python called back, and why."""
        split, flagged = self.model.pretokenizer, self.model.token_flags
        stages: dict[str, str] = {}
        if self.model.special_tokens or self.model.added_tokens:
            stages["tokens in text"] = f"by the core, {len(flagged)} of them with flags" if flagged else "by the core"
        if split.normalization:
            stages["normalisation"] = f"to {split.normalization} by the core"
        elif split.rewriting:
            stages["normalisation"] = f"{', '.join(step[0] for step in split.rewriting)} by the core"
            if by_python := normalizers.by_python(split.rewriting):
                stages["normalisation"] += f", which finds the matches of {', '.join(by_python)} with the regex package"
        elif split.normalizer is not None:
            stages["normalisation"] = "SentencePiece's, by the core"
        undone = f", which undoes {len(self.model.undone):,} tokens in the end" if self.model.undone else ""
        return stages | {"split": split.way, "merging": f"by the core{undone}"}

    def policy(self, allowed: SpecialNames, disallowed: SpecialNames, texts: Sequence[object] = ()) -> bytes:
        """The native core's treatment of each special and added token, one byte each.

        Raises `SpecialTokenError` if a text holds a disallowed string that the core cannot find.
        """
        if allowed is NONE and disallowed in ((), NONE):
            return self._all_plain
        policy, sought = self._policies.of(allowed, disallowed)
        if sought:
            refuse(sought, texts)
        return policy

    def _trimming(self, trim: bool | None) -> tuple[bytes, NDArray[np.uint32]]:
        """What the core needs to leave white space out of spans: the steps, and by id how much there is, (2 N,)."""
        steps = self.model.offset_trims if trim is None else (self.model.offset_trims or (False,)) if trim else ()
        return bytes(steps), self.model.white_space.ravel() if steps else self.model.widths[:0]

    def _encode_rows(
        self, texts: Rows | tuple[Any, ...], policy: bytes, num_threads: int, dropout: float, seed: int | None
    ) -> Encodings:
        native, splitter = self.encoder, self.splitter
        if dropout:
            draw = check_dropout(dropout, seed)
            if isinstance(texts, Rows):
                return Encodings.unchecked(*native.sample_rows(splitter, texts.chunks, policy, *draw, num_threads))
            return Encodings.unchecked(*native.sample_batch(splitter, texts, policy, *draw, num_threads))
        if isinstance(texts, Rows):
            return Encodings.unchecked(*native.encode_rows(splitter, texts.chunks, policy, num_threads))
        return Encodings.unchecked(*native.encode_batch(splitter, texts, policy, num_threads))

    def _fail(self, cause: Exception, texts: Sequence[object]) -> NoReturn:
        raise encoding_error(cause, texts, self.model) or cause from None


def _in_characters(unit: str) -> bool:
    if unit not in ("byte", "char"):
        raise EncodingError(f"unit={unit!r} is unknown; choose byte or char")
    return unit == "char"
