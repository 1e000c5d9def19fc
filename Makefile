# Everything runs in .venv, which is made on first use from the pinned and hashed requirements.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test fuzz check bench clean

demo: $(READY) ## Run the main job on a simulated household.
	@$(BIN)/tessie demo

# Tests start many processes: without bytecode that is kept, each compiles everything anew.
test fuzz: export PYTHONDONTWRITEBYTECODE :=
test: $(READY) ## Run the tests.
	@$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder $(ARGS)

fuzz: $(READY) ## Try what holds of any input on new inputs, again and again until something fails.
	@while $(BIN)/python -m pytest -n 4 -m hypothesis --hypothesis-profile=new; do :; done; exit 1

check: $(READY) ## Lint, type-check, and hold the layers.
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(READY) ## Measure; ONLY=name measures one figure.
	@$(BIN)/python -m bench --only "$(ONLY)"

clean: ## Remove the environment; data in TESSIE_HOME stay.
	rm -rf $(VENV)

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed: make PYTHON=python3.12"; exit 1; }
	@echo "Installing into $(VENV) …"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)
