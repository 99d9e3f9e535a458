"""Drawing of training runs: their curves in one plot, and a table of their figures."""
