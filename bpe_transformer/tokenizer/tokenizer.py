"""`Tokenizer`: the class that users work with. Encoding is in `encoding/codec.py`, files in `formats/` and `files/`."""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from bpe_transformer.errors import DecodingError, EncodingError
from bpe_transformer.io import shown
from bpe_transformer.lazy import NDArray, np
from bpe_transformer.tokenizer.encoding.codec import Codec, OffsetUnit
from bpe_transformer.tokenizer.encoding.decode_stream import DecodeStream
from bpe_transformer.tokenizer.encoding.encodings import Encodings
from bpe_transformer.tokenizer.encoding.error_messages import id_out_of_range
from bpe_transformer.tokenizer.encoding.framing import Frame, warn_of_cuts
from bpe_transformer.tokenizer.encoding.inputs import Texts, replaced, replaced_texts
from bpe_transformer.tokenizer.encoding.pairs import is_left, joined_pair, windows
from bpe_transformer.tokenizer.encoding.special_tokens import NONE, SpecialNames
from bpe_transformer.tokenizer.file_methods import TokenizerFiles
from bpe_transformer.tokenizer.splitting.alignment import Offsets
from bpe_transformer.tokenizer.vocabulary.model import BpeModel, Unit
from bpe_transformer.tokenizer.vocabulary.pruned_model import PrunedModel
from bpe_transformer.tokenizer.vocabulary.roles import Roles

if TYPE_CHECKING:
    from bpe_transformer.io import Errors, ErrorsOrKeep
    from bpe_transformer.tokenizer.counting.counts import PretokenCounts
    from bpe_transformer.tokenizer.store import TokenStore
    from bpe_transformer.tokenizer.vocabulary.trace import MergeTrace

Path = str | os.PathLike[str]
Side = Literal["left", "right"]
Ids: TypeAlias = "Sequence[int] | NDArray[np.integer[Any]]"


