# The commands of this project; `make` alone lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Files of tests are shared out among the cores; more than a few at a time would only start more servers.
PYTEST := $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile
# Start-up time counts: modules are compiled whatever the caller's environment says.
unexport PYTHONDONTWRITEBYTECODE

SITE ?= site

.PHONY: help setup demo demo-solar docs figures servers test test-fast golden check wheel bench bench-long bench-quality bench-faults format lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## make the virtual environment, with locked dependencies

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -q src
	touch $@

demo: setup ## scan a real wind farm, from raw data to a report
	sh examples/wind/demo.sh $(BIN)

demo-solar: setup ## scan a made-up solar fleet with known faults
	sh examples/solar/demo.sh $(BIN)

servers: ## install the servers that tests start, where they are missing
	sh scripts/install-servers.sh $(BIN)

test: setup servers ## run all tests
	$(PYTEST)

test-fast: setup ## run the tests that are quick and start no servers
	$(PYTEST) -q -m "not servers and not slow"

golden: setup ## renew the golden files; read the difference before you commit it
	UPDATE_GOLDEN=1 $(BIN)/python -m pytest -q tests/reports
	ANOMSCAN=$(CURDIR)/$(BIN)/anomscan sh examples/ci/smoke.sh --update

check: setup ## lint, types, import contracts, doctests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q --doctest-modules src

docs: setup ## build the site of the documentation into site/, without a network
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet --site-dir $(SITE)
	@echo "the site is in $(SITE)/index.html"

figures: setup servers ## draw the pictures of the documentation
	$(BIN)/python scripts/figures/four_sigma.py docs/images
	sh examples/solar/demo.sh $(BIN)
	$(BIN)/python scripts/figures/report.py demo/solar/report/index.html docs/images/report.png

wheel: setup ## build wheels with their compiled kernels into dist, for Linux and macOS
	$(BIN)/uv pip install --quiet --python $(BIN)/python --group wheel
	$(BIN)/python build_kernel.py

bench: setup ## measure speeds as ratios, side by side
	$(BIN)/python -m benchmarks

bench-long: setup ## measure a fleet of 100,000 assets
	$(BIN)/python -m benchmarks.large
	$(BIN)/python -m benchmarks.large --recorded

bench-quality: setup ## measure detection on labelled series, where there are some
	$(BIN)/python -m benchmarks.quality

bench-faults: setup ## measure what is found in fleets with known faults, where there are some
	$(BIN)/python -m benchmarks.faults

format: setup ## put the code into its format
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

lock: setup ## renew requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
		--no-header --upgrade --extra aws --extra azure --extra charts --extra excel --extra fast --extra notify --extra ray --group dev pyproject.toml -o requirements.lock

clean: ## remove what the targets made
	rm -rf $(VENV) .venv-mvad demo site build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

MVAD := services/mvad
MVAD_BIN := .venv-mvad/bin
MVAD_PYTHON ?= python3.11
MVAD_TORCH ?= torch==2.13.0
MVAD_DATA ?= $(MVAD)/data

.PHONY: mvad test-mvad

mvad: .venv-mvad/.ready ## serve Azure's multivariate API here; port 5000
	$(MVAD_BIN)/anomscan-mvad serve --port 5000 --data $(MVAD_DATA) --allow-path . $(MVAD_ARGS)

test-mvad: .venv-mvad/.ready setup ## lint, types and tests of that server
	sh scripts/install-servers.sh $(BIN) $(MVAD)/tests/javascript
	cd $(MVAD) && ../../$(MVAD_BIN)/ruff check . && ../../$(MVAD_BIN)/ruff format --check . && ../../$(MVAD_BIN)/mypy
	cd $(MVAD) && ANOMSCAN_AZURITE=$(CURDIR)/tests/servers/azurite ANOMSCAN_NODE=$(CURDIR)/$(BIN)/node ../../$(MVAD_BIN)/python -m pytest $(MVAD_TESTS)

.venv-mvad/.ready: $(MVAD)/requirements.lock $(MVAD)/pyproject.toml
	$(MVAD_PYTHON) -m venv .venv-mvad
	echo '*' > .venv-mvad/.gitignore
	$(MVAD_BIN)/python -m pip install --quiet --disable-pip-version-check $(MVAD_TORCH)
	$(MVAD_BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r $(MVAD)/requirements.lock
	$(MVAD_BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e $(MVAD)
	touch $@
