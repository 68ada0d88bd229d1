# make demo   one edit end to end, pictures in demo/      make test   lint, types, wire contract, all tests
# make lint   only the checks that run nothing            make bench  kernels, graphs and edits beside their peers (minutes)
# make web    the editor's page (needs Node)              make wheel  a wheel with the page in it, in dist/
#
# Everything lives in .venv, made on first use. LAYOUTBRUSH_NO_NATIVE=1 installs without compiling the kernels.

VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
KIND := $(if $(LAYOUTBRUSH_NO_NATIVE),pure,native)
# The kernels themselves need no reinstall: the editable install rebuilds them when they are imported.
export PATH := $(abspath $(BIN)):$(PATH)
# The editor's page is built where there is Node; without it everything else works, and `serve --web` says what is missing.
WEB := plugin_bridge/web
PAGE := plugin_bridge/layoutbrush/plugin_bridge/web_page/index.html
NODE := $(shell command -v npm 2>/dev/null)
WEB_INPUTS := $(shell find $(WEB) -name node_modules -prune -o -type f -print 2>/dev/null)
BUILD_INPUTS := pyproject.toml constraints.txt runtime/native/CMakeLists.txt

.PHONY: help demo test test-web lint bench web wheel clean
help:
	@sed -n 's/^# \{0,1\}//; 1,/^$$/p' Makefile

demo: $(VENV)/.demo-$(KIND) $(if $(NODE),web)
	@$(BIN)/python -m layoutbrush.plugin_bridge.demo --out demo

test: lint $(if $(NODE),test-web)
	$(BIN)/python -m pytest

test-web: web
	npm --prefix $(WEB) test --silent

web: $(PAGE)

wheel: $(VENV)/.dev-$(KIND) $(if $(NODE),web)
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

lint: $(VENV)/.dev-$(KIND)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/buf lint proto
	BUF=$(abspath $(BIN)/buf) proto/baseline.sh

bench: $(VENV)/.dev-$(KIND)
	$(BIN)/layoutbrush bench

clean:
	rm -rf $(VENV) build dist demo $(WEB)/node_modules $(dir $(PAGE)) .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(WEB)/node_modules/.installed: $(WEB)/package.json $(WEB)/package-lock.json
	@test -n "$(NODE)" || { echo "The page is built with Node 20 or newer: https://nodejs.org"; exit 1; }
	@echo "Installing the packages of the editor's page"
	@npm --prefix $(WEB) ci --no-audit --no-fund --loglevel=error
	@touch $@

$(PAGE): $(WEB)/node_modules/.installed $(WEB_INPUTS)
	@echo "Building the editor's page"
	@npm --prefix $(WEB) run build --silent >$(WEB)/node_modules/.build.txt 2>&1 || { cat $(WEB)/node_modules/.build.txt; exit 1; }
	@touch $@

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
