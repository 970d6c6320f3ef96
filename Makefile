# Two commands do everything: `make duel` and `make test`. Both set up what they need in .venv.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PROOF  := .venv-proof
PIP    := $(BIN)/pip --disable-pip-version-check --quiet
DONE   := $(VENV)/.done
ENGINE := $(shell find engine -name '*.py')

# Lets gcc inline across functions of the engine's shared object: a fifth faster, same games.
export CFLAGS := -fno-semantic-interposition $(CFLAGS)

# Bytecode makes the second start of every command ten times faster.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup duel test check tests test-export bench proof picture clean

setup: $(DONE)/engine

$(DONE)/venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade 'pip>=25.1'
	@mkdir -p $(DONE) && touch $@

$(DONE)/build: pyproject.toml constraints.txt | $(DONE)/venv
	$(PIP) install -c constraints.txt --group build
	@touch $@

# Compiles the engine in place and installs the rest as it lies here; again whenever a source is newer.
$(DONE)/engine: $(ENGINE) $(DONE)/build
	@rm -f *__mypyc*.so; find engine -name '*.so' -delete
	$(PIP) install -c constraints.txt --no-build-isolation --editable .
	@touch $@

$(DONE)/test: $(DONE)/build
	$(PIP) install -c constraints.txt --group test
	@touch $@

duel: setup
	@$(BIN)/orchestrator duel 'sim:mcts:200?illegal=0.05' vs bot:greedy --games 20 --seed 1

test: check tests

check: setup $(DONE)/test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

tests: setup $(DONE)/test
	$(BIN)/pytest -n auto
	DUELIST_ENGINE=pure $(BIN)/pytest -n auto

# Exports, read by the libraries they are for. These take 1.5 GB, in an environment of their own: not a part of `test`.
EXPORT  := .venv-export
VENDORS := tests/export_vendors

$(EXPORT)/.done: $(VENDORS)/requirements.txt $(VENDORS)/constraints.txt
	$(PYTHON) -m venv $(EXPORT)
	$(EXPORT)/bin/pip --disable-pip-version-check --quiet install -c $(VENDORS)/constraints.txt -r $(VENDORS)/requirements.txt
	@touch $@

test-export: setup $(DONE)/test $(EXPORT)/.done
	rm -rf $(EXPORT)/files
	$(BIN)/python -m tests.export_vendors.export $(EXPORT)/files $(EXPORT)/lib/python3*/site-packages
	$(EXPORT)/bin/python -m pytest -c $(VENDORS)/pytest.ini --confcutdir $(VENDORS) --files=$(CURDIR)/$(EXPORT)/files $(VENDORS)

# The peers of the engine get environments of their own in .venv-bench, made when first needed.
bench: setup
	$(PIP) install -c constraints.txt --group bench
	$(BIN)/python -m benchmarks --write

# From play to a trained player and back into the arena (examples/proof); torch has an environment of its own.
proof: setup $(PROOF)/.done
	rm -rf build/proof
	$(BIN)/python examples/proof/prove.py --to build/proof --torch $(PROOF)/bin/python

$(PROOF)/.done: constraints.txt
	$(PYTHON) -m venv $(PROOF)
	$(PROOF)/bin/pip --disable-pip-version-check --quiet install -c constraints.txt torch numpy
	@touch $@

clean:
	rm -rf $(VENV) .venv-bench $(EXPORT) $(PROOF) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	rm -f *__mypyc*.so; find engine -name '*.so' -delete; find . -name __pycache__ -prune -exec rm -rf {} +
