# Everything sets itself up: a machine with Python 3.11 or newer and make is enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
KILLS ?= 10000
LEDGER ?= sqlite
SEED ?= 1
HOURS ?= 72
DATABASES ?= 100
CUTS ?= 100
STOPS ?= 20
STRIKES ?= 2000
FAILOVERS ?= 0
CONNECTIONS ?= 0
FULL ?= 0
SEEDS ?= 500
LIMIT ?= 600
WANTED := --constraint requirements.lock --group dev --editable .
PIP := $(BIN)/pip --quiet --disable-pip-version-check install
# uv takes a tenth of pip's processor time; where it cannot be had or reaches no index, pip does the same.
FAST_INSTALL := $(PIP) --no-compile uv && UV_HTTP_TIMEOUT=20 $(BIN)/uv pip install --quiet --python $(BIN)/python $(WANTED)
INSTALL := { $(PIP) --upgrade 'pip>=25.1' && $(PIP) $(WANTED); }
# Compiled modules are kept, whatever the machine's default: the tests start many processes.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help test demo check lint dist bench crash standby standby-simulated simulate simulate-verdicts soak strangers clean

help: ## Show what can be made.
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(BIN)/.ready: pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 …" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@$(FAST_INSTALL) || $(INSTALL)
	@touch $@

demo: $(BIN)/.ready ## Play a story on the embedded sandbox with the real daemon.
	@$(BIN)/syncd demo

test: $(BIN)/.ready lint ## Run the linters, the type checker, the floors and all tests.
	@$(BIN)/mypy >$(VENV)/types.log 2>&1 & types=$$!; \
	$(BIN)/pytest -n 2 --dist worksteal; tests=$$?; \
	wait $$types; types=$$?; cat $(VENV)/types.log; exit $$((tests | types))

check: $(BIN)/.ready lint ## Linters, types and floors alone.
	$(BIN)/mypy

lint: $(BIN)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

dist: $(BIN)/.ready ## Build wheel, sdist and the files of the image into dist/, and prove each in an empty environment.
	$(PIP) --upgrade 'pip>=25.1'
	$(PIP) --constraint requirements.lock --group dist
	.ci/dist $(BIN)/python

bench: $(BIN)/.ready ## Measure how fast syncd is, beside limits and goals; writes bench.json: make bench ONLY="storm webhook" LIMIT=600
	PYTHONPATH=tests $(BIN)/python -m bench --limit $(LIMIT) $(if $(ONLY),--only "$(ONLY)")

crash: $(BIN)/.ready ## The long crash proof: make crash KILLS=10000 SEED=1 LEDGER=sqlite
	PYTHONPATH=tests $(BIN)/python -m crash.proof --kills $(KILLS) --seed $(SEED) --ledger $(LEDGER)

standby: KILLS := 200
standby: $(BIN)/.ready ## Strike two daemons on one PostgreSQL ledger: make standby KILLS=200 DATABASES=100 CUTS=100 STOPS=20
	PYTHONPATH=tests $(BIN)/python -m standby --kills $(KILLS) --databases $(DATABASES) --cuts $(CUTS) --stops $(STOPS) --failovers $(FAILOVERS) --connections $(CONNECTIONS) --full $(FULL) --seed $(SEED)

standby-simulated: $(BIN)/.ready ## Strike two daemons under a clock that stands still meanwhile: make standby-simulated STRIKES=2000 SEED=1
	PYTHONPATH=tests $(BIN)/python -m standby.simulate --strikes $(STRIKES) --seed $(SEED)

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
