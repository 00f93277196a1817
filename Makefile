# Needs Python 3.11 or later and pip; everything else goes into .venv. PYTHON=python3.12 chooses another interpreter.

PYTHON ?= python3
TORTURE_SECONDS ?= 300
HISTORIES ?= 200000
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input

.PHONY: demo test torture lint bench pictures sbom
.DEFAULT_GOAL := demo

demo: .venv/.run ## a sample community, served, with two commands to try
	@$(BIN)/laurels demo $(DEMO)

test: .venv/.test
	@$(BIN)/python -m pytest -n auto --dist worksteal $(TEST)

torture: .venv/.test ## HISTORIES in any order; then kills and full disks for TORTURE_SECONDS; TORTURE="--seed N --only NAME" repeats one
	@LAURELS_TEST_HISTORIES=$(HISTORIES) $(BIN)/python -m pytest -n auto -q --timeout 0 tests/commands/test_any_order.py
	@$(BIN)/python -m pytest -q --timeout 0 tests/torture/applies_killed.py
	@$(BIN)/python -m tests.torture --seconds $(TORTURE_SECONDS) $(TORTURE)

lint: .venv/.test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/pyright

sbom: .venv/.test ## writes build/sbom.json: what is installed to run Laurels, as CycloneDX
	@mkdir -p build
	@$(BIN)/python -m tests.support.sbom build/sbom.json

pictures: .venv/.test ## takes the screenshots of docs/pictures/; PICTURES="NAME ..." takes only these
	@$(BIN)/python -m docs.pictures $(PICTURES)

bench: .venv/.test ## both engines; the packages for tests include a PostgreSQL to measure
	@$(BIN)/python -m bench $(BENCH)

# Each stamp file is renewed when its dependencies change.
.venv/.run: requirements/build.txt requirements/run.txt pyproject.toml | $(BIN)/pip
	@echo "Installing what Laurels needs to run ..."
	@$(PIP) --require-hashes -r requirements/build.txt -r requirements/run.txt
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

.venv/.test: requirements/test.txt pyproject.toml | $(BIN)/pip
	@echo "Installing what the tests need ..."
	@$(PIP) --require-hashes -r requirements/test.txt
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Laurels needs Python 3.11 or later; name one with: make PYTHON=python3.12"; exit 1; }
	@echo "Creating the virtual environment .venv ..."
	@$(PYTHON) -m venv .venv
