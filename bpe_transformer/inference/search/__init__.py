"""The searches that write ids step by step, on sessions of any model: greedy, beam and sampling, and what they may not write."""
