PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The tests that start no server and no process that goes on: those of `make check` and of .ci/sdist.
PURE := tests/test_house.py tests/cases/test_cases.py tests/core tests/calendar tests/planning tests/lint tests/files tests/git tests/schemas tests/render tests/review tests/importers tests/soak

.PHONY: help demo check pure test coverage lint format benchmark soak pictures build clean

help:  ## Say what there is
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## /\1\t/' | expand -t 12

demo: $(VENV)/demo.stamp  ## Show the main job, with a real Beat and worker on embedded parts
	@$(BIN)/python examples/shop/demo.py

check: $(VENV)/dev.stamp  ## Run the linters and the tests that need no server, in less than a minute
	@$(MAKE) --no-print-directory --jobs=2 $(if $(filter output-sync,$(.FEATURES)),--output-sync=line) lint pure

pure: $(VENV)/dev.stamp  ## Run the tests that need no server
	@$(BIN)/python -m pytest -q $(PURE)

test: $(VENV)/dev.stamp  ## Run the tests on all servers that this machine can have
	@$(BIN)/python -m tests.servers $(ARGS)

coverage: $(VENV)/dev.stamp  ## Run the tests one after the other, and say which lines none of them reaches
	@$(BIN)/python -m tests.servers --cov --cov-report=term tests

lint: $(VENV)/dev.stamp  ## Check style, types, layers and schemas
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/check-jsonschema --check-metaschema schemas/*.json
	$(BIN)/check-jsonschema --schemafile schemas/schedules.v1.schema.json $$(find schedules -name '*.yaml')
	$(BIN)/python -m schedsync fmt --check
	$(BIN)/check-jsonschema --schemafile schemas/config.v1.schema.json schedsync.toml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-actions .github/actions/*/action.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-forms $$(ls .github/ISSUE_TEMPLATE/*.yml | grep -v config.yml)
	$(BIN)/check-jsonschema --builtin-schema vendor.gitlab-ci examples/gitlab/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec examples/deploy/compose.yaml
	$(BIN)/zizmor --offline --quiet .
	@if command -v actionlint >/dev/null; then actionlint; fi

format: $(VENV)/dev.stamp  ## Put the code into its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# SIZES="200 1000" measures these numbers of schedules; LARGE=1 also measures Beat with a million; QUICK=1 shortens Beat's part.
benchmark: $(VENV)/dev.stamp  ## Measure the speeds of docs/benchmarks.md, and write it; ONLY=beat or ONLY=large for one part
	@LARGE=$(LARGE) QUICK=$(QUICK) $(BIN)/python -m tests.benchmarks $(ONLY) $(SIZES)

soak: $(VENV)/dev.stamp  ## Run agents, Beats and workers for MINUTES=10 minutes, kill them at random, and check that nothing is lost
	@$(BIN)/python -m tests.soak --minutes $(or $(MINUTES),10) $(if $(SEED),--seed $(SEED))

pictures: $(VENV)/dev.stamp  ## Draw the pictures of terminals in the documentation from what the commands print today
	@$(BIN)/python -m tests.pictures

build: $(VENV)/dev.stamp  ## Build the wheel and the source distribution
	$(BIN)/python -m build

clean:  ## Remove what was made
	rm -rf $(VENV) .demo build dist .mypy_cache .pytest_cache .ruff_cache .coverage*

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/demo.stamp: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/dev.stamp: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable . --group dev
	@touch $@ $(VENV)/demo.stamp
