# make report | test | lab | bench | lint: each first sets up what it needs (.venv/), then runs.
# Needs only Python 3.11 or newer and make. To use another Python: make PYTHON=python3.13 …

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
NODE := .venv/node

# Parts of `make long`, each of at most nine minutes on two quiet cores.
LONG := long-environments long-replayed long-sql long-user-files long-examples long-not-understood long-situations long-situations-mutants long-explained-1 long-explained-2 long-explained-3 long-explained-4 long-causes long-compared long-compared-mutants-1 long-compared-mutants-2 long-exported long-goals long-kept-order long-covered long-counterfactuals long-application long-reaching-1 long-reaching-2 long-audit long-policies-1 long-policies-2 long-policies-3 long-policies-4

.PHONY: help report docs test static long $(LONG) busy lab bench lint lock notebooks screenshots set-up set-up-js clean

help:
	@echo "make report   run every notebook on the sample data and write site/index.html"
	@echo "make docs     build the documentation: site-docs/index.html"
	@echo "make test     run all tests: unit, property, policies, notebooks"
	@echo "make long     run the tests that take minutes, in parts: $(LONG)"
	@echo "make busy     notebook, browser and PDP tests on a busy machine; TESTS=… for others"
	@echo "make lab      open JupyterLab at the tour"
	@echo "make bench    measure, compare in one run, write benchmarks/"
	@echo "make lint     run ruff, mypy and the import contract; biome and tsc for js/"
	@echo "make static   bundle js/ into the package, after a change to it"

set-up:
	@test -n "$(PYTHON)" || { echo "set-up: needs Python 3.11 or newer; none was found on PATH" >&2; exit 1; }
	@$(PYTHON) setup/install.py

# Also sets up the tools for js/: bundler, type checker, linter, and Node to run its tests.
set-up-js: set-up
	@$(PYTHON) setup/install.py --js

report: set-up
	@$(BIN)/clerk-cerbos-lab report

docs: set-up
	@$(BIN)/python setup/write_cli_reference.py
	@$(BIN)/python setup/build_docs.py

# One test file per core at a time, so that fixtures shared within a file are made once; the longest first.
test: set-up-js
	@$(BIN)/python setup/install.py --older
	@$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

static: set-up-js
	@$(BIN)/python setup/pack_static.py

long: $(LONG)

# The wheel in fresh environments, without and with each extra.
long-environments: set-up
	@$(BIN)/python -m pytest -m long tests/project/test_environments.py

# 1,000 policies in which everything can reach everything, compared with every cell; the parts use different policies.
$(filter long-reaching-%,$(LONG)): long-reaching-%: set-up
	@LAB_REACHING=$$((($* - 1) * 125)):$$(($* * 125)) $(BIN)/python -m pytest tests/sweeps/test_reaching.py -k every_cell

# 800 generated policies in which some conditions are not understood, compared with every cell.
long-not-understood: set-up
	@LAB_NOT_UNDERSTOOD=0:80 $(BIN)/python -m pytest tests/sweeps/test_not_understood.py -k generated

# 600 generated policies about attributes that are only compared, against every cell at every number.
long-situations: set-up
	@LAB_SITUATIONS=0:600 $(BIN)/python -m pytest tests/sweeps/test_situations_generated.py

# The same, with the argument broken on purpose in each of several ways.
long-situations-mutants: set-up
	@$(BIN)/python -m pytest -m long tests/sweeps/test_situations_generated.py

# Replays of 600 generated policies, each compared with every pair of a person and a record.
long-replayed: set-up
	@LAB_REPLAYED=0:600 $(BIN)/python -m pytest tests/insights/test_replay_generated.py

# Replays in a PostgreSQL of our own (apt-get install postgresql): 10,000,000 records.
long-sql: set-up
	@$(BIN)/python -m pytest -s -m long tests/insights/test_replay_sql.py

# Files of users of 50 MB, of every provider, in at most 300 MB of memory.
long-user-files: set-up
	@$(BIN)/python -m pytest -m long tests/identity/test_large_user_files.py

# Eight cells of each of 1,000 generated policies explained, every cause put right in a copy of the policies and asked.
$(filter long-explained-%,$(LONG)): long-explained-%: set-up
	@LAB_EXPLAINED=$$((($* - 1) * 250)):$$(($* * 250)) $(BIN)/python -m pytest tests/insights/test_why_oracle.py -k every_cell

# The changes between 150 pairs of generated policies, against every cell of both.
long-compared: set-up
	@LAB_COMPARED=500:650 $(BIN)/python -m pytest tests/insights/test_compare.py -k generated

