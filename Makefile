# Targets install their own needs: a fresh clone needs git, make and Python 3.11 or newer with venv.
# `make help` lists the targets.

VENV := .venv
PY := $(VENV)/bin/python
# Marker files of installed groups; a newer pyproject.toml installs again.
STAMPS := $(VENV)/.stamps
# Python compiles modules when it imports them: compiling all of them here would take longer.
PIP_INSTALL := $(PY) -m pip install -qq --no-compile --disable-pip-version-check
TYPESCRIPT := typescript@~7.0.2

HOST ?= 127.0.0.1
PORT ?= 8000
# Test processes: one more than two cores, since many tests wait. `make test JOBS=0 PYTEST_ARGS="-k hub"`
# runs some tests in one process.
JOBS ?= 3
# Each process begins with neighbouring tests, which share costly fixtures, and takes others' at the end.
DIST := --dist worksteal
# The long tests start many processes of their own.
LONG_JOBS ?= 2
DJANGO_VERSIONS := 6.0 6.1
PYTEST_ARGS ?=
# Test files that depend on the kind of database. On both databases, `make test` runs them.
POSTGRES_TESTS := $(addprefix tests/invalidation/,capture oracle postgres transactions triggers \
  test_invalidate.py test_quiet.py test_testing_kit.py) tests/contract tests/realtime/backends/outbox \
  $(addprefix tests/realtime/,test_publish.py test_migrations.py pages/test_watch.py) \
  $(addprefix tests/demo_todo/,test_interleavings.py test_order.py)
# Tests that call what differs between Django's versions: its ORM, sessions, users, templates and checks.
DJANGO_TESTS := tests/invalidation tests/demo_todo \
  $(addprefix tests/realtime/,access pages test_publish.py test_migrations.py test_settings.py test_without_users.py)
SOAK_FILE := tests/invalidation/oracle/soak.py
# Seconds of writes and faults on each database with each backend, in rounds of 180 seconds.
CONVERGENCE_SECONDS ?= 900

# Tests start hundreds of processes, each of which would otherwise compile all its imports.
unexport PYTHONDONTWRITEBYTECODE
export VENV PYTHON SEED SOAK_TRANSACTIONS SOAK_EXAMPLES SOAK_ATTACKS APPS

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-js test-postgres test-long test-versions lint bundle packaging soak soak-convergence \
  soak-django bench \
  docs dev clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{printf "%-18s %s\n", $$1, $$2}'

demo: $(STAMPS)/demo ## run the demo on http://HOST:PORT/
	@$(PY) tools/check_port.py $(HOST) $(PORT)
	@$(PY) manage.py migrate --verbosity 0
	@$(PY) manage.py seed
	@echo "Open http://$(HOST):$(PORT)/ in two browsers. Ctrl-C stops the server."
	@exec $(PY) manage.py runserver $(HOST):$(PORT)

test: $(STAMPS)/test ## run all tests but the packaging test, on SQLite and PostgreSQL
	@sh tools/ensure_system.sh browser nginx npx postgres redis
	@$(MAKE) --no-print-directory test-js
	@$(PY) -m pytest -n $(JOBS) $(DIST) $(PYTEST_ARGS)
	@$(MAKE) --no-print-directory test-postgres

test-postgres: $(STAMPS)/test ## run the tests that depend on the database on a private PostgreSQL
	@sh tools/ensure_system.sh npx postgres
	@$(PY) tools/postgres.py $(PY) -m pytest -n $(JOBS) $(DIST) -m "not packaging and not sqlite and not long" \
	  $(PYTEST_ARGS) $(POSTGRES_TESTS)

test-versions: $(STAMPS)/venv ## run the tests that depend on Django on its other versions
	@sh tools/ensure_system.sh npx postgres redis
	@JOBS='$(JOBS)' PYTEST_ARGS='$(PYTEST_ARGS)' DJANGO_TESTS='$(DJANGO_TESTS)' \
	  sh tools/test_versions.sh $(DJANGO_VERSIONS)

