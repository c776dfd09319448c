# Everything a person or CI does here, by name. `make` alone lists it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory

SERVICES := ingest loyalty offers notify
WORKERS ?= 2
EXAMPLES ?= 500
SEED ?= 1
ARGS ?=

# An installed uv is used as it is; without one, a private copy goes to .tools.
UV := $(or $(shell command -v uv 2>/dev/null),.tools/uv/bin/uv)
PY := .venv/bin/python
READY := .venv/.ready
RUNS := .venv/.runs
# Interpreters come from the machine, never as a silent download.
export UV_PYTHON_DOWNLOADS = never

JAVA := $(if $(JAVA_HOME),$(JAVA_HOME)/bin/java,java)
MAC := $(filter Darwin,$(shell uname -s))
GET_PYTHON := $(if $(MAC),brew install python@3.13,sudo apt-get install python3 python3-venv)
GET_JAVA := $(if $(MAC),brew install openjdk@17,sudo apt-get install openjdk-17-jdk-headless)
GET_MAVEN := $(if $(MAC),brew install maven,sudo apt-get install maven)

.PHONY: help
help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  \033[1m%-12s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- the product, running ---------------------------------------------------------------------

.PHONY: setup demo up down status clean migrate
setup: $(READY) ## install everything from uv.lock into .venv

demo: fetch ## real baskets end to end: HOUSEHOLDS=300 WEEKS=16, or SMALL=1
	@$(PY) -m demo $(ARGS)

up: fetch ## start Kafka, Postgres, mail catcher and services; print URLs and keys
	@$(PY) -m deploy.local up $(ARGS)

down: $(RUNS) ## stop what `make up` or `make demo` started; data stays
	@$(PY) -m deploy.local down $(ARGS)

status: $(RUNS) ## what runs where
	@$(PY) -m deploy.local status $(ARGS)

clean: $(RUNS) ## stop, and delete the local data
	@$(PY) -m deploy.local clean $(ARGS)

migrate: $(RUNS) ## bring the databases of the running stack to the newest schema
	@set -a; [ ! -f .local/env ] || . .local/env; set +a; \
	for service in $(SERVICES); do $(PY) -m services.$$service migrate; done

# --- proof ------------------------------------------------------------------------------------

.PHONY: test faults schemathesis bench
test: $(READY) java ## every test, on real Postgres and Kafka; ARGS="-k …" narrows
	@$(PY) -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

faults: $(READY) java ## the long form of the fault tests: 50 kills, 100,000 events
	@FAULTS=long $(PY) -m pytest tests/faults --timeout 5400 $(ARGS)

schemathesis: $(READY) ## the long form of the OpenAPI tests: EXAMPLES=500, SEED=1
	@EXAMPLES=$(EXAMPLES) SEED=$(SEED) $(PY) -m pytest -n $(WORKERS) --dist loadfile -k openapi_document tests/service $(ARGS)

bench: $(READY) java ## throughput and latency, as ratios on this machine
	@$(PY) -m bench $(ARGS)

# --- what CI checks, fastest first ------------------------------------------------------------

.PHONY: check fmt lint imports deps types generated lock events openapi client guide
check: lint imports deps generated types lock ## everything that CI checks before it tests

fmt: $(READY) ## format, and fix what can be fixed by itself
	@.venv/bin/ruff check --fix --quiet . || true
	@.venv/bin/ruff format .

lint: $(READY) ## format and lint rules, without changing anything
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .

imports: $(READY) ## who may import whom
	@.venv/bin/lint-imports --no-logo

deps: $(READY) ## dependencies declared equal dependencies used
	@.venv/bin/deptry services shared
	@cd clients/python && ../../.venv/bin/deptry src
	@.venv/bin/deptry deploy demo bench tests --ignore DEP002,DEP004

types: $(READY) ## basedpyright, strict
	@.venv/bin/basedpyright

CLIENT := clients/python/src/perennial_client/ingest
GENERATE = PATH="$(CURDIR)/.venv/bin:$$PATH" openapi-python-client generate --meta none --overwrite \
	--path docs/openapi/ingest.json --config clients/python/generator.yaml --output-path

generated: $(READY) # docs/events, docs/openapi and the client are what the code says
	@$(PY) -m shared.contracts.publish --check
	@for service in $(SERVICES); do \
		$(PY) -m services.$$service openapi | diff -u docs/openapi/$$service.json - \
		|| { echo "docs/openapi/$$service.json is stale: run 'make openapi'"; exit 1; }; \
	done
	@fresh="$$(mktemp -d)"; trap 'rm -rf "$$fresh"' EXIT; \
	$(GENERATE) "$$fresh/ingest" >/dev/null; \
	diff -ru --exclude __pycache__ $(CLIENT) "$$fresh/ingest" \
		|| { echo "$(CLIENT) is stale: run 'make client'"; exit 1; }
	@$(PY) -m perennial_client rules --into docs/howto/integrating-a-till.md --check

lock: $(READY) # uv.lock matches pyproject.toml
	@$(UV) lock --check --quiet || { echo "uv.lock is stale: run 'uv lock'"; exit 1; }

events: $(READY) ## write docs/events from shared/contracts
	@$(PY) -m shared.contracts.publish

openapi: $(READY) ## write docs/openapi from the services' routes
	@mkdir -p docs/openapi
	@for service in $(SERVICES); do \
		$(PY) -m services.$$service openapi > docs/openapi/$$service.json.new; \
		mv docs/openapi/$$service.json.new docs/openapi/$$service.json; \
	done
	@$(MAKE) client

client: $(READY) ## write the typed Python client from docs/openapi/ingest.json
	@rm -rf $(CLIENT)
	@$(GENERATE) $(CLIENT) >/dev/null

guide: $(READY) ## write the rules of the conformance kit into the integration guide
	@$(PY) -m perennial_client rules --into docs/howto/integrating-a-till.md

# --- what the targets above stand on ----------------------------------------------------------

NO_PYTHON := echo "Perennial needs Python 3.11 or newer, with venv: $(GET_PYTHON)"; exit 1

$(READY): pyproject.toml uv.lock | $(UV)
	@$(UV) python find --quiet '>=3.11' >/dev/null || { $(NO_PYTHON); }
	@$(UV) sync --frozen --compile-bytecode
	@touch $@

# What runs needs no tools of tests and checks, which are much of what there is to fetch.
$(RUNS): pyproject.toml uv.lock | $(UV)
	@$(UV) python find --quiet '>=3.11' >/dev/null || { $(NO_PYTHON); }
	@[ $(READY) -nt pyproject.toml -a $(READY) -nt uv.lock ] \
		|| $(UV) sync --frozen --compile-bytecode --inexact --no-default-groups --group local --group data
	@touch $@

# The first interpreter that runs and is new enough: a name on PATH may be a shim that leads nowhere.
.tools/uv/bin/uv:
	@for python in python3 python3.14 python3.13 python3.12 python3.11 none; do \
		$$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' \
			2>/dev/null && break; \
	done; \
	[ $$python != none ] || { $(NO_PYTHON); }; \
	echo "uv is not installed; fetching a private copy into .tools/uv"; \
	$$python -m venv .tools/uv; \
	.tools/uv/bin/pip install --quiet --disable-pip-version-check 'uv>=0.9,<1'

# What runs, and Kafka's jars meanwhile: on a new machine each waits for a network of its own.
.PHONY: fetch jars
fetch: java | $(UV)
	@$(MAKE) -j 2 $(RUNS) jars

jars: | $(UV)
ifndef KAFKA_BOOTSTRAP_SERVERS
	@python="$$($(UV) python find --system '>=3.11')" || { $(NO_PYTHON); }; \
	PYTHONPATH=. "$$python" deploy/local/kafka/jars.py
endif

# Kafka runs on the machine's Java, its jars come by Maven; neither is needed for a Kafka of yours.
.PHONY: java
java:
ifndef KAFKA_BOOTSTRAP_SERVERS
	@release=$$($(JAVA) -version 2>&1 | sed -nE '1s/.*"(1\.)?([0-9]+).*/\2/p' || true); \
	[ "$${release:-0}" -ge 17 ] \
		|| { echo "Perennial's local Kafka needs Java 17 or newer: $(GET_JAVA)"; exit 1; }
ifndef KAFKA_HOME
	@command -v mvn >/dev/null \
		|| { echo "Perennial's local Kafka is fetched by Maven: $(GET_MAVEN)"; exit 1; }
endif
endif
