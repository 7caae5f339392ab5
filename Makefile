# `make help` lists the targets. Nothing is needed but make and Python 3.11 or newer with venv.
SHELL := /bin/sh
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	command -v $$name >/dev/null 2>&1 && $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
VENV := .venv
BIN := $(VENV)/bin
# The client is used from its source; it has no dependency that the development set lacks.
export PYTHONPATH := $(CURDIR)/client/src

.DEFAULT_GOAL := help
.PHONY: help install install-dev browser javascript up demo test test-fast lint format typecheck bench compatibility conformance screenshots compose-check lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Runwood needs Python 3.11 or newer, and found none. Install one, or name it: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Runwood needs Python 3.11 or newer, and $(PYTHON) is older, or is none"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "$(PYTHON) cannot make a virtual environment. On Debian: apt-get install python3-venv"; exit 1; }

# A lock is installed by uv where it is at hand, else by pip; both check every hash. The stamp makes the next run quick.
define install_lock
	@echo "installing $(1) into $(VENV)"
	@if command -v uv >/dev/null 2>&1; then uv pip install --quiet --python $(BIN)/python --require-hashes -r $(1); \
	else $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(1); fi
	@touch $@
endef

$(VENV)/installed: requirements.lock | $(BIN)/python
	$(call install_lock,requirements.lock)

$(VENV)/installed-dev: requirements-dev.lock | $(BIN)/python
	$(call install_lock,requirements-dev.lock)
	@touch $(VENV)/installed

install: $(VENV)/installed ## install the server into .venv
install-dev: $(VENV)/installed-dev ## install the server, the tests' tools, the demo's and the benchmarks' packages

up: install ## start everything and print the address: RUNWOOD_PORT, RUNWOOD_HOST, RUNWOOD_DATA_DIR
	@exec $$(command -v setpriv >/dev/null 2>&1 && echo setpriv --pdeathsig TERM) $(BIN)/python manage.py up

demo: install-dev ## send a real LangGraph agent's traces to the running server, both ways
	@$(BIN)/python -m demo

browser:
	@command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
			echo "installing Chromium for the browser tests"; \
			{ apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } >/dev/null 2>&1 \
			|| echo "Chromium could not be installed: THE BROWSER TESTS WILL BE SKIPPED"; \
		else echo "There is no Chromium here and it takes root to install it: THE BROWSER TESTS WILL BE SKIPPED"; fi; }

javascript: # the npm packages of the contract tests
	@cd tests/contract/javascript && \
	if ! { command -v node && command -v npm; } >/dev/null 2>&1; then echo "JAVASCRIPT CONTRACT TESTS WERE SKIPPED: no node"; \
	elif ! [ node_modules/.package-lock.json -nt package-lock.json ]; then \
		echo "installing the npm packages of the contract tests"; \
		npm ci --silent && touch node_modules/.package-lock.json \
		|| { rm -rf node_modules; echo "JAVASCRIPT CONTRACT TESTS WERE SKIPPED: npm could not install their packages"; }; fi

test: install-dev browser javascript ## run every test
	@$(BIN)/python -m scripts.run_tests

test-fast: install-dev ## run the tests that need no running server and no browser
	@$(BIN)/python -m pytest -m "not live and not browser and not faults"

lint: install-dev ## check style, types, import contracts, templates and migrations
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/djade --check $$(git ls-files '*.html' | grep templates/)
	@PYTHONPATH=.:client/src $(BIN)/lint-imports --no-cache
	@$(BIN)/mypy --no-error-summary .
	@cd client && ../$(BIN)/mypy --no-error-summary src
	@RUNWOOD_SECRET_KEY=lint DATABASE_URL=postgresql://nobody@127.0.0.1:1/none $(BIN)/python -W ignore manage.py makemigrations --check --dry-run --verbosity 0 2>/dev/null || { echo "A model has changed: run manage.py makemigrations"; exit 1; }

format: install-dev ## put code and templates into shape
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .
	@$(BIN)/djade $$(git ls-files '*.html' | grep templates/)

typecheck: install-dev ## check types alone
	@$(BIN)/mypy .

bench: install-dev ## measure ingest, reading and the handler (docs/performance.md); twenty minutes
	@$(BIN)/python -m benchmarks.ingest
	@$(BIN)/python -m benchmarks.read
	@$(BIN)/python -m benchmarks.handler

compatibility: install-dev javascript ## run the clients' real packages, and write docs/compatibility.md
	@$(BIN)/python -m pytest tests/contract --write-compatibility

conformance: install-dev ## run the client's workloads under each langchain-core, and write docs/conformance.md
	@$(BIN)/python -m scripts.conformance

screenshots: install-dev browser ## take the pictures in docs/img
	@$(BIN)/python -m scripts.screenshots

compose-check: ## bring docker-compose.yml up for real, send a run, read it back; minutes
	@scripts/compose_check.sh

lock: install-dev ## resolve the dependencies anew
	@$(BIN)/uv pip compile -q pyproject.toml --upgrade --python-version 3.11 --universal --generate-hashes --no-emit-index-url --no-header --no-annotate -o requirements.lock
	@$(BIN)/uv pip compile -q pyproject.toml --upgrade --extra dev -c requirements.lock --python-version 3.11 --universal --generate-hashes --no-emit-index-url --no-header --no-annotate -o requirements-dev.lock

clean: ## remove what was installed and cached; data stay
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache tests/contract/javascript/node_modules
