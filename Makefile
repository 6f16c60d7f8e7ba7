# What can be done here; `make setup` comes first by itself. Needs Python 3.11-3.13 with venv;
# demo and test also JDK 17 and Maven. No root anywhere.

PYTHON ?= $(shell for python in python3 python3.11 python3.12 python3.13; do \
	$$python -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
	2>/dev/null && echo $$python && break; done)
BIN := .venv/bin
SEEDS ?= 20
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint fix faults bench build lock clean

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

setup: .venv/stamp  ## a .venv with all that demo, tests and tools need; quick when nothing changed

# A .venv whose Python has gone, or that an interrupt left half made, is made anew.
.venv/stamp: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 with venv is needed" >&2; exit 3; }
	@$(BIN)/python -c 'import pip' 2>/dev/null || $(PYTHON) -m venv --clear .venv
	@echo "installing into .venv; the first time takes a minute or two" >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup  ## all of it at once, on real Kafka, Redis and data; ARGS=--embedded needs neither
	@$(BIN)/millstream demo $(ARGS)

# Every step is taken, whatever the one before said; pytest speaks last.
test: setup  ## lint, types, import contracts, and every test; ARGS go to pytest
	@bad=0; for step in "ruff check ." "ruff format --check ." mypy lint-imports; do \
		echo "== $$step"; $(BIN)/$$step || bad=1; done; \
	echo "== pytest"; $(BIN)/python -m pytest $(ARGS) || bad=1; exit $$bad

lint: setup  ## what `make test` does before pytest
	@bad=0; for step in "ruff check ." "ruff format --check ." mypy lint-imports; do \
		echo "== $$step"; $(BIN)/$$step || bad=1; done; exit $$bad

fix: setup  ## let ruff mend what it can
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

faults: setup  ## kill, stop and join workers at random, then audit: SEEDS=20 runs
	@$(BIN)/python -m tests.faults --seeds $(SEEDS) $(ARGS)

bench: setup  ## every figure of the README, measured here and now
	@$(BIN)/python -m benchmarks.latency $(ARGS) && $(BIN)/python -m benchmarks.throughput $(ARGS) && \
		$(BIN)/python -m benchmarks.new_items

build: setup  ## sdist and wheel, into dist/
	@rm -rf build dist && $(BIN)/python -m build --no-isolation

lock: setup  ## requirements.lock from pyproject.toml, for 3.11-3.13 and every platform; needs uv
	@uv pip compile pyproject.toml --quiet --extra dev --universal --python-version 3.11 \
		--generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
		--output-file requirements.lock $(ARGS)

clean:  ## remove what was built and the .venv; data folders stay
	@rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
