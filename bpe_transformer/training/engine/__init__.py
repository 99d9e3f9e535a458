"""Where and how an objective runs: device, precision, compilation, and one process or many; nothing else knows them."""

from bpe_transformer.training.engine.engine import Engine, find_device
from bpe_transformer.training.engine.memory import FreedMemory, keep_freed_memory
from bpe_transformer.training.engine.precision import product_dtype
from bpe_transformer.training.engine.processes import Processes

__all__ = ["Engine", "FreedMemory", "Processes", "find_device", "keep_freed_memory", "product_dtype"]
