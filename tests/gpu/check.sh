#!/bin/sh
# Runs every test that needs a GPU, a training step of 124 million parameters included; under five minutes.
# PYTHON names the interpreter of an environment with this package installed (default: .venv's).
set -e
cd "$(dirname "$0")/../.."
PYTHON=${PYTHON:-.venv/bin/python}
"$PYTHON" -c 'import torch; assert torch.cuda.is_available(), "no GPU is to be found"; print(torch.cuda.get_device_name())'
exec timeout 300 "$PYTHON" -m pytest -q -m gpu tests/gpu "$@"
