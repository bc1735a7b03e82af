# Two commands for everybody: `make demo` and `make test`. Both do all the set-up they need.
# While you work: `make t T=…` for what you touch, `make quick` before you commit.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTEST := $(BIN)/pytest
PARALLEL := --numprocesses 2 --dist worksteal

# Many tests start processes of the hub; compiled once, each starts in less than half the time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo t quick test lint bench e2e simulate requirements format schema access fuzz sbom audit lock clean help

help:           ## say what can be made
	@grep -E '^[a-z0-9]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

PIP := -m pip install --quiet --disable-pip-version-check
TOOLS := artefacts/tools

# Nothing is installed that does not have one of the hashes of the lock.
$(STAMP): pyproject.toml requirements/dev.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP) --require-hashes --requirement requirements/dev.lock
	$(BIN)/python $(PIP) --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

$(TOOLS)/.installed: requirements/tools.lock
	@mkdir -p artefacts
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python $(PIP) --require-hashes --requirement requirements/tools.lock
	@touch $@

demo: $(STAMP)  ## run the hub with three simulated channels; ARGS=--once ends by itself
	$(BIN)/serial-hub demo $(ARGS)

lint: $(STAMP)  ## style, types, import contracts, schema snapshot
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/yamllint --strict docker
	$(BIN)/serial-hub schema | diff graphql/schema.graphql - || (echo "graphql/schema.graphql is old: make schema" && exit 1)
	$(BIN)/serial-hub schema --public | diff graphql/public.graphql - || (echo "graphql/public.graphql is old: make schema" && exit 1)
	@test ! -f graphql/released.graphql || $(BIN)/serial-hub schema --check graphql/released.graphql

# A word with a slash, a dot or a colon names files or tests; anything else is an expression for -k.
t: $(STAMP)     ## some tests, at once: T=tests/hub/kits, T=path::test, T='kits and not returns'
	@case "$(T)" in \
	"") echo "say which tests: make t T=tests/hub/kits, or T='kits and not returns'"; exit 2;; \
	*/*|*.py*|*::*) $(PYTEST) --quiet $(ARGS) $(T);; \
	*) $(PYTEST) --quiet $(ARGS) -k "$(T)";; \
	esac; code=$$?; \
	if [ $$code -eq 5 ]; then echo "make t: no test is selected by T='$(T)' ARGS='$(ARGS)'"; fi; exit $$code

quick: $(STAMP) ## all but PostgreSQL, browser and slow tests: under two minutes; no lint
	$(PYTEST) $(PARALLEL) --quiet -m "not (real or postgres or browser or slow)" $(ARGS)

test: lint      ## everything, on SQLite and on PostgreSQL, in parallel
	$(PYTEST) $(PARALLEL) $(ARGS)

requirements: $(STAMP) ## which requirements have passing tests
	@mkdir -p artefacts
	$(PYTEST) -m req --numprocesses 2 --quiet --junit-xml artefacts/requirements.xml $(ARGS)
	$(BIN)/python tests/requirements.py artefacts/requirements.xml

bench: $(STAMP) ## every benchmark, one JSON line each; the first run builds a ledger of 10 million units
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev,bench]"
	@names=$$($(BIN)/python -m tests.benchmarks --list) && for name in $$names; do $(BIN)/python -m tests.benchmarks $$name || exit 1; done

# The page is written whatever the stories say; the command ends as they did.
e2e: $(STAMP)   ## stories against real servers (Vendure, Medusa, QU4RTET, Nautobot, moto); writes docs/end-to-end.md
	@mkdir -p artefacts
	$(BIN)/python -m tests.e2e.real_servers install
	$(PYTEST) -m "" --junit-xml artefacts/e2e.xml $(ARGS) tests/e2e/test_*_story.py; told=$$?; \
	$(BIN)/python -m tests.e2e.real_servers report artefacts/e2e.xml docs/end-to-end.md; exit $$told

simulate: $(STAMP) ## the sync engine in hostile weather: SEEDS=10000 schedules, every invariant
	$(BIN)/python -m tests.simulation --seeds $(or $(SEEDS),10000)

format: $(STAMP)
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .

schema: $(STAMP) ## write graphql/schema.graphql and public.graphql from the code
	$(BIN)/serial-hub schema > graphql/schema.graphql
	$(BIN)/serial-hub schema --public > graphql/public.graphql

fuzz: $(STAMP) $(TOOLS)/.installed ## parsers, hostile documents and the running API, for SECONDS=120
	$(BIN)/python -m tests.fuzz --seconds $$(( $(or $(SECONDS),120) / 2 ))
	PYTHONPATH=.:graphql:tests $(BIN)/python -m tests.fuzz.api --seconds $$(( $(or $(SECONDS),120) / 2 )) --schemathesis $(TOOLS)/bin/schemathesis

sbom: $(TOOLS)/.installed ## write artefacts/sbom.json (CycloneDX) of what the image installs
	$(PYTHON) -m venv artefacts/image
	artefacts/image/bin/python $(PIP) --require-hashes --requirement requirements/image.lock
	$(TOOLS)/bin/cyclonedx-py environment artefacts/image --pyproject pyproject.toml --output-reproducible --output-file artefacts/sbom.json

audit: $(TOOLS)/.installed ## known advisories of what the image installs; asks the package index
	$(TOOLS)/bin/pip-audit --strict --require-hashes --disable-pip --requirement requirements/image.lock

LOCK := $(TOOLS)/bin/uv pip compile --universal --python-version 3.11 --no-header --no-annotate --generate-hashes --quiet
lock: $(TOOLS)/.installed ## write requirements/*.lock anew from constraints.txt
	$(LOCK) --constraint constraints.txt --extra dev --extra import pyproject.toml --output-file requirements/dev.lock
	$(LOCK) --constraint constraints.txt --extra import pyproject.toml --output-file requirements/image.lock
	$(LOCK) --constraint constraints.txt requirements/build.in --output-file requirements/build.lock

access: $(STAMP) ## write docs/access.md: who sees what, as keys of every scope see it
	PYTHONPATH=.:graphql:tests $(BIN)/python -m tests.poisoning.access > docs/access.md

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache artefacts
