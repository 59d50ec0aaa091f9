# Everything lives in .venv; `make help` lists what can be done.
# Needs: Python 3.11 or newer with pip (or ensurepip), make, and a network of package registries.

PYTHON ?= $(shell command -v python3 || command -v python)
PYTEST_WORKERS ?= 2
PG15_BIN ?= /usr/lib/postgresql/15/bin
# More arguments for the program a target runs, e.g. make test ARGS="-k snooze"
ARGS ?=

BIN := .venv/bin
SETUP = @test -n "$(PYTHON)" || { echo "No python3 found: install Python 3.11 or newer." >&2; exit 1; }; \
	"$(PYTHON)" scripts/setup.py
ASSETS := src/soloist/static/vendor/manifest.json
# Shows what a talkative program says only when it fails.
QUIETLY = quietly() { out=$$("$$@" 2>&1) || { echo "$$out"; return 1; }; }; quietly

.DEFAULT_GOAL := help
.PHONY: help setup run test test-fast test-pg15 check fix bench crash docs lock clean

help: ## explain the targets (this list)
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | while IFS='|' read -r name text; do \
		printf '%-18s %s\n' "$$name" "$$text"; done

setup: .venv/.runtime $(ASSETS) ## install what the server needs into .venv, without starting it

run: setup ## install what is missing and serve on http://127.0.0.1:8600 (Ctrl-C stops)
	@exec $(BIN)/soloist serve $(ARGS)

test: setup .venv/.dev ## install what the tests need and run them all
	@exec $(BIN)/python -m pytest -n $(PYTEST_WORKERS) --dist loadscope $(ARGS)

test-fast: setup .venv/.dev ## the tests without those marked slow
	@exec $(BIN)/python -m pytest -n $(PYTEST_WORKERS) --dist loadscope -m "not slow" $(ARGS)

test-pg15: setup .venv/.dev ## all tests on Debian's PostgreSQL 15, the oldest one supported
	@test -x $(PG15_BIN)/initdb || { \
		echo "No PostgreSQL 15 in $(PG15_BIN). Install it (as root: apt-get install postgresql-15)" >&2; \
		echo "or name its folder: make test-pg15 PG15_BIN=/path/to/bin" >&2; exit 1; }
	@SOLOIST_TEST_PG_BIN=$(PG15_BIN) exec $(BIN)/python -m pytest -n $(PYTEST_WORKERS) --dist loadscope $(ARGS)

check: setup .venv/.dev ## format, lint, types, import rules, migrations, papers (no tests)
	@echo "ruff format (mended by make fix)"; $(QUIETLY) $(BIN)/ruff format --check --output-format concise .
	@echo "ruff check"; $(BIN)/ruff check --quiet .
	@echo "mypy"; $(BIN)/mypy --no-error-summary
	@echo "import rules"; $(QUIETLY) $(BIN)/lint-imports --no-logo
	@echo "squawk"; $(QUIETLY) $(BIN)/squawk migrations/versions/*.sql
	@echo "reference (made by make docs)"; $(BIN)/python scripts/write_reference.py --check
	@echo "papers"; $(BIN)/python scripts/check_docs.py

fix: setup .venv/.dev ## format, and mend what ruff can mend
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

bench: setup .venv/.dev ## measure the server against its own floor (minutes)
	@exec $(BIN)/python -m bench $(ARGS)

crash: setup .venv/.dev ## kill servers, workers and PostgreSQL at work, and count what is lost (ARGS=--quick: 3 minutes)
	@exec $(BIN)/python -m crash $(ARGS)

docs: setup .venv/.dev ## write docs/reference anew from the code
	@exec $(BIN)/python scripts/write_reference.py

lock: setup .venv/.dev ## write the lock files anew (ARGS=--upgrade takes newer versions)
	$(SETUP) locker
	@PYTHONPATH=. $(BIN)/python scripts/lock.py $(ARGS)

clean: ## remove .venv, fetched assets and caches (never data)
	@rm -rf .venv src/soloist/static/vendor build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.venv/.runtime: requirements.lock requirements-build.lock scripts/setup.py
	$(SETUP) runtime
	@touch $@

.venv/.dev: .venv/.runtime requirements-dev.lock
	$(SETUP) dev
	@touch $@

$(ASSETS): .venv/.runtime pyproject.toml hatch_build.py package.json package-lock.json .npmrc requirements-node.lock
	$(SETUP) project
	@touch $@
