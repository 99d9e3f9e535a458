"""What several commands share: options, texts and tokenizers as they are named, messages, and what draws in a terminal."""
