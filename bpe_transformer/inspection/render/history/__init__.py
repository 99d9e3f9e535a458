"""Drawing of merge histories: tables, one merge in full, differences, a walk, and live learning."""
