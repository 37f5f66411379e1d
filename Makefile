# Tasks of a checkout; `make help` lists them. Run them inside the virtual environment that CONTRIBUTING.md makes.
.PHONY: help setup fast test lint format types check notebooks

help:  ## list the tasks
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

setup:  ## install n2gdb for development, in the pinned versions
	pip install -c constraints.txt -e ".[dev]"

fast:  ## tests that start no process, open no browser and load no model
	pytest -q -m fast

test:  ## every test
	pytest -q

lint:  ## what ruff finds, formatting included
	ruff check .
	ruff format --check .

format:  ## format, and mend what can be mended
	ruff check --fix .
	ruff format .

types:  ## mypy, strict
	mypy

check: lint types test  ## all that .ci/run checks, in the present environment

notebooks:  ## run docs/notebooks and refresh their outputs: N2GDB_DEMO_DB and N2GDB_SMOLLM2_DB name the databases
	python docs/notebooks/run.py
