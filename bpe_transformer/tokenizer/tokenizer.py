"""The tokenizer: text to ids and back."""

from __future__ import annotations

import operator
import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NoReturn, get_args

import numpy as np
from numpy.typing import NDArray

from bpe_transformer import _core
from bpe_transformer.errors import DecodingError, EncodingError, SpecialTokenError, TruncationWarning
from bpe_transformer.tokenizer.conversions import Conversions
from bpe_transformer.tokenizer.encoding import special_tokens as specials
from bpe_transformer.tokenizer.encoding.decoding import Decoding
from bpe_transformer.tokenizer.encoding.encodings import Encodings, Frame
from bpe_transformer.tokenizer.encoding.error_messages import (
    check_dropout,
    check_max_len,
    encoding_problem,
    id_out_of_range,
    lacks_mark,
)
from bpe_transformer.tokenizer.encoding.inputs import Rows, Texts, texts_of
from bpe_transformer.tokenizer.encoding.native_texts import PlainTexts, together, without
from bpe_transformer.tokenizer.encoding.python_path import PartEncoder, text_bytes
from bpe_transformer.tokenizer.encoding.special_tokens import NONE, Policies, Specials
from bpe_transformer.tokenizer.splitting.alignment import Offsets
from bpe_transformer.tokenizer.threads import thread_count
from bpe_transformer.tokenizer.vocabulary.model import BpeModel, PrefixSpace, Unit
from bpe_transformer.tokenizer.vocabulary.trace import MergeTrace

if TYPE_CHECKING:
    from bpe_transformer.tokenizer.counting.counts import PretokenCounts
    from bpe_transformer.tokenizer.files.encode_files import EncodedFiles
    from bpe_transformer.tokenizer.resizing.truncate_and_prune import Pruned


