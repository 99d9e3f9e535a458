"""Tables of tokenizers side by side, and curves over vocabulary sizes."""
