# `make` lists what there is. Needs: Debian 12 or later (as root for the sandbox), git, make, Python >= 3.11.

PYTHON    ?= python3
INVENTORY ?= inventory/sandbox.py
BIN       := .venv/bin
SOURCES   := agent fleet tests benchmarks inventory group_data deploy.py config.py

.DEFAULT_GOAL := help
.PHONY: help setup check format test slow e2e e2e-more demo demo-real demo-down bench validate plan deploy lock docs

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: .venv/bin/stoker  ## make .venv from the hash-pinned lock

.venv/.stamp: requirements/dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "stoker needs Python >= 3.11; name one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
		{ echo "installing python3-venv"; apt-get update -q && apt-get install -qy python3-venv; }
	@echo "setting up .venv (about a minute)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@touch $@

.venv/bin/stoker: .venv/.stamp
	@printf '#!/bin/sh\nPYTHONPATH=%s exec %s/.venv/bin/python -m fleet.cli "$$@"\n' \
		"$(CURDIR)" "$(CURDIR)" >$@
	@chmod +x $@

check: setup  ## format, lint, strict types, unit tests; under a minute
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/python -m tests.sandbox.tools gcc haproxy dbus-daemon
	$(BIN)/pytest -m "not e2e and not slow" -n auto

format: setup  ## let ruff put the sources in shape
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

test: check slow e2e  ## everything: check, slow tests, then end to end on its own sandbox fleet

slow: setup  ## unit tests that take their time: real processes, long walks
	$(BIN)/python -m tests.sandbox.tools gcc haproxy dbus-daemon etcd chromium promtool amtool
	$(BIN)/pytest -m slow -n auto

e2e: setup  ## the end-to-end tests alone
	$(BIN)/python -m tests.sandbox.tools gcc busybox debootstrap gpg ssh etcd
	$(BIN)/python -m tests.sandbox.dockerd
	$(BIN)/python -m tests.e2e --durations=25

e2e-more: setup  ## those of commands, drift, balancer, monitoring, scaling: long, and not yet part of `test`
	$(BIN)/python -m tests.sandbox.tools gcc busybox
	$(BIN)/python -m tests.sandbox.dockerd
	$(BIN)/pytest $(wildcard tests/e2e/test_[ijmno]_*.py) -m e2e

demo: setup  ## two hosts come up, are deployed, and answer; prints where to look
	$(BIN)/python -m tests.sandbox.demo

demo-real: setup  ## the same with a real engine (vLLM on the CPU) and a real small model
	$(BIN)/python -m tests.sandbox.demo --real

demo-down: setup  ## remove all that the demos made
	$(BIN)/python -m tests.sandbox down --purge

bench: setup  ## measure the agent, twelve minutes; prints the table of docs/benchmarks.md (as root)
	$(BIN)/python -m tests.sandbox.tools gcc busybox dbus-daemon nginx
	$(BIN)/python -m tests.sandbox.dockerd
	$(BIN)/python -m benchmarks.all

validate: setup  ## check every host's configuration, without connecting (INVENTORY=…)
	$(BIN)/python -m fleet.validate $(INVENTORY)

plan: validate  ## what a deploy would change; ends with 2 if anything (INVENTORY=…)
	$(BIN)/python -m fleet.cli plan $(INVENTORY)

deploy: validate  ## converge every host of the inventory (INVENTORY=…)
	$(BIN)/pyinfra $(INVENTORY) deploy.py -y

docs: setup  ## the documentation as a site, in site/; strict
	$(BIN)/python -m fleet.reference
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

lock: setup  ## resolve the dependencies again, with hashes (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--no-annotate pyproject.toml --group node -o requirements/node.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--no-annotate pyproject.toml --group dev -o requirements/dev.lock
