# Everything runs in one environment, .venv, which tools/dev/make_env.py makes on top of
# a heavy one that all checkouts share. `make` alone lists what there is.

PY := $(CURDIR)/.venv/bin/python
PYTHON ?= $(or $(wildcard $(PY)),python3)
CORE := .venv-core
JOBS ?= 2
OUT ?= work_dirs/$@

.DEFAULT_GOAL := help
.PHONY: help env which-python test test-fast lint lint-docs docs demo demo-core clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo '  PYTHON=python3.11      the interpreter to make the environment with'
	@echo '  DUGI_ENV_ROOT=FOLDER   where the heavy environment is kept (about 6 GB)'
	@echo '  DUGI_FIND_LINKS=FOLDER a compiled mmcv wheel, which saves its compilation'
	@echo '  DUGI_DATA=FOLDER       real infrared images for the tests that want them'

env:  ## make the environment, or continue making it
	@$(PYTHON) tools/dev/make_env.py >/dev/null

which-python:  ## print the environment's interpreter, making it when missing
	@$(PYTHON) tools/dev/make_env.py

test: env  ## all tests (PYTEST_ARGS='-k masking' to choose)
	OMP_NUM_THREADS=1 $(PY) -m pytest tests -n $(JOBS) --dist worksteal $(PYTEST_ARGS)

test-fast: env  ## the tests that are not slow
	OMP_NUM_THREADS=1 $(PY) -m pytest tests -n $(JOBS) --dist worksteal -m 'not slow' $(PYTEST_ARGS)

lint: env  ## ruff: rules and format
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

lint-docs: env  ## Markdown: links, files and commands
	$(PY) tools/dev/lint_docs.py

docs: env  ## build the documentation, warnings are errors
	$(PY) -m pip install --quiet -r requirements/docs.txt
	$(PY) -m sphinx -W --keep-going -q -b html docs docs/_build/html

demo: env  ## pre-train, fine-tune, measure and draw (UNLABELED= DATA= OUT=)
	$(PY) tools/demo/run_demo.py $(if $(UNLABELED),--unlabeled "$(UNLABELED)") $(if $(DATA),--data "$(DATA)") --out "$(OUT)"

# torch and the image readers, no mm package; the versions are those of the lock.
$(CORE)/complete: setup.py requirements/runtime.txt
	$(PYTHON) -m venv $(CORE)
	$(CORE)/bin/python -m pip install -c requirements/lock.txt --editable .
	@touch $@

demo-core: $(CORE)/complete  ## the core alone: encode, reconstruct and draw (IMAGES= OUT=)
	$(CORE)/bin/python tools/demo/demo_core.py $(IMAGES) --out "$(OUT)"

clean:  ## remove build leftovers, .venv and .venv-core, not the shared environment
	rm -rf build dist .venv .venv-core dugi_mae/.mim *.egg-info .pytest_cache .ruff_cache
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
