"""What a tokenizer is read from and written to, as methods; the formats load when they are used."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from typing import Self

    import tiktoken

    from bpe_transformer.tokenizer.formats.ranks import Ranks
    from bpe_transformer.tokenizer.splitting.pretokenizer import Pretokenizer
    from bpe_transformer.tokenizer.vocabulary.model import BpeModel

Path = str | os.PathLike[str]


class Conversions:
    """The part of `Tokenizer` that knows formats."""

    model: BpeModel

    def save(self, directory: Path) -> None:
        """Writes `tokenizer.json`, which `tokenizers` and `transformers` load, and the trace beside it as Parquet.

        The file is read back and has to give equal ids before it takes its place; with the `tokenizers` package
        installed, that has to agree too. Raises `FormatError` if not: nothing is written then.
        """
        from bpe_transformer.tokenizer.formats import save

        save(cast("Any", self), directory)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads what `save` wrote, with the trace if one lies beside it, or any file that `from_file` knows."""
        return cls.from_file(path)

    @classmethod
    def from_file(
        cls,
        path: Path,
        *,
        pattern: str | Pretokenizer | None = None,
        special_tokens: Mapping[str, int] | None = None,
        verify: bool = False,
    ) -> Self:
        """Reads a tokenizer in any known format, or the directory it is in; what it is shows in the file itself.

        `tokenizer.json`, `.tiktoken` ranks, `vocab.json` beside `merges.txt`, SentencePiece's `.model`, subword-nmt's codes,
        and nanochat's `tokenizer.pkl`. An id that a file leaves out has the token `b""` and is never given by `encode`.
        `pattern` and `special_tokens` are for files of ranks, which do not say them. A probe text has to come back from its
        ids; with `verify` the package that the format belongs to, where it is installed, has to give the same ids for it
        from the same file. Raises `FormatError` with the place.
        """
        from bpe_transformer.tokenizer.formats import load

        return cast("Self", load(path, pattern, special_tokens, verify))

    @classmethod
    def from_ranks(
        cls,
        ranks: Ranks,
        pattern: str | Pretokenizer = "cl100k",
        special_tokens: Mapping[str, int] | None = None,
    ) -> Self:
        """A tokenizer from bytes and their ranks, which are the ids: a mapping, or pairs as rustbpe's `get_mergeable_ranks()`.

        Encodes as tiktoken does with these ranks; merges are recovered from them. Raises `FormatError`.
        """
        from bpe_transformer.tokenizer.formats.ranks import model_of
        from bpe_transformer.tokenizer.splitting.pretokenizer import Pretokenizer

        return cls._made(model_of(ranks, Pretokenizer.of(pattern), special_tokens or {}))

    @classmethod
    def from_tiktoken(
        cls, path: Path, pattern: str | Pretokenizer = "cl100k", special_tokens: Mapping[str, int] | None = None
    ) -> Self:
        """A tokenizer from a `.tiktoken` file of ranks; the file does not hold the pattern and the special tokens.

        Those of openai's files are known by their names, `cl100k_base.tiktoken` and so on, if the number of ranks is theirs.

        >>> Tokenizer.from_tiktoken("cl100k_base.tiktoken", "cl100k", {"<|endoftext|>": 100257})  # doctest: +SKIP
        Tokenizer(vocab_size=100258, merges=100000, ...)
        """
        from bpe_transformer.tokenizer.formats.tiktoken import read

        return cls._made(read(path, pattern, special_tokens))

    @classmethod
    def from_gpt2(
        cls,
        vocab: Path,
        merges: Path,
        *,
        pattern: str | Pretokenizer | None = None,
        special_tokens: Mapping[str, int] | None = None,
    ) -> Self:
        """A tokenizer from `vocab.json` and `merges.txt`: of bytes (GPT-2, RoBERTa), of bytes with "</w>" (CLIP), or of
        characters with "</w>" (GPT, XLM), whose text has to come in words, as other tools set them apart.

        Names that are no symbol and that no merge makes are special tokens, unless `special_tokens` says which are. The
        default pattern is "gpt2", CLIP's, or "whitespace". Raises `FormatError`.
        """
        from bpe_transformer.tokenizer.formats.gpt2 import read

        return cls._made(read(vocab, merges, pattern, special_tokens))

    @classmethod
    def from_subword_nmt(
        cls,
        codes: Path,
        vocabulary: Path | None = None,
        *,
        alphabet: Iterable[str] = "",
        unk_token: str | None = "<unk>",
    ) -> Self:
        """A tokenizer from subword-nmt's codes of version 0.2, which hold merges only.

        The alphabet is every character of the codes, of `vocabulary`, as `subword-nmt get-vocab` writes it, and of
        `alphabet`; all others become `unk_token`. Ids are the lines of `vocabulary`; without one, and for what it lacks,
        characters, `unk_token` and merges by rank follow each other. Raises `FormatError` with the line.
        """
        from bpe_transformer.tokenizer.formats.subword_nmt import read

        return cls._made(read(codes, vocabulary, alphabet=alphabet, unk_token=unk_token))

    @classmethod
    def from_sentencepiece(cls, path: Path) -> Self:
        """A tokenizer from a SentencePiece `.model` of type BPE, with its normalisation. Needs no other package.

        Control pieces become special tokens, user-defined ones are found in every text. Raises `FormatError`, also for
        Unigram models.
        """
        from bpe_transformer.tokenizer.formats.sentencepiece import read

        return cls._made(read(path))

    def export(self, path: Path, format: str = "tokenizer.json") -> None:
        """Writes the vocabulary in a format of `bpe_transformer.tokenizer.formats.FORMATS`: a file, for "gpt2" a directory.

        What was written is read back and has to give equal ids, and the package that the format belongs to has to agree
        where it is installed. Raises `FormatError`, and writes nothing, for what the format cannot hold.
        """
        from bpe_transformer.tokenizer.formats import export

        export(cast("Any", self), path, format)

    def as_tiktoken(self, name: str = "bpe-transformer") -> tiktoken.Encoding:
        """A `tiktoken.Encoding` with the same ids. Raises `FormatError` where tiktoken cannot encode so."""
        from bpe_transformer.tokenizer.formats import probe
        from bpe_transformer.tokenizer.formats.tiktoken import encoding

        made = encoding(self.model, name)
        return probe.equal(cast("Any", self), made, made.encode_ordinary)

    def as_transformers(self) -> Any:
        """A `transformers.PreTrainedTokenizerFast` with the same ids. Raises `FormatError` where it cannot be held."""
        from bpe_transformer.tokenizer.formats import probe
        from bpe_transformer.tokenizer.formats.tokenizer_json import transformers_tokenizer

        made = transformers_tokenizer(self.model)
        return probe.equal(cast("Any", self), made, lambda text: made.encode(text, add_special_tokens=False))

    @classmethod
    def _made(cls, model: BpeModel) -> Self:
        from bpe_transformer.tokenizer.formats.probe import accept

        return cast("Self", accept(cast("Any", cls)(model)))
