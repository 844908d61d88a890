# Every target sets itself up; `make setup` is quick the second time.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
ROOM_KB := 2000000

.DEFAULT_GOAL := help
.PHONY: help setup demo test chaos bench screenshots up check lock format

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

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

# Tests wait for other processes a good part of their time, hence one worker more than there are
# cores; those of `tests/blackbox` wait longest, so files go out in their order and not by size.
# Commits to a file system in memory need not wait for a disk.
test: setup ## all tests; rings without their server are skipped by name
	@shm=/dev/shm; test -w $$shm && test "$$(df -Pk $$shm | awk 'END { print $$4 }')" -gt $(ROOM_KB) || shm=; \
	  TMPDIR=$${TMPDIR:-$$shm} $(BIN)/python -m pytest --numprocesses $$(( $$(getconf _NPROCESSORS_ONLN) + 1 )) \
	  --dist loadfile --no-loadscope-reorder

chaos: setup ## break everything around Waggle by 20 seeds, an hour; SEEDS=5 MINUTES=0.5
	@$(BIN)/python -m tests.chaos --seeds $(or $(SEEDS),20) --minutes $(or $(MINUTES),0.75)

# All are measured, whichever of them breaks a promise.
BENCHES := bench bench.callbacks bench.latency bench.requests bench.ledger bench.crash bench.idle bench.live bench.pages

bench: setup ## the figures beside a peer's, an hour and a half; ONLY="bench.idle --rounds 1" measures a part
	@broken=; for what in $(if $(ONLY),"$(ONLY)",$(BENCHES)); do \
	  echo "== python -m $$what"; $(BIN)/python -m $$what || broken="$$broken $$what"; \
	done; test -z "$$broken" || { echo "a promise is broken in:$$broken" >&2; exit 1; }

screenshots: setup ## pictures of the pages into docs/screenshots (needs Chromium)
	@$(BIN)/python -m tests.browser.screenshots $(if $(ONLY),--only $(ONLY))

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
