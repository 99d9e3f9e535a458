"""The standalone BPE learner and encoder. Needs numpy and the native core, nothing else of the pipeline."""

from bpe_transformer.tokenizer.counter import PretokenCounter
from bpe_transformer.tokenizer.counts import PretokenCounts
from bpe_transformer.tokenizer.encoded_files import EncodedFiles
from bpe_transformer.tokenizer.encodings import Encodings
from bpe_transformer.tokenizer.learner import learn_bpe, learn_superwords
from bpe_transformer.tokenizer.pretokenization import PreTokenization
from bpe_transformer.tokenizer.tokenizer import Tokenizer
from bpe_transformer.tokenizer.trace import MergeStep, MergeTrace

__all__ = [
    "EncodedFiles",
    "Encodings",
    "MergeStep",
    "MergeTrace",
    "PreTokenization",
    "PretokenCounter",
    "PretokenCounts",
    "Tokenizer",
    "learn_bpe",
    "learn_superwords",
]
