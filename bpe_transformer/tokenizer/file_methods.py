"""The methods of `Tokenizer` that read and write files of vocabularies, in all formats.

Formats are imported where they are used: most programs need one of them or none.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from bpe_transformer.tokenizer.encoding.codec import Codec
from bpe_transformer.tokenizer.splitting.patterns import DEFAULT_PATTERN
from bpe_transformer.tokenizer.splitting.pretokenizer import Pretokenizer
from bpe_transformer.tokenizer.vocabulary.model import BpeModel

if TYPE_CHECKING:
    from typing import Self

    import tiktoken

    from bpe_transformer.tokenizer.formats.ranks import Ranks
    from bpe_transformer.tokenizer.vocabulary.trace import MergeTrace

Path = str | os.PathLike[str]


class TokenizerFiles:
    """What `Tokenizer` inherits: `save`, `load`, `export`, and a constructor for each format."""

    codec: Codec
    model: BpeModel

    if TYPE_CHECKING:

        @property
        def trace(self) -> MergeTrace | None: ...

        def __init__(
            self, model: BpeModel | Codec, *, trace: MergeTrace | Callable[[], MergeTrace] | None = None
        ) -> None: ...

    def save(self, directory: Path) -> None:
        """Writes `tokenizer.json`, which `tokenizers` and `transformers` load, and the trace beside it as Parquet.
        Roles go to `tokenizer_config.json` and `special_tokens_map.json`, so that `AutoTokenizer` knows them too.

        The file is read back first and has to give equal ids, also to `tokenizers` where that is installed. Raises
        `FormatError` if not: nothing is written then.
        """
        from bpe_transformer.tokenizer import formats

        formats.save(self.codec, self.trace, directory)

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
        """Reads a tokenizer in any known format, or the directory it is in; the content decides the format.
        `tokenizer.json`, `.tiktoken` ranks, `vocab.json` beside `merges.txt`, SentencePiece's `.model`, subword-nmt's codes,
        and nanochat's `tokenizer.pkl`. An id that a file leaves out has no token: decoding it is an error.
        `pattern` and `special_tokens` are for files of ranks, which do not hold them. A probe text has to come back from its
        ids; with `verify` the package that the format belongs to, where it is installed, has to give the same ids for it
        from the same file. Raises `FormatError` with the place.
        """
        from bpe_transformer.tokenizer import formats

        codec, trace = formats.load(path, pattern, special_tokens, verify)
        return cls(codec, trace=trace)

    @classmethod
    def from_ranks(
        cls,
        ranks: Ranks,
        pattern: str | Pretokenizer = DEFAULT_PATTERN,
        special_tokens: Mapping[str, int] | None = None,
    ) -> Self:
        """A tokenizer from bytes and their ranks, which are the ids: a mapping, or pairs as rustbpe's `get_mergeable_ranks()`.

        Encodes as tiktoken does with these ranks; merges are recovered from them. Raises `FormatError`.
        """
        from bpe_transformer.tokenizer.formats.checks import accept
        from bpe_transformer.tokenizer.formats.ranks import model_of

        return cls(accept(model_of(ranks, Pretokenizer.of(pattern), special_tokens or {})))

    @classmethod
    def from_tiktoken(
        cls, path: Path, pattern: str | Pretokenizer = DEFAULT_PATTERN, special_tokens: Mapping[str, int] | None = None
    ) -> Self:
        """A tokenizer from a `.tiktoken` file of ranks; the file does not hold the pattern and the special tokens.

        Those of openai's files are known by their names, `cl100k_base.tiktoken` and so on, if the number of ranks is theirs.
        """
        from bpe_transformer.tokenizer.formats import tiktoken
        from bpe_transformer.tokenizer.formats.checks import accept

        return cls(accept(tiktoken.read(path, pattern, special_tokens)))

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
        characters with "</w>" (GPT, XLM), whose text other tools have to split into words first.

        Names that are not base symbols and that no merge produces are special tokens, unless `special_tokens` says which are. The
        default pattern is "gpt2", CLIP's, or "whitespace". Raises `FormatError`.
        """
        from bpe_transformer.tokenizer.formats import gpt2
        from bpe_transformer.tokenizer.formats.checks import accept

        return cls(accept(gpt2.read(vocab, merges, pattern, special_tokens)))

    @classmethod
    def from_subword_nmt(
        cls,
        codes: Path,
        vocabulary: Path | None = None,
        *,
        alphabet: str | Iterable[str] = "",
        unk_token: str | None = "<unk>",
        threshold: int | None = None,
    ) -> Self:
        """A tokenizer from subword-nmt's codes of version 0.2, which hold merges only.

        The alphabet is every character of the codes, of `vocabulary`, as `subword-nmt get-vocab` writes it, and of
        `alphabet`; all others become `unk_token`. Ids are the lines of `vocabulary`; without one, and for what it lacks,
        characters, `unk_token` and merges by rank follow each other. Raises `FormatError` with the line.

        With `threshold`, text is cut as by `subword-nmt apply-bpe --vocabulary … --vocabulary-threshold …`: a token that
        `vocabulary` lacks, or holds with a lower count, is split as it was merged until all of it is in the vocabulary, and
        a character that is not becomes `unk_token`. Ids are the lines that are left, then `unk_token`. 0 takes all lines.
        """
        from bpe_transformer.tokenizer.formats import subword_nmt
        from bpe_transformer.tokenizer.formats.checks import accept

        model = subword_nmt.read(codes, vocabulary, alphabet=alphabet, unk_token=unk_token, threshold=threshold)
        return cls(accept(model))

    @classmethod
    def from_sentencepiece(cls, path: Path) -> Self:
        """A tokenizer from a SentencePiece `.model` of type BPE, with its normalisation. Needs no other package.

        Control pieces become special tokens, user-defined ones are found in every text. Raises `FormatError`, also for
        Unigram models.
        """
        from bpe_transformer.tokenizer.formats import sentencepiece
        from bpe_transformer.tokenizer.formats.checks import accept

        return cls(accept(sentencepiece.read(path)))

    def export(self, path: Path, format: str = "tokenizer.json") -> None:
        """Writes the vocabulary in a format of `bpe_transformer.tokenizer.formats.FORMATS`: a file, for "gpt2" a directory.

        What was written is read back and has to give equal ids, and the package that the format belongs to has to agree
        where it is installed. Raises `FormatError`, and writes nothing, for what the format cannot hold.
        """
        from bpe_transformer.tokenizer import formats

        formats.export(self.codec, path, format)

    def as_tiktoken(self, name: str = "bpe-transformer") -> tiktoken.Encoding:
        """A `tiktoken.Encoding` with the same ids. Raises `FormatError` where tiktoken cannot give the same ids."""
        from bpe_transformer.tokenizer.formats import probe, tiktoken

        encoding = tiktoken.encoding(self.model, name)
        return probe.equal(self.codec, encoding, encoding.encode_ordinary)

    def as_transformers(self) -> Any:
        """A `transformers.PreTrainedTokenizerFast` with the same ids. Raises `FormatError` where it cannot give the same ids."""
        from bpe_transformer.tokenizer.formats import probe, tokenizer_json

        fast = tokenizer_json.transformers_tokenizer(self.model)
        return probe.equal(self.codec, fast, lambda text: fast.encode(text, add_special_tokens=False))
