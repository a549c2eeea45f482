# Everything a newcomer types: `make demo` and `make test`. Both set up first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SOURCES := schemas runtime control timeline ingest processors query opstrail tests

.PHONY: help setup demo up test soak bench check format lock clean

help: ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

setup: $(STAMP) ## Make .venv from the lock

$(STAMP): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "opstrail needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

demo: setup ## Play a small incident and print its timeline
	@$(BIN)/opstrail demo --exit

up: setup ## Run everything in one process, data in ./data
	@$(BIN)/opstrail up

# The tests start hundreds of processes: what is compiled is kept, whatever the shell says.
test: export PYTHONDONTWRITEBYTECODE :=
test: setup ## Run all tests; real Kafka, ClickHouse and PostgreSQL are started
	$(BIN)/pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile --no-loadscope-reorder

MINUTES ?= 35
SEED ?= 1
soak: setup ## Break a running system for long; MINUTES=35 SEED=1. Tables go to docs/reliability.md
	$(BIN)/python -m tests.faults.soak --minutes $(MINUTES) --seed $(SEED) \
		--events 1800000 --faults 150 --write-docs

ONLY ?=
FULL ?=
ROWS ?= 10000000
bench: MINUTES = 5
bench: setup ## Measure; ONLY=ingest|core|pipeline|size|memory|read, MINUTES=5, ROWS=10000000, FULL=1
	$(BIN)/python -m tests.bench $(ONLY) --minutes $(MINUTES) --rows $(ROWS) $(if $(FULL),--full)

check: setup ## Format, lint, types, import rules
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy $(SOURCES)
	$(BIN)/lint-imports

format: setup ## Put the code into shape
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

lock: setup ## Write the lock files anew from pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--no-emit-index-url --no-emit-find-links pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--no-emit-index-url --no-emit-find-links pyproject.toml --group dev -o requirements-dev.lock

clean: ## Remove what was built; downloads of test services stay in .cache
	rm -rf $(VENV) build *.egg-info
