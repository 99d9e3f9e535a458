"""Heat maps of attention."""
