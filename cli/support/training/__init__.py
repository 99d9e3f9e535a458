"""What the commands about training and trained models share: settings by layers, the live view, tokens of a run."""
