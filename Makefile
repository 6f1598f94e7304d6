# Everything runs in one environment, .venv, which tools/dev/make_env.py makes on top of
# a heavy one that all checkouts share. `make` alone lists what there is.

PYTHON ?= python3
PY := $(CURDIR)/.venv/bin/python
JOBS ?= 2
OUT ?= work_dirs/demo

.DEFAULT_GOAL := help
.PHONY: help env which-python test test-fast lint demo clean

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

demo: env  ## pre-train on a few images and draw (UNLABELED= DATA= OUT=)
	$(PY) tools/demo/run_demo.py $(if $(UNLABELED),--unlabeled "$(UNLABELED)") $(if $(DATA),--data "$(DATA)") --out "$(OUT)"

clean:  ## remove build leftovers and .venv, not the shared environment
	rm -rf build dist .venv dugi_mae/.mim *.egg-info .pytest_cache .ruff_cache
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