test-long: $(STAMPS)/test ## break the product on purpose, and show that the long tests notice
	@sh tools/ensure_system.sh browser nginx npx postgres redis
	@$(PY) -m pytest -n $(LONG_JOBS) $(DIST) -m long $(PYTEST_ARGS)

test-js: ## run the JavaScript unit tests
	@node --test $$(find tests/js -name '*.test.js') tests/convergence/node/*.test.mjs

lint: $(STAMPS)/lint ## check style, types and the import arrows
	@sh tools/ensure_system.sh npx
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports
	@npx --yes --package=$(TYPESCRIPT) tsc --project tests/js/tsconfig.json

bundle: $(STAMPS)/venv ## join the JavaScript modules into the file that pages load
	@$(PY) -m tools.bundle

packaging: $(STAMPS)/test ## build the wheel, follow the README with it in an empty venv
	@sh tools/ensure_system.sh browser
	@$(PY) -m pytest -m packaging $(PYTEST_ARGS) tests/packaging

soak: soak-convergence ## search for missed changes, long: SOAK_TRANSACTIONS=… SEED=… SOAK_EXAMPLES=…
	@$(PY) -m pytest --timeout=0 -p no:randomly $(SOAK_FILE)
	@$(PY) tools/postgres.py $(PY) -m pytest --timeout=0 -p no:randomly -m "not sqlite" $(SOAK_FILE)
	@$(PY) -m pytest --timeout=0 -p no:randomly -n0 tests/realtime/hostile/soak.py
	@HYPOTHESIS_PROFILE=soak $(PY) -m pytest -n $(JOBS) $(DIST) -m 'hypothesis and not postgres' --timeout=0 \
	  $(if $(SEED),--hypothesis-seed=$(SEED)) $(PYTEST_ARGS)
	@HYPOTHESIS_PROFILE=soak $(PY) tools/postgres.py $(PY) -m pytest -n $(JOBS) $(DIST) --timeout=0 \
	  -m 'hypothesis and postgres' $(if $(SEED),--hypothesis-seed=$(SEED)) $(PYTEST_ARGS)

soak-convergence: $(STAMPS)/test ## only its first part, which kills processes: CONVERGENCE_SECONDS=… SEED=…
	@$(MAKE) --no-print-directory test-long
	@for database in sqlite postgres; do for backend in database socket redis redis-cluster; do \
	  $(PY) -m tests.convergence --seconds $(CONVERGENCE_SECONDS) --seed $(or $(SEED),1) \
	    --database $$database --backend $$backend || exit 1; done; done

soak-django: $(STAMPS)/test ## run Django's own tests with every model tracked: JOBS=… APPS="update delete"
	@sh tools/ensure_system.sh npx postgres
	@JOBS='$(JOBS)' sh tools/soak_django.sh $(PY) $(lastword $(DJANGO_VERSIONS))

bench: $(STAMPS)/test ## run a benchmark: NAME=…
	@sh tools/ensure_system.sh browser npx postgres redis
	@$(PY) -m benchmarks $(NAME)

docs: $(STAMPS)/docs ## build the documentation into docs/_build
	@$(PY) -m sphinx --fresh-env --fail-on-warning --keep-going --quiet -b html docs docs/_build
	@echo "Open docs/_build/index.html"

dev: $(STAMPS)/dev ## install everything, for an editor
	@echo "$(VENV) holds everything. Hooks: $(VENV)/bin/pre-commit install"

clean: ## remove the files that other targets made, and the demo's database
	rm -rf $(VENV) .venv-django-* build dist docs/_build demo.sqlite3* .mypy_cache .pytest_cache .ruff_cache \
	  .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMPS)/venv: tools/make_venv.sh
	@sh tools/make_venv.sh $(VENV)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/demo: pyproject.toml $(STAMPS)/venv
	@echo "Installing the demo's needs"
	@$(PIP_INSTALL) --editable '.[demo]'
	@touch $@

# A dependency group, on top of the packages and the demo's needs, which the tests share.
$(STAMPS)/test $(STAMPS)/lint $(STAMPS)/docs $(STAMPS)/dev: $(STAMPS)/demo
	@echo "Installing the group '$(@F)'"
	@$(PIP_INSTALL) --group $(@F)
	@touch $@
