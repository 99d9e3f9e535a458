"""Learning a vocabulary from pre-token counts: the native learner, its options, and a textbook version to compare with."""

from bpe_transformer.tokenizer.learning.learner import check_options, learn_bpe, learn_superwords
from bpe_transformer.tokenizer.learning.learning_run import LearningInterrupted
from bpe_transformer.tokenizer.learning.options import LearnOptions

__all__ = ["LearnOptions", "LearningInterrupted", "check_options", "learn_bpe", "learn_superwords"]
