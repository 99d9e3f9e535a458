"""What several studies share: the corpus, the training, the statistics."""
