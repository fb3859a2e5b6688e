# Everything sets itself up: a machine with Python 3.11 or newer and make is enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
KILLS ?= 10000
SEED ?= 1
HOURS ?= 72
SEEDS ?= 500

.PHONY: help test demo check dist bench crash simulate simulate-verdicts soak strangers clean

help: ## Show what can be made.
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(BIN)/.ready: pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 …" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint requirements.lock --group dev --editable .
	@touch $@

demo: $(BIN)/.ready ## Play a story on the embedded sandbox with the real daemon.
	@$(BIN)/syncd demo

test: $(BIN)/.ready check ## Run the linters, the type checker, the floors and all tests.
	$(BIN)/pytest -n 2 --dist worksteal

check: $(BIN)/.ready ## Linters, types and floors alone.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

dist: $(BIN)/.ready ## Build wheel, sdist and the files of the image into dist/, and prove each in an empty environment.
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint requirements.lock --group dist
	.ci/dist $(BIN)/python

bench: $(BIN)/.ready ## Measure requests, processor time and memory; prints a table, writes bench.json.
	PYTHONPATH=tests $(BIN)/python -m bench

crash: $(BIN)/.ready ## The long crash proof: make crash KILLS=10000 SEED=1
	PYTHONPATH=tests $(BIN)/python -m crash.proof --kills $(KILLS) --seed $(SEED)

simulate: $(BIN)/.ready ## Play seeded histories of people, faults and crashes: make simulate SEEDS=500 SEED=1
	PYTHONPATH=tests $(BIN)/python -m simulation --seeds $(SEEDS) --start $(SEED) --all

simulate-verdicts: $(BIN)/.ready ## Judge seeded histories by both judges: make simulate-verdicts SEEDS=2000 SEED=1
	PYTHONPATH=tests $(BIN)/python -m verify --seeds $(SEEDS) --start $(SEED)

soak: $(BIN)/.ready ## Three days of a daemon's life, for what grows slowly: make soak HOURS=72
	PYTHONPATH=tests $(BIN)/python -m soak --hours $(HOURS)

strangers: $(BIN)/.ready ## The real daemon among 2,000 idle connections, 10,000 forged deliveries, hostile answers.
	PYTHONPATH=tests $(BIN)/python -m soak.strangers

clean: ## Remove what was made here.
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info dist systemd/share/man