class Tokenizer(TokenizerFiles):
    """A learned BPE vocabulary, ready to encode and decode. `learn_bpe` and `Tokenizer.load` return one; it never changes.

    One object may be used by many threads at a time.
    """

    def __init__(self, model: BpeModel | Codec, *, trace: MergeTrace | Callable[[], MergeTrace] | None = None) -> None:
        """Wraps a vocabulary, or a codec that was built for it already; `trace` may be a function that reads it when needed."""
        self.codec = model if isinstance(model, Codec) else Codec(model)
        self.model = self.codec.model
        self._trace = trace
        self._encode = self.codec.encode  # bound once: a call of it costs less than a look-up in two steps

    # --- facts ---------------------------------------------------------------------------------------------------------

    @property
    def trace(self) -> MergeTrace | None:
        """What each merge did to the corpus it was learned on; None for a vocabulary that has no trace."""
        if callable(self._trace):
            self._trace = self._trace()
        return self._trace

    @property
    def vocab_size(self) -> int:
        """The largest id + 1, special tokens included."""
        return self.model.vocab_size

    @property
    def special_tokens(self) -> dict[str, int]:
        return dict(self.model.special_tokens)

    @property
    def roles(self) -> Roles:
        """What special tokens are for: as given when learning or in files, else by conventional names such as `<pad>`."""
        return self.model.named_roles

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
        """The most memory, in bytes, of each thread's cache of words and their ids; 64 MiB unless set."""
        return self.codec.cache_bytes

    @cache_bytes.setter
    def cache_bytes(self, value: int) -> None:
        self.codec.cache_bytes = value

    @cached_property
    def merges(self) -> list[tuple[int, int]]:
        """(left id, right id) by rank."""
        return list(zip(self.model.left.tolist(), self.model.right.tolist(), strict=True))

    @property
    def first_merge_id(self) -> int:
        """The id of the merge of rank 0; in a vocabulary learned here, the merge of rank r has the id `first_merge_id + r`."""
        return int(self.model.merged_ids[0]) if len(self.model.merged_ids) else self.vocab_size

    def token_bytes(self, id: int) -> bytes:
        """A token's bytes, with the end-of-word mark where it has one. Raises `DecodingError` for an id out of range, and
        `KeyError` for one that has no token, as in some imported vocabularies. Tokens that are undone (see
        `BpeModel`) have ids from `vocab_size` on.
        """
        if not 0 <= operator.index(id) < len(self.model.tokens):
            raise DecodingError(id_out_of_range(id, self.vocab_size))
        if not (token := self.model.tokens[id]):
            raise KeyError(id_out_of_range(id, self.vocab_size))
        return token

    def id_of(self, token: bytes | str) -> int:
        """The id of a token, by its bytes or its text. Raises `KeyError` if it has none."""
        return self.model.id_of[token.encode("utf-8", "surrogatepass") if isinstance(token, str) else token]

    def __repr__(self) -> str:
        facts = f"vocab_size={self.vocab_size}, merges={len(self.model.left)}, unit={self.unit!r}, "
        named = f"pattern={shown(self.pattern)}, special_tokens={shown(list(self.special_tokens))}, "
        return f"Tokenizer({facts}{named}digest={self.digest[:12]})"

    def __reduce__(self) -> tuple[object, ...]:
        return _restore, (self.model, self.trace, self.cache_bytes)

    # --- text to ids ---------------------------------------------------------------------------------------------------

    def encode(
        self,
        text: str | bytes,
        pair: str | bytes | None = None,
        *,
        allowed_special: SpecialNames = NONE,
        disallowed_special: SpecialNames = "all",
        add_bos: bool = False,
        add_eos: bool = False,
        max_len: int | None = None,
        truncation_side: Side = "right",
        dropout: float = 0.0,
        seed: int | None = None,
        errors: Errors = "strict",
    ) -> list[int]:
        """The ids of a text, or of bytes, which need not be UTF-8.

        Special tokens follow tiktoken's policy: those in `allowed_special` become their ids, of several at one place the
        longest; anything of `disallowed_special` (by default all that are not allowed) in the text raises
        `SpecialTokenError`; the rest is plain text. `add_bos` and `add_eos` put the vocabulary's `bos_token` and `eos_token`
        before and after the ids.
        With `max_len`, ids beyond it are cut off the text's end, `eos` stays, and a `TruncationWarning` says how many were
        cut; `encode_batch` counts them in `num_cut` instead.
        With `truncation_side="left"` they are cut off its start.
        `pair` is a second text of the same row: `encode_pair` says where its tokens go.
        `dropout` is the probability with which each merge is left out whenever it could happen (BPE-dropout: Provilkov,
        Emelianenko and Voita 2020), so that a model sees words as other tokens too. The same `seed` gives the same ids.
        The two halves of a surrogate pair in a `str` are their character. A lone one raises `EncodingError`, or becomes U+FFFD
        with `errors="replace"`, as bytes that are not UTF-8 then do.

        Raises `EncodingError` for a character outside the alphabet of a character vocabulary without `<unk>`.
        """
        if errors != "strict":
            text = replaced(text, errors)
        if pair is not None or truncation_side != "right":
            special: dict[str, Any] = {"allowed_special": allowed_special, "disallowed_special": disallowed_special}
            if pair is not None:
                if dropout or seed is not None:
                    raise EncodingError(
                        "dropout and seed are for one text, not for a pair; encode the texts one by one"
                    )
                options: dict[str, Any] = {"add_bos": add_bos, "add_eos": add_eos, "max_len": max_len, "errors": errors}
                return self.encode_pair(text, pair, **options, **special, truncation_side=truncation_side)[0]
            ids = self.encode(text, **special, dropout=dropout, seed=seed)
            frame = Frame.of(self.model, add_bos, add_eos, max_len, is_left(truncation_side))
            ids, num_cut = frame.apply(ids)
            warn_of_cuts(max_len, num_cut, len(ids))
            return ids
        return self._encode(text, allowed_special, disallowed_special, add_bos, add_eos, max_len, dropout, seed)

    def encode_pair(
        self,
        text: str | bytes,
        pair: str | bytes,
        *,
        allowed_special: SpecialNames = NONE,
        disallowed_special: SpecialNames = "all",
        add_bos: bool = True,
        add_eos: bool = True,
        max_len: int | None = None,
        truncation_side: Side = "right",
        errors: Errors = "strict",
    ) -> tuple[list[int], list[int]]:
        """(ids, type ids) of two texts in one row, with the tokens that the vocabulary puts around and between them.

        A tokenizer.json says which those are (`[CLS] A [SEP] B [SEP]`, say); other vocabularies put around each text what they
        add to one. They come all together: `add_bos` and `add_eos` are both set or both not. Beyond `max_len`, ids are cut off
        the longer text first, with a `TruncationWarning`. Without tokens, the type ids are 0 and 1.
        """
        if add_bos != add_eos:
            raise EncodingError(
                f"add_bos={add_bos} and add_eos={add_eos}: a pair has all of its tokens or none; set both alike"
            )
        first, second = (
            self.encode(one, allowed_special=allowed_special, disallowed_special=disallowed_special, errors=errors)
            for one in (text, pair)
        )
        ids, types, num_cut = joined_pair(
            self.model, first, second, add_special=add_bos, max_len=max_len, side=truncation_side
        )
        warn_of_cuts(max_len, num_cut, len(ids))
        return ids, types

    def encode_windows(
        self,
        text: str | bytes,
        max_len: int,
        *,
        stride: int = 0,
        allowed_special: SpecialNames = NONE,
        disallowed_special: SpecialNames = "all",
        add_bos: bool = False,
        add_eos: bool = False,
        truncation_side: Side = "right",
    ) -> Encodings:
        """A long text as rows of at most `max_len` ids, each of which begins with the last `stride` ids of the one before it.

        `add_bos` and `add_eos` add their tokens to every row. With `truncation_side="left"` the rows are counted from the end,
        the last part of the text first.
        """
        ids = self.encode(text, allowed_special=allowed_special, disallowed_special=disallowed_special)
        return windows(ids, Frame.of(self.model, add_bos, add_eos, max_len), stride, truncation_side)

    def encode_ordinary(self, text: str | bytes) -> list[int]:
        """The ids of a text in which special tokens mean nothing: `encode(text, disallowed_special=())`."""
        return self.encode(text, disallowed_special=())

    def encode_batch(
        self,
        texts: Texts,
        num_threads: int | None = None,
        *,
        allowed_special: SpecialNames = NONE,
        disallowed_special: SpecialNames = "all",
        add_bos: bool = False,
        add_eos: bool = False,
        max_len: int | None = None,
        truncation_side: Side = "right",
        dropout: float = 0.0,
        seed: int | None = None,
        errors: Errors = "strict",
    ) -> Encodings:
        """The ids of many texts, on several threads (default: all cores); each as `encode` gives them.

        Texts are any iterable of `str` or `bytes`; NumPy arrays of strings, Arrow arrays of strings or binary, what can be
        exported as such (a column of Polars, say), and columns of `datasets` are read without a Python object for each.
        A missing text raises `EncodingError`.
        What `max_len` cuts is counted in `num_cut` of the result, without a warning. With `dropout`, text number `i` draws
        from a separate random stream, so that neither the number of threads nor the other texts change its ids; the first text of
        a batch has the ids that `encode` gives it.
        """
        if truncation_side != "right":
            frame = Frame.of(self.model, add_bos, add_eos, max_len, is_left(truncation_side))
            add_bos, add_eos, max_len = False, False, None
        options = (num_threads, allowed_special, disallowed_special, add_bos, add_eos, max_len, dropout, seed)
        encodings = self.codec.encode_batch(replaced_texts(texts, errors), *options)
        return encodings if truncation_side == "right" else frame.apply_to_rows(encodings)

    def encode_offsets(
        self,
        text: str | bytes,
        unit: OffsetUnit = "byte",
        *,
        allowed_special: SpecialNames = NONE,
        disallowed_special: SpecialNames = "all",
        add_bos: bool = False,
        add_eos: bool = False,
        max_len: int | None = None,
        trim: bool | None = None,
        errors: Errors = "strict",
    ) -> tuple[list[int], Offsets]:
        """The ids of a text, and where in it each token is, (T, 2): `text[start:end]`, in bytes of its UTF-8 or in characters.

        Offsets are always into the text as it was given, also where it was normalised: a token that holds any of what
        normalisation made of several characters stands for all of these. With `unit="char"` a token stands for every
        character of which it holds a byte, so neighbours may share one. White space that an end-of-word mark replaces
        belongs to no token; a token that stands for nothing in the text, such as `bos`, has an empty span.
        With `trim`, white space at the ends of a token is left out of its span, as `tokenizers` does where a tokenizer.json
        has `trim_offsets`; by default as the tokenizer.json says that was imported, and False for other vocabularies.
        >>> from bpe_transformer import PretokenCounts, learn_bpe
        >>> tok = learn_bpe(PretokenCounts.from_words({"low": 5, " low": 2}), vocab_size=259)
        >>> ids, offsets = tok.encode_offsets("숲 low", "char")
        >>> ids, offsets.tolist()
        ([236, 136, 178, 258], [[0, 1], [0, 1], [0, 1], [1, 5]])
        """
        return self.codec.encode_offsets(
            replaced(text, errors), unit, allowed_special, disallowed_special, add_bos, add_eos, max_len, trim
        )

    def encode_offsets_batch(
        self,
        texts: Texts,
        unit: OffsetUnit = "byte",
        num_threads: int | None = None,
        *,
        allowed_special: SpecialNames = NONE,
        disallowed_special: SpecialNames = "all",
        add_bos: bool = False,
        add_eos: bool = False,
        max_len: int | None = None,
        trim: bool | None = None,
        errors: Errors = "strict",
    ) -> tuple[Encodings, Offsets]:
        """The ids of many texts, and where in its text each token is, (T, 2), for all texts in one array: as `encode_offsets`.

        The tokens of text `i` are at `offsets[encodings.row_starts[i]:encodings.row_starts[i + 1]]`. What `max_len` cuts is
        counted in `num_cut`.
        """
        return self.codec.encode_offsets_batch(
            replaced_texts(texts, errors),
            unit,
            num_threads,
            allowed_special,
            disallowed_special,
            add_bos,
            add_eos,
            max_len,
            trim,
        )

    def count(
        self,
        text: str | bytes,
        *,
        allowed_special: SpecialNames = NONE,
        disallowed_special: SpecialNames = "all",
        errors: Errors = "strict",
    ) -> int:
        """How many ids `encode` gives for a text."""
        return self.codec.count(replaced(text, errors), allowed_special, disallowed_special)

    def count_batch(
        self,
        texts: Texts,
        num_threads: int | None = None,
        *,
        allowed_special: SpecialNames = NONE,
        disallowed_special: SpecialNames = "all",
        errors: Errors = "strict",
    ) -> NDArray[np.int64]:
        """How many ids each of many texts has, (N,)."""
        return self.codec.count_batch(replaced_texts(texts, errors), num_threads, allowed_special, disallowed_special)

    def encode_files(
        self,
        paths: Path | Sequence[Path],
        out: Path,
        *,
        format: Literal["npy", "arrow"] = "npy",
        documents: Literal["file", "line"] = "file",
        glob: str = "**/*",
        errors: ErrorsOrKeep = "strict",
        num_threads: int | None = None,
        allowed_special: SpecialNames = NONE,
        disallowed_special: SpecialNames = "all",
        add_bos: bool = False,
        add_eos: bool = False,
        overwrite: bool = False,
        unit_bytes: int | None = None,
        fail_above: float | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> TokenStore:
        """Encodes files, and those that `glob` finds in folders, to a token store in the folder `out`; returns it, mapped.

        Files ending in .gz or .zst are decompressed; a path may be a URL that fsspec knows. A document is a file, or a line
        without its end; its ids are those of `encode`. A shard of about `unit_bytes` of text (64 MiB unless set) has ids
        (uint16 for up to 65,536, else uint32) and row starts as `.npy`, or an Arrow stream of lists. Needs memory for 8 MB of
        text or the longest line; for a whole file where normalisation or a pattern of one's own splits it. `progress` is
        called with bytes done and in all. Called again, it resumes a run that was killed, and does not repeat one that
        finished. Raises `DigestMismatchError` if tokenizer, sources or options changed, unless `overwrite`;
        `InvalidUtf8Error` unless `errors` is "replace" or "keep" (as they are), `DataLossError` for more than `fail_above`
        replaced, `CorpusError` for missing sources, and those of `encode`.
        """
        from bpe_transformer.tokenizer.files.encode_files import FileOptions, encode_files

        size = FileOptions.unit_bytes if unit_bytes is None else unit_bytes
        options = FileOptions(
            format, documents, glob, errors, num_threads, allowed_special, disallowed_special, add_bos, add_eos, size
        )  # fmt: skip
        return encode_files(self.codec, paths, out, options, overwrite, fail_above, progress)

    # --- ids to text ---------------------------------------------------------------------------------------------------

    def decode(self, ids: Ids, *, errors: str = "replace", skip_special_tokens: bool = False) -> str:
        """The text of ids. Bytes that are not UTF-8 on their own, such as half a character, follow `errors` (as in
        `bytes.decode`); `decode_bytes` gives them exactly. Raises `DecodingError` for an id out of range, and for such bytes
        with `errors="strict"`.
        """
        return self.codec.decoder.decode(ids, errors, skip_special_tokens)

    def decode_batch(
        self, rows: Encodings | Iterable[Ids], *, errors: str = "replace", skip_special_tokens: bool = False
    ) -> list[str]:
        """The texts of many rows of ids, also of an Arrow array of lists; each as `decode` gives it."""
        return self.codec.decoder.decode_batch(rows, errors, skip_special_tokens)

    def decode_bytes(self, ids: Ids, *, skip_special_tokens: bool = False) -> bytes:
        """The bytes of ids: for a byte vocabulary exactly those that were encoded. Raises `DecodingError`."""
        return self.codec.decoder.decode_bytes(ids, skip_special_tokens)

    def decode_stream(
        self, ids: Iterable[int] = (), *, errors: str = "replace", skip_special_tokens: bool = False
    ) -> DecodeStream:
        """The text of ids while they come: an iterator over strings, none of which ends inside a character.

        What is left at the end, such as half a character, follows `errors`. To feed it by hand, call `push` and `finish` of
        the result.
        """
        return self.codec.decoder.decode_stream(ids, errors, skip_special_tokens)

    # --- other sizes ---------------------------------------------------------------------------------------------------

    def truncate(self, vocab_size: int) -> Tokenizer:
        """The smaller vocabulary of the first merges: the one that learning that size on the same counts would have given.

        Ids stay. Only special and added tokens above all merges, as in GPT-2's vocabulary, move down to follow the last merge
        that is kept. The trace is cut as well. Raises `LearningError` if the base alphabet and these tokens
        do not fit, or if ids do not follow the order of merges, as in some imported vocabularies.
        """
        from bpe_transformer.tokenizer.resizing.truncate import truncate

        model, trace = truncate(self.model, self.trace, vocab_size)
        return self if model is self.model else Tokenizer(model, trace=trace)

    def prune(self, corpus: PretokenCounts | Iterable[str]) -> Pruned:
        """The vocabulary without the tokens that a corpus, given as counts or texts, never needs, and the new ids.

        Base alphabet, special and added tokens stay, and so do unused tokens that used ones are merged from. The corpus is
        encoded exactly as before, except for the ids: `pruned.new_ids[old ids] == pruned.tokenizer.encode(...)`; other texts
        may take more tokens. The result has no trace. Raises `LearningError` for counts split otherwise, and what
        encoding raises.

        >>> from bpe_transformer import PretokenCounts, learn_bpe
        >>> tok = learn_bpe(PretokenCounts.from_words({"low": 5, "lower": 2, "newest": 6, "widest": 3}), vocab_size=270)
        >>> str(tok.prune(["low lower"])).split(";")[0]
        '268 ids became 260: 8 dropped (3.0%), 2 unused ones kept to merge others'
        """
        from bpe_transformer.tokenizer.resizing.prune import prune

        pruned = prune(self.codec, corpus)
        return Pruned(**vars(pruned), tokenizer=Tokenizer(pruned.model))


@dataclass(frozen=True, eq=False)
class Pruned(PrunedModel):
    """The result of `Tokenizer.prune`."""

    tokenizer: Tokenizer


def _restore(model: BpeModel, trace: MergeTrace | None, cache_bytes: int) -> Tokenizer:
    tokenizer = Tokenizer(model, trace=trace)
    tokenizer.cache_bytes = cache_bytes
    return tokenizer
