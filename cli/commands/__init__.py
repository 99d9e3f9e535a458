"""The subcommands, a file each: they parse, call the library and print. `bpe_transformer.cli` loads one when it runs."""
