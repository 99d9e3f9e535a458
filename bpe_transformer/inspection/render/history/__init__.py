"""Tables of the merge history."""
