# Everything runs in .venv, which `make setup` makes and keeps up to date.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
CXX ?= c++
NATIVE := $(shell find bpe_transformer/_native -name '*.[ch]pp' -o -name CMakeLists.txt)
CORE := $(filter-out %/unicode_tables.hpp %/unicode_properties.hpp %/normalization_tables.hpp \
  %/CMakeLists.txt,$(NATIVE))

.PHONY: help setup demo test acceptance sanitize soak fuzz lint bench pictures clean check-compiler browser
.DEFAULT_GOAL := help

help:
	@echo "make demo      learn a vocabulary, train a translator and a language model, look at them (6 minutes)"
	@echo "make test      run the tests, the examples of docstrings and the tour of the README"
	@echo "make lint      check style and types"
	@echo "make sanitize  run the tokenizer's tests on a core built with sanitizers"
	@echo "make soak      run the tests that take minutes, the property tests with SOAK_TIMES=20 times their examples, and interrupt every writing command everywhere (hours)"
	@echo "make acceptance download public vocabularies (pip, npm) and compare every id with their own packages"
	@echo "make fuzz      hand any bytes to encoding and to every importer, FUZZ_SECONDS=60 each (see tests/fuzz/README.md)"
	@echo "make bench     measure speed beside other libraries (see tests/benchmarks/README.md)"
	@echo "make pictures  draw the pictures of the README again, from real runs"
	@echo "make setup     only prepare .venv, with the native core built"
	@echo "make browser   install the Chromium that the tests of the HTML report need (Debian, as root)"
	@echo "make clean     remove .venv and what was built"

setup: $(STAMP)

check-compiler:
	@command -v $(firstword $(CXX)) >/dev/null 2>&1 || command -v g++ >/dev/null 2>&1 || command -v clang++ >/dev/null 2>&1 || { \
	  echo "error: no C++ compiler found, and the tokenizer core is C++20; install one" \
	       "(Debian/Ubuntu: apt-get install g++; Fedora: dnf install gcc-c++; macOS: xcode-select --install)" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	  echo "error: $$($(PYTHON) --version) is too old; Python 3.10 or newer is needed, for example make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "error: this Python has no venv module; install it (Debian/Ubuntu: apt-get install python3-venv)" >&2; exit 1; }

$(STAMP): pyproject.toml $(NATIVE) | check-compiler
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade "pip>=23"
	@# not isolated, so that the wheel of the tests finds everything compiled already
	$(BIN)/pip install --quiet "scikit-build-core>=0.10" "nanobind>=2.4" "cmake>=3.18" ninja
	$(BIN)/pip install --quiet --no-build-isolation --editable ".[test,lint]"
	touch $@

# The tests of the HTML report are skipped without it, but not in CI.
browser:
	@command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 || command -v google-chrome >/dev/null 2>&1 || { \
	  if command -v apt-get >/dev/null 2>&1 && [ "$$(id -u)" = 0 ]; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends chromium >/dev/null; \
	  else echo "error: no Chromium found, and this is not root on Debian; install the package chromium" >&2; exit 1; fi; }

demo: setup
	$(BIN)/bpe-transformer demo

test: setup
	$(BIN)/python -m pytest -q -n auto --dist loadfile

# What takes long: every property test with many more examples, and more time for each.
SOAK_TIMES ?= 20
soak: setup
	$(BIN)/python -m pytest -q -n auto --dist loadfile -m hypothesis --examples $(SOAK_TIMES) --timeout 7200
	FAULTS=all $(BIN)/python -m pytest -q -n auto tests/faults
	$(BIN)/python -m pytest -q -m soak --soak --timeout 7200

acceptance: setup
	$(BIN)/pip install --quiet ftfy
	$(BIN)/python -m pytest -q tests/acceptance --acceptance

sanitize: setup
	$(BIN)/python tests/sanitize.py

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@# the package as it is installed, cli and corpora inside, and the tests beside it, so that types are checked across them
	@rm -rf build/typing && mkdir -p build/typing/bpe_transformer
	@ln -s $(CURDIR)/bpe_transformer/* $(CURDIR)/cli $(CURDIR)/corpora build/typing/bpe_transformer/
	@ln -s $(CURDIR)/tests $(CURDIR)/assets build/typing/
	cd build/typing && $(CURDIR)/$(BIN)/mypy --config-file $(CURDIR)/pyproject.toml -p bpe_transformer -p tests -p assets
	$(BIN)/python bpe_transformer/_native/text/generate_unicode.py --verify
	$(BIN)/python bpe_transformer/_native/normalization/generate_normalization.py --verify
	$(BIN)/python tests/native/check_stub.py --mypy-config-file pyproject.toml
	$(BIN)/clang-format --dry-run --Werror $(CORE) tests/native/thread_pools.cpp
	@# all but the bindings, whose headers would take longer than the core
	@$(BIN)/cmake -S bpe_transformer/_native -B build/tidy -DSANITIZE=thread -DCMAKE_EXPORT_COMPILE_COMMANDS=ON >/dev/null
	printf '%s\n' $(filter-out %.hpp bpe_transformer/_native/python/%,$(CORE)) | \
	  xargs -P $$(getconf _NPROCESSORS_ONLN) -n 4 $(BIN)/clang-tidy -p build/tidy --quiet

pictures: setup
	$(BIN)/python assets/pictures.py

bench: setup
	$(BIN)/pip install --quiet -r tests/benchmarks/peers.txt
	$(BIN)/python tests/benchmarks/encoding.py
	$(BIN)/python tests/benchmarks/learning.py

FUZZ_SECONDS ?= 60
FUZZ_FORMATS := tokenizer.json metaspace tiktoken vocab.json merges.txt sentencepiece subword-nmt nanochat
fuzz: setup
	@$(BIN)/python -c 'import atheris' 2>/dev/null || $(BIN)/pip install --quiet atheris || { \
	  echo "error: atheris, which make fuzz needs, has no package for this Python; use one that it has (3.11 to 3.13, Linux)," \
	       "or run the same targets under hypothesis: make test" >&2; exit 1; }
	$(BIN)/python tests/fuzz/encode_decode.py -max_total_time=$(FUZZ_SECONDS)
	for format in $(FUZZ_FORMATS); do $(BIN)/python tests/fuzz/importers.py $$format -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 || exit 1; done

clean:
	rm -rf $(VENV) build dist