# Policies after each of some 440 single edits compared with the originals, against every cell of both; in two halves.
$(filter long-compared-mutants-%,$(LONG)): long-compared-mutants-%: set-up
	@LAB_COMPARED_MUTANTS=1 LAB_COMPARED_PARTS=$$((($* - 1) * 10)):$$(($* * 10)) $(BIN)/python -m pytest -s tests/insights/test_compare_mutants.py

# The causes of the denied cells of 60 generated policies, each asked alone, and of more of the sample.
long-causes: set-up
	@LAB_CAUSES=0:60 $(BIN)/python -m pytest tests/insights/test_causes.py

# The suite of a sweep of the sample, run on every single edit of its policies that changes anything.
long-exported: set-up
	@LAB_EXPORTED_MUTANTS=1 $(BIN)/python -m pytest -s tests/insights/test_exported_mutants.py

# Ten times the examples of conditions with outcomes, and 60 policies of which each atom that is named is changed.
long-examples: set-up
	@LAB_EXAMPLES=400 $(BIN)/python -m pytest tests/sweeps/test_outcomes.py -k generated
	@LAB_CHANGED=0:60 $(BIN)/python -m pytest tests/insights/test_why_oracle.py -k closest_rule

# The values of limits that reach goals, against every cent of the range that is searched.
long-goals: set-up
	@LAB_GOALS=1 $(BIN)/python -m pytest tests/insights/test_goals.py

# Moves of limits that are read from other answers: 480 generated policies, against every cell at every number.
long-kept-order: set-up
	@LAB_KEPT_ORDER=0:480 $(BIN)/python -m pytest tests/insights/test_kept_order.py

# Counts of coverage of 60 generated policies and of more of the sample, against every cell.
long-covered: set-up
	@LAB_COVERED=0:60 $(BIN)/python -m pytest tests/insights/test_coverage.py -k "generated or sample"

# Changes that turn a decision around in 60 generated policies, each part asked, and in 30 found by an exhaustive search;
# gaps of 100, person by person.
long-counterfactuals: set-up
	@LAB_COUNTERFACTUALS_GENERATED=0:60 LAB_GAPS=0:100 $(BIN)/python -m pytest tests/insights/test_counterfactuals_generated.py tests/insights/test_gaps.py
	@LAB_COUNTERFACTUALS=0:30 $(BIN)/python -m pytest tests/insights/test_counterfactuals.py -k exhaustive

# Generated code with the SDKs of identity providers, and the Next.js starter: types, lint, `next build`.
long-application: set-up-js
	@$(PYTHON) setup/install.py --nextjs
	@$(BIN)/python -m pytest -m long tests/insights/test_app_code_typed.py tests/cli/test_new.py

# The default audit, with the analysis broken on purpose in fourteen ways.
long-audit: set-up
	@LAB_REACHING=0:12 $(BIN)/python -m pytest -m long tests/sweeps/test_reaching.py

# 500 generated policies swept by both methods; the four parts use different policies.
$(filter long-policies-%,$(LONG)): long-policies-%: set-up
	@LAB_POLICIES=$$((($* - 1) * 500)):$$(($* * 500)) $(BIN)/python -m pytest tests/sweeps/test_auto.py -k generated

# Tests that once depended on speed, next to eight busy processes. Each of these is started with setsid,
# so that the scheduler gives each its own share of the machine.
busy: set-up-js
	@for i in 1 2 3 4 5 6 7 8; do setsid timeout 1500 sh -c 'while :; do :; done' & pids="$$pids $$!"; done; \
	trap 'kill $$pids' EXIT; \
	$(BIN)/python -m pytest $(or $(TESTS),notebooks tests/report/test_notebooks.py tests/pdp/test_pdp_life.py tests/*/test_browser_*.py)

lab: set-up
	@$(BIN)/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) notebooks/00_tour.ipynb

bench: set-up
	@$(BIN)/python benchmarks/run.py
	@$(BIN)/python benchmarks/sweeps.py
	@$(BIN)/python benchmarks/replay.py
	@$(BIN)/python benchmarks/browser.py
	@$(BIN)/python benchmarks/explorer.py
	@$(BIN)/python benchmarks/why.py

lint: set-up-js
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@cd js && ../$(NODE) node_modules/@biomejs/biome/bin/biome check --error-on-warnings .
	@cd js && ../$(NODE) node_modules/typescript/bin/tsc --project .
	@cd js && ../$(NODE) node_modules/typescript/bin/tsc --project test

# Run the notebooks and keep their outputs, after a change to what they show.
notebooks: set-up
	@$(BIN)/python setup/run_notebooks.py

lock:
	@setup/lock

clean:
	rm -rf .venv js/node_modules site site-docs .pytest_cache .mypy_cache .ruff_cache

# Retake the pictures in README; needs Chromium.
screenshots: set-up
	@$(BIN)/python setup/screenshots.py
