# All that is needed on a machine: make and Python 3.11 to 3.13. `make` alone lists the targets.
SHELL := /bin/sh
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?=
PYTEST_ARGS ?=
DEMO_ARGS ?=
CRASH_ARGS ?=
BENCH_ALARMS_ARGS ?=
export PYTHON

VENV := .venv
RUN := $(VENV)/bin/python
INSTALLED := $(VENV)/installed
WITH_KAFKA := $(if $(KAFKA_BOOTSTRAP_SERVERS),,$(RUN) tools/real_kafka.py run --)

.PHONY: help install demo test lint types kafka crash bench bench-alarms golden docs clean

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

install: $(INSTALLED)  ## Make .venv with all that demo, test and the command line need

$(INSTALLED): pyproject.toml tools/install
	@tools/install $(VENV)
	@touch $(INSTALLED)

demo: $(INSTALLED)  ## See it work on real flights: no Docker, about 3 minutes (DEMO_ARGS="--help")
	@$(RUN) -m stream demo $(DEMO_ARGS)

test: $(INSTALLED)  ## Unit tests, simulation, doctests, and the service on the embedded broker
	@$(RUN) -m pytest -m "not kafka" -n auto --maxprocesses 4 $(PYTEST_ARGS)

lint: $(INSTALLED)  ## Rules and formatting of the code (ruff)
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check --quiet . || { $(RUN) -m ruff format --diff --quiet .; exit 1; }

types: $(INSTALLED)  ## Types of the code and of the tests (mypy --strict)
	@$(RUN) -m mypy

kafka: $(INSTALLED)  ## All tests that need a broker, on Apache Kafka (needs Java 17 and Maven)
	@$(WITH_KAFKA) $(RUN) -m pytest -m "kafka or embedded" $(PYTEST_ARGS)

crash: $(INSTALLED)  ## Kill workers at random on a real Kafka; every sum must stay exact
	@$(RUN) -m tests.crash $(CRASH_ARGS)

bench: $(INSTALLED)  ## Ratios against something measured in the same run
	@for bench in $(filter-out %/bench_alarms.py,$(wildcard benchmarks/bench_*.py)); do echo "== $$bench"; $(RUN) "$$bench" || exit; done

bench-alarms: $(INSTALLED)  ## False alarms on healthy traffic, about 10 minutes (BENCH_ALARMS_ARGS="--months 12")
	@$(RUN) benchmarks/bench_alarms.py $(BENCH_ALARMS_ARGS)

golden: $(INSTALLED)  ## Make the generated files again (schemas); explain a changed one in CHANGELOG.md
	@$(RUN) -m stream.config.schema > schemas/config.schema.json
	@$(RUN) -m stream.service.metrics  # the table for README.md

docs: $(INSTALLED)  ## Check the documents: links lead somewhere, examples hold
	@$(RUN) -m pytest -q tests/test_docs.py $(PYTEST_ARGS)

clean:  ## Remove what make made
	@rm -rf $(VENV) build .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
