# make demo    set up, build the default site, check it in a browser, serve it on http://localhost:5173
# make test    set up and run every test
# make setup   the virtual environment, the browser packages, a browser; leaves .venv/bin/webgpu-kit
# make lint    ruff, mypy, tsc
# make bench   measure, side by side with others
# make schemas write the JSON Schemas of recipe, manifest and reports to schemas/
# make lock    write the installed versions to requirements.lock
# make clean   remove what was made here

PYTHON3 ?= python3
TORCH ?= torch==2.13.0
BIN = .venv/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check
NPM = npm --prefix site_templates
# A stamp each: what is newer than its stamp is done again, the rest is not.
PACKAGES = site_templates/node_modules/.package-lock.json
INSTALLED = .venv/.installed
BROWSER = .venv/.browser

.PHONY: setup demo test lint bench schemas lock clean

setup: $(INSTALLED) $(PACKAGES) $(BROWSER)
	@$(BIN)/python -m webgpu_kit.vendor

demo: setup
	$(BIN)/webgpu-kit build digits --out site
	$(BIN)/webgpu-kit check site
	$(BIN)/webgpu-kit serve site --port 5173

test: setup
	$(NPM) test
	$(BIN)/python -m pytest

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict
	$(NPM) run lint

bench: setup
	$(BIN)/python -m benchmarks

.venv/bin/python:
	@$(PYTHON3) -c 'import sys; sys.version_info >= (3, 10) or sys.exit("Python 3.10 or newer is needed, this is " + sys.version.split()[0] + ". Fix: make PYTHON3=python3.12")'
	$(PYTHON3) -m venv .venv
	$(PIP) install --quiet --upgrade 'pip>=25.1'

# Linux's usual torch brings CUDA with it, gigabytes that nothing here uses: where an index has the CPU build, that.
$(INSTALLED): pyproject.toml requirements.lock hatch_build.py $(PACKAGES) | .venv/bin/python
	if [ "$$(uname -s)" = Linux ]; then $(PIP) install -c requirements.lock $(TORCH)+cpu || $(PIP) install -c requirements.lock $(TORCH); fi
	$(PIP) install -c requirements.lock -e '.[export,index]' --group dev
	@touch $@

$(PACKAGES): site_templates/package.json site_templates/package-lock.json
	@command -v npm >/dev/null || { echo 'npm is needed. Fix: install Node.js 20 or newer, it brings npm' >&2; exit 1; }
	$(NPM) ci --ignore-scripts
	@touch $@

$(BROWSER): $(INSTALLED)
	@if $(BIN)/python -c 'from webgpu_kit.browser import find_browser; print("browser:", find_browser(None).title)'; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then apt-get update && apt-get install -y --no-install-recommends chromium; \
	else $(BIN)/python -m playwright install chromium; fi
	@touch $@

schemas: $(INSTALLED)
	$(BIN)/python .ci/write_schemas.py schemas

lock: $(INSTALLED)
	$(BIN)/python .ci/write_lock.py > requirements.lock

clean:
	rm -rf .venv site report build dist site_templates/node_modules site_templates/runtime
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
