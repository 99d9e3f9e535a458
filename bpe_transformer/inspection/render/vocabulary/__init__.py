"""Tables of vocabulary entries."""
