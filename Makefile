# make demo | test | lint | bench | docs: each installs what it needs into .venv, once.
# PYTHON=python3.12 chooses the interpreter, VENV=.venv-3.12 another place, TESTS="tests/core -k graph" a part.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV ?= .venv
TESTS ?=
BIN := $(VENV)/bin
PYVERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
stamp = $(VENV)/.installed-$(1)-$(PYVERSION)

.PHONY: help environment demo test conformance lint format bench docs clean
help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

environment: $(call stamp,dev) ## make the environment that developers use
	@echo "$(VENV) is ready: source $(BIN)/activate"

demo: $(call stamp,demo) ## run notebooks/flights.ipynb headlessly, twice, and print what ran and what was restored
	$(BIN)/python -m tools.demo

test: $(call stamp,dev) ## run the tests
	$(BIN)/python -m pytest -n 2 $(TESTS)

conformance: $(call stamp,dev) ## run the probes for wrong hits and false misses
	$(BIN)/python -m pytest -n 2 tests/conformance

lint: $(call stamp,dev) ## check style, types, import directions, sizes and links
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m tools.tree
	$(BIN)/python -m tools.links

format: $(call stamp,dev) ## mend what ruff can mend
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(call stamp,dev) ## measure, beside the peers
	$(BIN)/python -m benchmarks

docs: $(call stamp,docs) ## check that every link and anchor in the documentation leads somewhere
	$(BIN)/python -m tools.links

clean: ## remove what the other targets made, the virtual environment too
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

# A stamp is older than pyproject.toml when something new may be needed; its name holds the interpreter's version, so
# that another PYTHON makes the environment anew instead of mixing two.
$(VENV)/.installed-%-$(PYVERSION): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info < (3, 14) else \
	  "nbsteps needs Python 3.11 to 3.13, and $(PYTHON) is " + sys.version.split()[0] + ": make PYTHON=python3.12 ...")'
	@if [ "$$($(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" != "$(PYVERSION)" ]; \
	then $(PYTHON) -m venv --clear $(VENV); fi
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	$(BIN)/python -m compileall -q src tests
	@touch $@
