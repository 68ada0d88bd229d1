# make demo   one edit end to end, pictures in demo/      make test   lint, types, wire contract, all tests
# make lint   only the checks that run nothing            make bench  the kernels against the PyTorch transcription
#
# Everything lives in .venv, made on first use. LAYOUTBRUSH_NO_NATIVE=1 installs without compiling the kernels.

VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
KIND := $(if $(LAYOUTBRUSH_NO_NATIVE),pure,native)
# The kernels themselves need no reinstall: the editable install rebuilds them when they are imported.
export PATH := $(abspath $(BIN)):$(PATH)
BUILD_INPUTS := pyproject.toml constraints.txt runtime/native/CMakeLists.txt

.PHONY: help demo test lint bench clean
help:
	@sed -n 's/^# \{0,1\}//; 1,/^$$/p' Makefile

demo: $(VENV)/.demo-$(KIND)
	@$(BIN)/python -m layoutbrush.plugin_bridge.demo --out demo

test: lint
	$(BIN)/python -m pytest

lint: $(VENV)/.dev-$(KIND)
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/buf lint proto
	BUF=$(abspath $(BIN)/buf) proto/baseline.sh

bench: $(VENV)/.dev-$(KIND)
	$(BIN)/layoutbrush bench

clean:
	rm -rf $(VENV) build dist demo .mypy_cache .ruff_cache .pytest_cache .hypothesis

# Builds run in the environment itself, because the editable install calls the same CMake again later on.
$(VENV)/.python:
	@python=; for name in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
	  $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { python=$$name; break; }; done; \
	if [ -z "$$python" ]; then echo "Layoutbrush needs Python 3.11 or newer (make PYTHON=/path/to/python3.12)."; exit 1; fi; \
	$$python -m venv $(VENV) || { echo "No virtual environment could be made: apt install python3-venv"; exit 1; }
	@$(PIP) install -c constraints.txt scikit-build-core cmake ninja
	@touch $@

$(VENV)/.compiler-native:
	@command -v $${CXX:-c++} >/dev/null || { echo "No C++ compiler: apt install g++, or set LAYOUTBRUSH_NO_NATIVE=1."; exit 1; }
$(VENV)/.compiler-pure:

$(VENV)/.demo-$(KIND): $(VENV)/.python $(BUILD_INPUTS) | $(VENV)/.compiler-$(KIND)
	@echo "Installing Layoutbrush into $(VENV) ($(KIND))"
	@$(PIP) install -c constraints.txt --no-build-isolation -e '.[demo]'
	@touch $@

$(VENV)/.dev-$(KIND): $(VENV)/.python $(BUILD_INPUTS) | $(VENV)/.compiler-$(KIND)
	@echo "Installing Layoutbrush with its development tools into $(VENV) ($(KIND))"
	@$(PIP) install -c constraints.txt --no-build-isolation -e '.[dev]'
	@touch $@ $(VENV)/.demo-$(KIND)
