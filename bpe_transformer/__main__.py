"""`python -m bpe_transformer`: the same as the `bpe-transformer` command."""

from bpe_transformer.cli import main

if __name__ == "__main__":
    main()
