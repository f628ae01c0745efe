# Needs nothing but make and Python 3.11 or later.
SHELL := /bin/sh
.DEFAULT_GOAL := help

BIN := .venv/bin
# Written last, so that an interrupted setup never counts as done.
READY := .venv/.ready
BENCH_READY := .venv/.bench-ready
BROWSER_READY := .venv/.browser-ready
JOBS ?= 3
BROWSERS ?= 2
# Overrides the environment: each of a system's dozen processes would otherwise compile our modules at its start.
export PYTHONDONTWRITEBYTECODE :=
# Evaluated only where the environment has to be made.
FIND_PYTHON = for candidate in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; do \
	$$candidate -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 \
	&& echo $$candidate && exit; done; exit 1
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes
# uv takes a third of pip's processor time. Where uv cannot, pip installs, which also knows indexes of its own settings.
INSTALL = $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r $(1) 2>/dev/null || $(PIP) -r $(1)

.PHONY: help setup component api-types demo up dev texts test test-browser test-component test-alerts check fuzz pentest faults upgrade bench lock clean

help: ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

setup: $(READY) ## Make the environment in .venv from requirements-dev.lock

$(READY): requirements-dev.lock pyproject.toml
	@set -e; \
	python=$$($(FIND_PYTHON)) || { echo "Tutelage needs Python 3.11 or later with the venv module (Debian: apt install python3-venv)."; exit 1; }; \
	echo "Making .venv with $$($$python --version) ..."; \
	test -e $(READY) || $$python -m venv --clear .venv; \
	rm -f $(READY); \
	sed -n '/^uv==/,/[^\\]$$/p' requirements-dev.lock >.venv/uv.lock; \
	$(PIP) -r .venv/uv.lock; \
	$(call INSTALL,requirements-dev.lock); \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .; \
	touch $(READY)

# A browser that is installed is driven; without its driver, the demo goes on and says so.
demo: $(READY) ## Play the main job end to end against the real system (KEEP=1 leaves it running)
	@for each in chromium chromium-browser google-chrome; do \
		if command -v $$each >/dev/null; then $(MAKE) --silent $(BROWSER_READY) || true; break; fi; done
	@$(BIN)/tutelage demo $(if $(KEEP),--keep) $(ARGS)

up: $(READY) ## Run the system until Ctrl-C
	@$(BIN)/tutelage up $(ARGS)

dev: $(READY) ## Run the system and start its parts again when their code changes
	@$(BIN)/tutelage up --reload $(ARGS)

# Options of `extract`, as in tests/unit/test_catalogues.py.
TEXTS = workflows/locales/messages.pot
texts: $(READY) ## Collect the texts of mails and pages for the catalogues, and add new ones to ours
	@$(BIN)/pybabel -q extract -F pyproject.toml -k gettext_noop -k Kind:1 --add-location=file --omit-header \
		--width=110 -o $(TEXTS) api workflows workers
	@$(BIN)/pybabel -q update --ignore-pot-creation-date --no-fuzzy-matching --ignore-obsolete --width=110 \
		-l de -i $(TEXTS) -o workflows/locales/de.po

test: $(READY) ## Run all tests against a real PostgreSQL and a real Valkey (ARGS=... goes to pytest)
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

test-browser: $(BROWSER_READY) ## Test pages in an installed Chromium (CHROMIUM=... or FIREFOX=... names it, PICTURES=... stores screenshots)
	@$(BIN)/python -m pytest -n $(BROWSERS) --dist worksteal --browser $(or $(FIREFOX),$(CHROMIUM),chromium) $(if $(PICTURES),--pictures $(PICTURES)) tests/browser $(ARGS)

test-alerts: $(READY) ## Test each alert of Prometheus with and without its fault, with an installed promtool
	@$(BIN)/python -m tests.deploy.alert_cases

# Playwright drives the browser that is installed: it downloads none.
$(BROWSER_READY): $(READY) requirements-browser.lock
	@$(call INSTALL,requirements-browser.lock)
	@touch $(BROWSER_READY)

check: $(READY) ## Check style, formatting, types, the direction of imports and known vulnerabilities
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m tests.advisories

fuzz: $(READY) ## Send generated requests and play random lives for minutes (ARGS="--minutes 5 --seed N")
	@$(BIN)/python -m tests.fuzz $(ARGS)

pentest: $(READY) ## Attack a running address, or a new system (ARGS="--url http://... --token ...")
	@$(BIN)/python -m tests.pentest $(ARGS)

faults: $(READY) ## Make faults in every part under a played market, then look for losses (SEED=n SECONDS=300 DEFECT=name)
	@$(BIN)/python -m tests.faults $(if $(SEED),--seed $(SEED)) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(DEFECT),--defect $(DEFECT)) $(ARGS)

upgrade: $(READY) ## Upgrade from the release before and go back under load, then look for losses (ARGS="--seconds 30")
	@$(BIN)/python -m tests.upgrade $(ARGS)

bench: $(BENCH_READY) ## Measure, and compare with other designs (ARGS="--only life --rounds 1": under two minutes)
	@$(BIN)/python -m bench $(ARGS)

$(BENCH_READY): $(READY) requirements-bench.lock
	@$(call INSTALL,requirements-bench.lock)
	@touch $(BENCH_READY)

COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	--no-emit-index-url --no-emit-find-links --no-annotate pyproject.toml

lock: $(READY) ## Resolve pyproject.toml into the four locks (ARGS=--upgrade: to the newest versions)
	@$(COMPILE) $(ARGS) --extra build -o requirements.lock
	@$(COMPILE) $(ARGS) --extra build --extra local --extra otel --extra dev -c requirements.lock -o requirements-dev.lock
	@$(COMPILE) $(ARGS) --extra bench -c requirements-dev.lock -o requirements-bench.lock
	@$(COMPILE) $(ARGS) --extra browser -c requirements-dev.lock -o requirements-browser.lock

component: ## Build the booking component into api/component (node 20 or later)
	@command -v npm >/dev/null || { echo "The component is built with node 20 or later and npm."; exit 1; }
	@cd component && npm ci --silent && npm run --silent build

test-component: ## Test the component that was built, and @tutelage/react
	@cd component && npm test --silent

api-types: $(READY) ## Write the component's types of the API from the OpenAPI document
	@document=$$(mktemp) && trap 'rm -f "$$document"' EXIT && cd component && npm ci --silent && cd .. && \
	$(BIN)/python -c 'import sys, pathlib, tests.application as api; pathlib.Path(sys.argv[1]).write_bytes(api.served_document())' "$$document" && \
	node component/api-types/generate.js "$$document" component/src/api/generated.ts

clean: ## Remove the environment and caches; data in .data stays
	@rm -rf .venv component/node_modules component/react/dist component/tests/react-18/node_modules component/api-types/node_modules .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache build dist *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
