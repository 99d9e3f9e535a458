"""The lessons that look into a trained model: the reader's run, or a small one that is trained on the spot."""
