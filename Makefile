# `make help` lists what there is to make. Everything happens in .venv; nothing outside this directory is touched.

PYTHON ?= python3
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
PINNED := pyproject.toml constraints.txt

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help search test bench clean

help:
	@echo "make search   install into $(VENV) and run the default search; prints the Pareto set"
	@echo "              options:  make search ARGS=\"target=[pubmed] budget=50\"   (all: make search ARGS=--help)"
	@echo "make test     install into $(VENV), then lint, types, layering and tests"
	@echo "make bench    install into $(VENV) and time the engine's own work beside Optuna's samplers"
	@echo "make clean    remove $(VENV), caches and build output; never your runs"
	@echo
	@echo "PYTHON=...    the Python that $(VENV) is made with (3.11 to 3.13; now: $(PYTHON))"

search: $(VENV)/.installed
	@$(BIN)/ktnas search $(ARGS)

bench: $(VENV)/.installed-dev
	@$(BIN)/python -m experiments.bench $(ARGS)

test: $(VENV)/.installed-dev
	@echo "==> Lint (ruff)"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@echo "==> Types (mypy)"
	@$(BIN)/mypy
	@echo "==> Layering (import-linter)"
	@$(BIN)/lint-imports
	@echo "==> Tests (pytest)"
	@$(BIN)/pytest -n 2 --dist worksteal -m "" $(ARGS)

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null || { \
		echo "error: ktnas needs Python 3.11, 3.12 or 3.13; $(PYTHON) is $$($(PYTHON) --version 2>&1)." \
			"Name another one: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "error: this Python cannot make virtual environments. On Debian: apt-get install python3-venv" >&2; exit 1; }
	@echo "==> Creating $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

# What builds comes first, at pinned versions, so that building fetches nothing of its own accord: hatchling for ktnas,
# setuptools for antlr4-python3-runtime, which is published without a wheel.
$(VENV)/.installed: $(VENV)/.created $(PINNED)
	@echo "==> Installing ktnas into $(VENV) (once; several minutes, mostly torch)"
	@$(BIN)/python -m pip install --quiet -c constraints.txt hatchling setuptools
	@$(BIN)/python -m pip install -c constraints.txt --no-build-isolation -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.created $(PINNED)
	@echo "==> Installing ktnas and its development tools into $(VENV) (once; several minutes, mostly torch)"
	@$(BIN)/python -m pip install --quiet -c constraints.txt hatchling setuptools
	@$(BIN)/python -m pip install -c constraints.txt --no-build-isolation -e '.[dev]'
	@touch $(VENV)/.installed $@

clean:
	@rm -rf $(VENV) dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@echo "Removed $(VENV), caches and build output."
