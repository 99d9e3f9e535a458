"""The names of the files of a model and of a run, which can be known without loading torch."""

WEIGHTS, CONFIG = "model.safetensors", "config.json"
STATE = "training.safetensors"  # of a run that is going on, was stopped, or is over
