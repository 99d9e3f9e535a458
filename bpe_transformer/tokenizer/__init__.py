"""The standalone BPE learner and encoder. Needs numpy and the native core, nothing else of the pipeline."""

from bpe_transformer.tokenizer.counting.counter import PretokenCounter
from bpe_transformer.tokenizer.counting.counts import PretokenCounts
from bpe_transformer.tokenizer.encoding.encodings import Encodings
from bpe_transformer.tokenizer.files.encode_files import EncodedFiles
from bpe_transformer.tokenizer.learning import LearningInterrupted, learn_bpe, learn_superwords
from bpe_transformer.tokenizer.splitting.pretokenizer import Pretokenizer
from bpe_transformer.tokenizer.tokenizer import Tokenizer
from bpe_transformer.tokenizer.vocabulary.trace import MergeStep, MergeTrace

__all__ = [
    "EncodedFiles",
    "Encodings",
    "LearningInterrupted",
    "MergeStep",
    "MergeTrace",
    "PretokenCounter",
    "PretokenCounts",
    "Pretokenizer",
    "Tokenizer",
    "learn_bpe",
    "learn_superwords",
]
