# The ways in. Each works on a fresh clone: what it needs is set up first.
.DEFAULT_GOAL := help
SHELL := /bin/sh
export VENV ?= .venv
BIN := $(VENV)/bin
PINS := requirements/build.txt pyproject.toml
# More than the cores of a small machine: many tests wait for something else than the processor.
WORKERS ?= 3

.PHONY: help setup demo test chaos check bench docs texts format lock clean

help:
	@echo "make demo    start the gateway with a built-in fake upstream and make real calls"
	@echo "make setup   the development environment in $(VENV)"
	@echo "make test    the whole suite, with the services it needs"
	@echo "make chaos   200 random faults on three gateways, PostgreSQL and Redis (docs/chaos.md)"
	@echo "make check   lint, types, import contracts, shape"
	@echo "make bench   the benchmark against nginx (writes bench/out/)"
	@echo "make docs    the generated documentation"
	@echo "make texts   the catalogues of translated texts"
	@echo "make format  format the code;  make lock  pin the dependencies anew;  make clean"

setup: $(VENV)/.dev

# The development set contains the runtime set, so it satisfies both.
$(VENV)/.runtime: $(PINS) requirements/runtime.txt
	@if [ -f $(VENV)/.dev ]; then tools/setup.sh dev && touch $@; else tools/setup.sh runtime; fi

$(VENV)/.dev: $(PINS) requirements/dev.txt
	@tools/setup.sh dev && touch $(VENV)/.runtime

demo: $(VENV)/.runtime
	@$(BIN)/tollbridge demo

# Compiled once, also where the environment forbids it: three workers read a thousand files each.
test: setup
	@$(BIN)/python tools/system_packages.py
	@PYTHONDONTWRITEBYTECODE= TMPDIR=$$($(BIN)/python tools/scratch.py) \
		$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "not long" $(PYTEST_ARGS)

chaos: setup
	@$(BIN)/python tools/system_packages.py
	@$(BIN)/python -m tests.faults.chaos $(CHAOS_ARGS)

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python tools/shape.py
	$(BIN)/python tools/docs.py --check
	$(BIN)/python tools/translations.py --check

bench: setup
	@$(BIN)/python tools/system_packages.py nginx postgres
	@$(BIN)/python -m bench $(BENCH_ARGS)

docs: setup
	@$(BIN)/python tools/docs.py
	@$(BIN)/python -m tests.faults.faults_page --write

texts: setup
	@$(BIN)/python tools/translations.py

format: setup
	@$(BIN)/ruff check --fix --quiet --exit-zero .
	@$(BIN)/ruff format .

lock: setup
	@$(BIN)/python -m pip install --quiet "pip-tools>=7.6,<8"
	@$(BIN)/python tools/lock.py $(LOCK_ARGS)

clean:
	@rm -rf build dist var bench/out .mypy_cache .ruff_cache .import_linter_cache .hypothesis
