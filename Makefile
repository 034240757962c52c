# The commands of this repository. Each makes .venv and installs what it needs, once: again only when pyproject.toml
# or constraints.txt has changed.
#
#   make demo    diagnose a training script that goes wrong, and its corrected twin
#   make test    all tests; ARGS="-k recorder" is handed to pytest
#   make lint    ruff, mypy, import-linter
#   make bench   kernels, overhead and parts; results go to benchmarks/RESULTS.md
#   make format  let ruff rewrite what it can
#   make docs    regenerate docs/demo.txt, the copy of it in README.md, and docs/rules.md
#   make clean   remove .venv, caches and builds
#
# PYTHON=python3.12 chooses another interpreter (3.11 or newer) for .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_READY := $(VENV)/.demo-installed
DEV_READY := $(VENV)/.dev-installed
INPUTS := pyproject.toml constraints.txt
PIP_INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test lint bench format docs clean
.DELETE_ON_ERROR:

demo: $(DEMO_READY)
	$(BIN)/python examples/demo.py

# One thread per worker: as many workers as cores already keep the machine busy. No test may ask a model hub.
test: export OMP_NUM_THREADS = 1
test: export HF_HUB_OFFLINE = 1
test: $(DEV_READY)
	$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

lint: $(DEV_READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(DEV_READY)
	$(BIN)/python benchmarks/bench_kernels.py
	$(BIN)/python benchmarks/bench_overhead.py
	$(BIN)/python benchmarks/bench_parts.py

format: $(DEV_READY)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: $(DEV_READY)
	$(BIN)/python examples/demo.py --capture docs/demo.txt
	$(BIN)/python docs/generate.py

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

define new_venv
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, and this is " \
	+ sys.version.split()[0] + ": name another one with make PYTHON=...")'
$(PYTHON) -m venv $(VENV)
@echo 'Installing into $(VENV): once, a few minutes'
endef

$(DEMO_READY): $(INPUTS)
	$(new_venv)
	$(PIP_INSTALL) --editable '.[demo]'
	@touch $@

# Developers need all that the demo needs.
$(DEV_READY): $(INPUTS)
	$(new_venv)
	$(PIP_INSTALL) --editable '.[dev]'
	@touch $(DEMO_READY) $@
