"""The standalone BPE learner and encoder. Needs `io`, NumPy and the native core, and no other package of the pipeline."""

from bpe_transformer.tokenizer.counting.counter import PretokenCounter
from bpe_transformer.tokenizer.counting.counts import PretokenCounts
from bpe_transformer.tokenizer.encoding.encodings import Encodings
from bpe_transformer.tokenizer.learning import LearningInterrupted, learn_bpe, learn_superwords
from bpe_transformer.tokenizer.splitting.pretokenizer import Pretokenizer
from bpe_transformer.tokenizer.store import TokenStore
from bpe_transformer.tokenizer.tokenizer import Tokenizer
from bpe_transformer.tokenizer.vocabulary.trace import MergeStep, MergeTrace

__all__ = [
    "Encodings",
    "LearningInterrupted",
    "MergeStep",
    "MergeTrace",
    "PretokenCounter",
    "PretokenCounts",
    "Pretokenizer",
    "TokenStore",
    "Tokenizer",
    "learn_bpe",
    "learn_superwords",
]
