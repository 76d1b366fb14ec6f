.DEFAULT_GOAL := run
.PHONY: run fresh morning release lab test test-slow test-all bench proofs mutants lock clean help
SHELL := /bin/sh
PYTHON ?= python3
AUTHORITY ?= demo
BY ?= steward
BIN := $(CURDIR)/.venv/bin
READY := .venv/.ready
# Tests on all processors, but not more at a time than memory holds. They start hundreds of
# processes, which keep what they compiled for the next even where the shell says not to.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/pytest
SPREAD := --numprocesses logical --maxprocesses 4

run: $(READY) ## Set up, run every stage that is not up to date (AUTHORITY=demo)
	@$(BIN)/datamall run $(AUTHORITY)

fresh: $(READY) ## Run every stage again, changed or not
	@$(BIN)/datamall run $(AUTHORITY) --force

morning: $(READY) ## Plan the day: make morning DATE=2026-01-05 (AUTHORITY=demo)
	@$(BIN)/datamall morning --authority $(AUTHORITY) --date "$(DATE)"

release: $(READY) ## Freeze the reviewed pages, signed by one of two people (BY=steward)
	@$(BIN)/datamall release --authority $(AUTHORITY) --by $(BY)

lab: $(READY) ## Open JupyterLab on the notebooks (PURPOSE=… for those that are no report's)
	@$(BIN)/datamall lab --authority $(AUTHORITY) $(addprefix --purpose ,$(PURPOSE))

test: $(READY) ## Lint, check types, run the quick tests
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m datamall.reporting.strip --check notebooks/*.ipynb
	@$(PYTEST) -m "not slow" $(SPREAD) --dist worksteal

test-all: $(READY) ## Run every test, the slow ones and those in a browser too
	@$(PYTEST) $(SPREAD) --dist worksteal

test-slow: $(READY) ## Run the slow tests and those in a browser; each file in one process
	@$(PYTEST) -m slow $(SPREAD) --dist loadfile

bench: $(READY) ## Measure time and memory against the yardsticks, in one run
	@$(BIN)/python bench/intake.py
	@$(BIN)/python bench/pipeline.py
	@$(BIN)/python bench/log.py
	@$(BIN)/python -m bench.fairness
	@$(BIN)/python -m bench.enforcement
	@$(BIN)/python -m bench.traffic
	@$(BIN)/python -m bench.junctions

proofs: $(READY) ## Judge the methods on worlds whose truth is known; results in proofs/results
	@PATH="$(BIN):$$PATH" $(BIN)/dvc repro proofs/dvc.yaml
	@$(BIN)/python -m proofs

mutants: $(READY) ## Plant faults in what judges, limits and opens; below 95 % noticed is a failure
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check mutmut==3.8.1
	@$(BIN)/python tests/mutants.py

lock: $(READY) ## Compile requirements.lock from pyproject.toml
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --upgrade --extra dev pyproject.toml -o requirements.lock

clean: ## Remove all that can be made again: environment, stores, caches
	@rm -rf .venv .dvc/cache .dvc/tmp .mypy_cache .ruff_cache .pytest_cache .hypothesis bench/.work mutants
	@rm -rf data/raw/demo data/stores data/parameters data/inputs data/authorities/*/ reports/*.ipynb

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(READY): requirements.lock pyproject.toml
	@command -v git >/dev/null || { echo "Datamall needs git: install it and run make again."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Datamall needs Python 3.11 or newer: make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Setting up .venv (about two minutes, 1 GB)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)
