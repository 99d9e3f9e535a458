"""Code that several commands share: options, reading texts and tokenizers, messages, and drawing in a terminal."""
