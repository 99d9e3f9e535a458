"""Text to ids and back on a vocabulary: one text or many, special tokens, offsets, bos and eos."""

from bpe_transformer.tokenizer.encoding.codec import Codec, OffsetUnit
from bpe_transformer.tokenizer.encoding.decode_stream import DecodeStream
from bpe_transformer.tokenizer.encoding.decoding import Decoder
from bpe_transformer.tokenizer.encoding.encodings import Encodings
from bpe_transformer.tokenizer.encoding.framing import Frame
from bpe_transformer.tokenizer.encoding.inputs import Texts
from bpe_transformer.tokenizer.encoding.special_tokens import SpecialNames

__all__ = ["Codec", "DecodeStream", "Decoder", "Encodings", "Frame", "OffsetUnit", "SpecialNames", "Texts"]