class Tokenizer(Conversions, Decoding):
    """A learned BPE vocabulary, ready to encode and decode. Made by `learn_bpe` or `Tokenizer.load`; does not change.

    One object may be used by many threads at a time.
    """

    def __init__(self, model: BpeModel, *, trace: MergeTrace | None = None) -> None:
        self.model = model
        self.trace = trace
        # where bytes are not all there, the core cannot tell the space mark from them; it knows no flags either
        by_python = model.lacks_bytes and model.prefix_space.endswith("_if_none")
        split = model.pretokenizer
        by_python |= split.normalizer is not None and split.normalization is None
        self._plain_scanner = None if by_python else split.normalized_scanner
        self._scanner = None if model.token_flags or split.normalization else self._plain_scanner
        # special tokens first, then those that are always looked for: the order of `_policy`
        self._specials = [
            (token.encode(), id) for kind in (model.special_tokens, model.added_tokens) for token, id in kind.items()
        ]
        prefix = get_args(PrefixSpace).index(model.prefix_space)
        self._encoder = _core.Encoder(
            model.alphabet(), model.left, model.right, model.merged_ids, self._specials, model.whole_tokens(), prefix
        )
        self._parts = PartEncoder(model, self._encoder, self._specials)
        self._policies = Policies(model.special_tokens, model.added_tokens, model.token_flags)
        policy, sought = self._policies.of(NONE, "all")
        self._nothing_allowed = None if sought else policy
        self._all_plain, _ = self._policies.of(NONE, ())
        where = get_args(PrefixSpace).index(model.prefix_space.removesuffix("_if_none"))
        self._decoder = _core.Decoder(model.decoded_bytes, model.decoder_flags(), where)

    # --- facts ---------------------------------------------------------------------------------------------------------

    @property
    def vocab_size(self) -> int:
        """The largest id + 1, special tokens included."""
        return len(self.model.tokens)

    @property
    def special_tokens(self) -> dict[str, int]:
        return dict(self.model.special_tokens)

    @property
    def pattern(self) -> str:
        """The split pattern, by name if it has one."""
        return self.model.pattern

    @property
    def unit(self) -> Unit:
        return self.model.unit

    @property
    def end_of_word(self) -> str | None:
        return self.model.end_of_word

    @property
    def unk_token(self) -> str | None:
        return self.model.unk_token

    @property
    def digest(self) -> str:
        """SHA-256 over everything that decides how text becomes ids; travels with data caches and checkpoints."""
        return self.model.digest

    @property
    def cache_bytes(self) -> int:
        """The most memory, in bytes, in which each thread remembers words and their ids; 64 MiB unless set.

        >>> tok.cache_bytes = 8 << 20                                       # doctest: +SKIP
        """
        return int(self._encoder.cache_bytes)

    @cache_bytes.setter
    def cache_bytes(self, value: int) -> None:
        if not isinstance(value, int) or value < 0:
            raise EncodingError(f"cache_bytes={value!r} is no size; give a number of bytes, 0 for hardly any")
        self._encoder.cache_bytes = min(value, 2**62)

    @cached_property
    def merges(self) -> list[tuple[int, int]]:
        """(left id, right id) by rank."""
        return list(zip(self.model.left.tolist(), self.model.right.tolist(), strict=True))

    @property
    def first_merge_id(self) -> int:
        """The id that the merge of rank 0 makes; in a vocabulary of ours rank r makes `first_merge_id + r`."""
        return int(self.model.merged_ids[0]) if len(self.model.merged_ids) else self.vocab_size

    def token_bytes(self, id: int) -> bytes:
        """A token's bytes, with the end-of-word mark where it has one. Raises `DecodingError` for an id out of range."""
        if not 0 <= operator.index(id) < self.vocab_size:
            raise DecodingError(id_out_of_range(id, self.vocab_size))
        return self.model.tokens[id]

    @cached_property
    def _id_of(self) -> dict[bytes, int]:
        return {token: id for id, token in enumerate(self.model.tokens) if token}

    def id_of(self, token: bytes | str) -> int:
        """The id of a token, by its bytes or its text. Raises `KeyError` if it has none."""
        return self._id_of[token.encode("utf-8", "surrogatepass") if isinstance(token, str) else token]

    def __repr__(self) -> str:
        return (
            f"Tokenizer(vocab_size={self.vocab_size}, merges={len(self.model.left)}, unit={self.unit!r}, "
            f"pattern={self.pattern!r}, special_tokens={list(self.special_tokens)}, digest={self.digest[:12]})"
        )

    def __reduce__(self) -> tuple[object, ...]:
        return _restore, (self.model, self.trace, self.cache_bytes)

    # --- text to ids ---------------------------------------------------------------------------------------------------

    def encode(
        self,
        text: str | bytes,
        *,
        allowed_special: Specials = NONE,
        disallowed_special: Specials = "all",
        add_bos: bool = False,
        add_eos: bool = False,
        max_len: int | None = None,
        dropout: float = 0.0,
        seed: int | None = None,
    ) -> list[int]:
        """The ids of a text, or of bytes, which need not be UTF-8.

        Special tokens follow tiktoken's policy: those in `allowed_special` become their ids, of several at one place the
        longest; anything of `disallowed_special` (by default all that are not allowed) in the text raises
        `SpecialTokenError`; the rest is plain text. `add_bos` and `add_eos` put the vocabulary's `bos_token` and `eos_token`
        around the ids.

        With `max_len`, ids beyond it are cut off the text's end, `eos` stays, and a `TruncationWarning` says how many were
        cut; `encode_batch` counts them in `num_cut` instead.

        `dropout` is the probability with which each merge is left out whenever it could happen (BPE-dropout: Provilkov,
        Emelianenko and Voita 2020), so that a model sees words in other pieces too. The same `seed` gives the same ids.

        Raises `EncodingError` for a character outside the alphabet of a character vocabulary without `<unk>`.
        """
        plain = allowed_special is NONE and disallowed_special == "all"
        policy = self._nothing_allowed if plain else None
        if policy is None:
            policy = self._policy(allowed_special, disallowed_special, (text,))
        try:
            if dropout:
                ids = self._sample(text, policy, dropout, seed)
            elif (scanner := self._scanner_for((text,))) is not None:
                ids = self._encoder.encode(scanner, text, policy)
            else:
                ids = self._parts.encode(text_bytes(text), policy)
        except (ValueError, TypeError) as cause:
            self._fail(cause, (text,))
        if add_bos or add_eos or max_len is not None:
            ids, num_cut = self._frame(add_bos, add_eos, max_len).around(ids)
            self._warn_of_cuts(max_len, num_cut, len(ids))
        return ids

    def encode_ordinary(self, text: str | bytes) -> list[int]:
        """The ids of a text in which special tokens mean nothing: `encode(text, disallowed_special=())`."""
        return self.encode(text, disallowed_special=())

    def encode_batch(
        self,
        texts: Texts,
        num_threads: int | None = None,
        *,
        allowed_special: Specials = NONE,
        disallowed_special: Specials = "all",
        add_bos: bool = False,
        add_eos: bool = False,
        max_len: int | None = None,
        dropout: float = 0.0,
        seed: int | None = None,
    ) -> Encodings:
        """The ids of many texts, on several threads (default: all cores); each as `encode` gives them.

        Texts are any iterable of `str` or `bytes`; NumPy arrays of strings, Arrow arrays of strings or binary, what can be
        exported as such (a column of Polars, say), and columns of `datasets` are read without a Python object for each.
        A missing text raises `EncodingError`.

        What `max_len` cuts is counted in `num_cut` of the result, without a warning. With `dropout`, text number `i` draws
        from a stream of its own, so that neither the number of threads nor the other texts change its ids; the first text of
        a batch has the ids that `encode` gives it.
        """
        batch = texts_of(texts)
        policy = self._policy(allowed_special, disallowed_special, batch)
        try:
            plain = self._batch(batch, policy, thread_count(num_threads), dropout, seed)
        except (ValueError, TypeError) as cause:
            self._fail(cause, batch)
        frame = self._frame(add_bos, add_eos, max_len)
        return plain if frame == Frame() else frame.around_each(plain)

    def encode_offsets(
        self,
        text: str | bytes,
        unit: Literal["byte", "char"] = "byte",
        *,
        allowed_special: Specials = NONE,
        disallowed_special: Specials = "all",
        add_bos: bool = False,
        add_eos: bool = False,
        max_len: int | None = None,
    ) -> tuple[list[int], Offsets]:
        """The ids of a text, and where in it each token is, (T, 2): `text[start:end]`, in bytes of its UTF-8 or in characters.

        Offsets are always into the text as it was given, also where it was normalised: a token that holds any of what
        normalisation made of several characters stands for all of these. With `unit="char"` a token stands for every
        character of which it holds a byte, so neighbours may share one. White space that an end-of-word mark replaces
        belongs to no token; a token that stands for nothing in the text, such as `bos`, has an empty span.

        >>> tok.encode_offsets("숲 low", "char")                            # doctest: +SKIP
        ([236, 136, 178, 261], array([[0, 1], [0, 1], [0, 1], [1, 5]]))
        """
        policy = self._policy(allowed_special, disallowed_special, (text,))
        in_characters = self._in_characters(unit)
        try:
            if (scanner := self._scanner_for((text,))) is not None:
                ids, flat, length = self._encoder.encode_spans(scanner, text, policy, self.model.widths, in_characters)
                spans = flat.reshape(-1, 2)
            else:
                data = text_bytes(text)
                ids, spans = self._parts.encode_spans(data, policy, self.model.widths)
                length = _core.characters(data, spans) if in_characters else len(data)
        except (ValueError, TypeError) as cause:
            self._fail(cause, (text,))
        if add_bos or add_eos or max_len is not None:
            plain = Encodings(np.array(ids, np.uint32), np.array([0, len(ids)]))
            framed, spans = self._frame(add_bos, add_eos, max_len).around_spans(plain, spans, np.array([length]))
            ids = framed.ids.tolist()
            self._warn_of_cuts(max_len, int(framed.num_cut[0]), len(ids))
        return ids, spans

    def encode_offsets_batch(
        self,
        texts: Texts,
        unit: Literal["byte", "char"] = "byte",
        num_threads: int | None = None,
        *,
        allowed_special: Specials = NONE,
        disallowed_special: Specials = "all",
        add_bos: bool = False,
        add_eos: bool = False,
        max_len: int | None = None,
    ) -> tuple[Encodings, Offsets]:
        """The ids of many texts, and where in its text each token is, (T, 2), for all texts in one array: as `encode_offsets`.

        The tokens of text `i` are at `spans[encodings.offsets[i]:encodings.offsets[i + 1]]`. What `max_len` cuts is counted
        in `num_cut`.

        >>> encodings, spans = tok.encode_offsets_batch(["숲", "low"], "char")      # doctest: +SKIP
        >>> encodings.tolist(), spans.tolist()                              # doctest: +SKIP
        ([[236, 136, 178], [260]], [[0, 1], [0, 1], [0, 1], [0, 3]])
        """
        batch = texts_of(texts)
        policy = self._policy(allowed_special, disallowed_special, batch)
        widths, in_characters = self.model.widths, self._in_characters(unit)
        try:
            if (scanner := self._scanner_for(batch)) is None:
                plain, spans, lengths = self._parts.spans_batch(batch, policy, widths, in_characters)
            else:
                options = (policy, widths, in_characters, thread_count(num_threads))
                if isinstance(batch, Rows):
                    ids, offsets, flat, lengths = self._encoder.spans_rows(scanner, batch.chunks, *options)
                else:
                    ids, offsets, flat, lengths = self._encoder.spans_batch(scanner, batch, *options)
                plain, spans = Encodings(ids, offsets), flat.reshape(-1, 2)
        except (ValueError, TypeError) as cause:
            self._fail(cause, batch)
        frame = self._frame(add_bos, add_eos, max_len)
        return (plain, spans) if frame == Frame() else frame.around_spans(plain, spans, lengths)

    def count(
        self, text: str | bytes, *, allowed_special: Specials = NONE, disallowed_special: Specials = "all"
    ) -> int:
        """How many ids `encode` gives for a text."""
        return len(self.encode(text, allowed_special=allowed_special, disallowed_special=disallowed_special))

    def count_batch(
        self,
        texts: Texts,
        num_threads: int | None = None,
        *,
        allowed_special: Specials = NONE,
        disallowed_special: Specials = "all",
    ) -> NDArray[np.int64]:
        """How many ids each of many texts has, (N,)."""
        encodings = self.encode_batch(
            texts, num_threads, allowed_special=allowed_special, disallowed_special=disallowed_special
        )
        return np.diff(encodings.offsets)

    def encode_files(
        self,
        paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        out: str | os.PathLike[str],
        *,
        format: Literal["npy", "arrow"] = "npy",
        documents: Literal["file", "line"] = "file",
        glob: str = "**/*",
        errors: Literal["strict", "replace", "keep"] = "strict",
        num_threads: int | None = None,
        allowed_special: Specials = NONE,
        disallowed_special: Specials = "all",
        add_bos: bool = False,
        add_eos: bool = False,
        overwrite: bool = False,
        progress: Callable[[int, int], object] | None = None,
    ) -> EncodedFiles:
        """Encodes files, and those that `glob` finds in folders, to the folder `out`; gives back what is there, mapped.

        Files ending in .gz or .zst are unpacked. A document is a file, or a line without its line end; its ids are those of
        `encode`. The folder holds `ids.npy` (uint16 for up to 65,536 ids, else uint32) and `offsets.npy`, or the Arrow stream
        `ids.arrow` with a list for each document (`datasets.Dataset.from_file` reads it), and `encoded.json`: the sources, the
        tokenizer's digest and the totals. Needs memory for some 8 MB of text at a time, or for the longest line; for a whole
        file where normalisation or a pattern of one's own splits the text. `progress(bytes done, bytes in all)` is called on
        the way.

        A run that was killed goes on where it stopped when it is called again; one that finished is not repeated. Raises
        `DigestMismatchError` where the tokenizer, the sources or the options are others than before, unless `overwrite`;
        `InvalidUtf8Error` unless `errors` is "replace" or "keep" (bytes as they are); `CorpusError` for sources that are
        missing or change on the way; and what `encode` raises, with the file.

        >>> encoded = tok.encode_files("corpus", "corpus.ids", documents="line")  # doctest: +SKIP
        >>> encoded.totals, encoded.encodings[0]                            # doctest: +SKIP
        (Totals(documents=3, empty=0, bytes=120, ids=31, replaced=0), array([300, 12], dtype=uint16))
        """
        from bpe_transformer.tokenizer.files.encode_files import encode_files

        return encode_files(
            self, paths, out, format=format, documents=documents, glob=glob, errors=errors, num_threads=num_threads,
            allowed_special=specials.named("allowed_special", allowed_special),
            disallowed_special=specials.named("disallowed_special", disallowed_special),
            frame=self._frame(add_bos, add_eos, None), overwrite=overwrite, progress=progress,
        )  # fmt: skip

    def _policy(self, allowed: Specials, disallowed: Specials, texts: Sequence[object] = ()) -> bytes:
        if allowed is NONE and disallowed in ((), NONE):
            return self._all_plain
        policy, sought = self._policies.of(allowed, disallowed)
        if sought:
            specials.refuse(sought, texts)
        return policy

    def _scanner_for(self, texts: Sequence[object]) -> int | None:
        """The native scanner; None where Python takes part: a text may hold a token with flags, or has to be normalised."""
        if self._scanner is not None or self._plain_scanner is None:
            return self._scanner
        return None if self._plain.others(texts) else self._plain_scanner

    @cached_property
    def _plain(self) -> PlainTexts:
        return PlainTexts(self.model)

    def _sample(self, text: str | bytes, policy: bytes, dropout: float, seed: int | None) -> list[int]:
        chance = check_dropout(dropout, seed)
        if self._scanner is None:
            return self._parts.encode(text_bytes(text), policy, _core.Dropout(*chance, 0))
        return self._encoder.sample(self._scanner, text, policy, *chance)

    def _batch(
        self, texts: Rows | tuple[Any, ...], policy: bytes, num_threads: int, dropout: float, seed: int | None
    ) -> Encodings:
        native, chance = self._encoder, check_dropout(dropout, seed) if dropout else (0.0, 0)
        scanner = self._scanner
        if scanner is None and self._plain_scanner is not None and not dropout:
            others = self._plain.others(texts)
            if others and len(others) < len(texts) and isinstance(texts, tuple):
                rows = self._parts.encode_some(texts, others, policy)
                plain = tuple(without(texts, others))
                return together(
                    Encodings(*native.encode_batch(self._plain_scanner, plain, policy, num_threads)), others, rows
                )
            scanner = None if others else self._plain_scanner
        if scanner is None:
            return self._parts.encode_batch(texts, policy, *chance)
        if isinstance(texts, Rows):
            if dropout:
                return Encodings(*native.sample_rows(scanner, texts.chunks, policy, *chance, num_threads))
            return Encodings(*native.encode_rows(scanner, texts.chunks, policy, num_threads))
        if dropout:
            return Encodings(*native.sample_batch(scanner, texts, policy, *chance, num_threads))
        return Encodings(*native.encode_batch(scanner, texts, policy, num_threads))

    def _frame(self, add_bos: bool, add_eos: bool, max_len: int | None) -> Frame:
        sides = self.model.bos_eos_tokens
        names = {**self.model.added_tokens, **self.model.special_tokens} if add_bos or add_eos else {}
        for name, asked, side in (("bos", add_bos, sides[0]), ("eos", add_eos, sides[1])):
            if asked and not side:
                raise SpecialTokenError(lacks_mark(name))
        before, behind = (
            tuple(names[token] for token in side) if asked else ()
            for asked, side in zip((add_bos, add_eos), sides, strict=True)
        )
        frame = Frame(before, behind, max_len)
        check_max_len(max_len, frame.num_marks)
        return frame

    @staticmethod
    def _in_characters(unit: str) -> bool:
        if unit not in ("byte", "char"):
            raise EncodingError(f"unit={unit!r} is unknown; choose byte or char")
        return unit == "char"

    @staticmethod
    def _warn_of_cuts(max_len: int | None, num_cut: int, kept: int) -> None:
        if num_cut:
            message = f"max_len={max_len} cut {num_cut} of {num_cut + kept} ids off a text"
            warnings.warn(message, TruncationWarning, stacklevel=3)

    def _fail(self, cause: Exception, texts: Sequence[object]) -> NoReturn:
        raise encoding_problem(cause, texts, self.model) or cause from None

    # --- other sizes ---------------------------------------------------------------------------------------------------

    def truncate(self, vocab_size: int) -> Tokenizer:
        """The smaller vocabulary of the first merges, at once: what learning that size on the same counts would have given.

        Ids stay. Only special and added tokens that stand above all merges, as in GPT-2's vocabulary, move down to follow
        the last merge that is kept. The trace is cut as well. Raises `LearningError` if the base alphabet and these tokens
        do not fit, or if ids do not follow the order of merges, as in some imported vocabularies.
        """
        from bpe_transformer.tokenizer.resizing.truncate_and_prune import truncate

        return truncate(self, vocab_size)

    def prune(self, corpus: PretokenCounts | Iterable[str]) -> Pruned:
        """The vocabulary without the tokens that a corpus, given as counts or texts, never needs, and the new ids.

        Base alphabet, special and added tokens stay, and so do unused tokens that used ones are made of. The corpus is
        encoded exactly as before, but for the ids: `pruned.new_ids[old ids] == pruned.tokenizer.encode(...)`; other texts
        may take more tokens. The result has no trace. Raises `LearningError` for counts split otherwise, and what
        encoding raises.

        >>> counts = PretokenCounts.from_words({"low": 5, "lower": 2, "newest": 6, "widest": 3})
        >>> tok = learn_bpe(counts, vocab_size=270)
        >>> print(tok.prune(["low lower"]))                                        # doctest: +SKIP
        270 ids became 260: 10 dropped (3.7%), ...
        """
        from bpe_transformer.tokenizer.resizing.truncate_and_prune import prune

        return prune(self, corpus)


def _restore(model: BpeModel, trace: MergeTrace | None, cache_bytes: int) -> Tokenizer:
    tokenizer = Tokenizer(model, trace=trace)
    tokenizer.cache_bytes = cache_bytes
    return tokenizer
