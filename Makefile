# Every target sets itself up; `make setup` is quick the second time.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help setup demo test bench up check lock format

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## make .venv with everything, hash-pinned

$(STAMP): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "waggle needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1). Try: make setup PYTHON=python3.12" >&2; exit 2; }
	@test -x $(BIN)/python || { echo "making .venv"; $(PYTHON) -m venv .venv; }
	@echo "installing the pinned dependencies (about a minute the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

demo: setup ## Waggle and its simulators, real callbacks; ONCE=1 ends by itself, REAL=1 reads a real BEMServer
	@$(BIN)/waggle demo $(if $(filter 1,$(ONCE)),--once) $(if $(filter 1,$(REAL)),--real)

test: setup ## all tests; rings without their server are skipped by name
	@$(BIN)/python -m pytest --numprocesses auto --dist loadfile

bench: setup ## the figures of the README beside a peer's, half an hour; ONLY="--scenarios known --workers 2"
	@$(BIN)/python -m bench $(ONLY)

up: setup ## waggle up
	@$(BIN)/waggle up

check: setup ## format, lint, types, tests
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(MAKE) --no-print-directory test

format: setup ## write the format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock: ## compile both lock files again (needs uv)
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
	  pyproject.toml --output-file requirements.lock
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
	  --extra dev pyproject.toml --output-file requirements-dev.lock
