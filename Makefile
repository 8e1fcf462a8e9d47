# What a new user runs. Everything lives in .venv and .defib of this folder; nothing is installed elsewhere.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
SITE ?= lab
PROCEDURE ?= cdn-failover
FAULT ?=
JOBS ?= 0
export DEFIB_HOME ?= $(CURDIR)/.defib
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help install drill up down test check bench peers lock clean

help: ## Show what there is to make
	@sed -n 's/^\([a-z]*\):.*## /\1|/p' $(MAKEFILE_LIST) | column -t -s '|'

install: $(VENV)/installed ## Create .venv with locked, hash-checked dependencies

$(VENV)/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error:    Python 3.11 or newer is needed; next: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "error:    this Python cannot make virtual environments; next: apt-get install python3-venv"; exit 2; }
	$(PYTHON) -m venv --clear $(VENV)
	$(VENV)/bin/pip install --quiet --no-deps --require-hashes -r requirements.lock
	$(VENV)/bin/pip install --quiet --no-deps --no-build-isolation --no-index --editable .
	@touch $@

drill: $(VENV)/installed ## Break the primary CDN in the lab, recover, fail back, prove it: the whole story in a minute
	@$(VENV)/bin/defib drill $(PROCEDURE) --site $(SITE) $(if $(FAULT),--fault $(FAULT))

# Only as written behind make: SITE, HOST and PORT stand in many environments and mean something else there.
given = $(if $(findstring command,$(origin $1)),$2)
UP := $(call given,HOST,--host $(HOST)) $(call given,PORT,--port $(PORT)) \
  $(call given,AUTH,$(if $(filter off no,$(AUTH)),--no-auth,--auth)) \
  $(call given,SITE,$(foreach site,$(SITE),--site $(site)))

up: $(VENV)/installed ## Start Prefect's server, a worker and the deployments, and leave them running (SITE= HOST= PORT= AUTH=on or off)
	@$(VENV)/bin/defib up $(UP)

down: $(VENV)/installed ## Stop what make up started
	@$(VENV)/bin/defib down

test: $(VENV)/installed ## Run all tests: unprivileged, loopback only (JOBS=2 for two files at once)
	@mkdir -p build
	$(RUN) -m pytest --basetemp=build/tests --numprocesses=$(JOBS) --dist=loadfile

check: $(VENV)/installed ## Lint, formatting, types, layers
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

bench: $(VENV)/installed ## Run the benchmarks, each against a peer in one run
	@mkdir -p build
	-@$(MAKE) --no-print-directory peers
	$(RUN) -m benchmarks

peers: build/peers/installed ## Install what the benchmarks compare with, apart from everything else

build/peers/installed: requirements-peers.lock
	$(PYTHON) -m venv --clear build/peers
	build/peers/bin/pip install --quiet --no-deps --require-hashes -r requirements-peers.lock
	@touch $@

lock: ## Lock the dependencies anew (needs uv)
	uv pip compile --quiet --universal --no-strip-extras --python-version 3.11 --generate-hashes --no-header \
	  --no-annotate --extra lab --extra cluster --extra dev pyproject.toml --output-file requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --group peers --output-file requirements-peers.lock

clean: ## Remove what make and the runs have left
	@test ! -x $(VENV)/bin/defib || $(VENV)/bin/defib down
	rm -rf $(VENV) .defib build
