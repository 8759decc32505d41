# Two commands do everything on a fresh machine with Python >= 3.11: `make quickstart` and `make test`.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# else every command that a test starts compiles our sources once more
export PYTHONDONTWRITEBYTECODE :=

KERNEL_TESTS := $(addprefix tests/,agents calibrate data evaluate gym kernels learn markets rollout tape training)

.PHONY: quickstart test faults bounds cuda extras check lint types imports kernels bench screenshots docs clean help
.DEFAULT_GOAL := help

help:            ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(VENV)/run.stamp: requirements/run.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("mmrl needs Python >= 3.11, this is " + sys.version.split()[0] + "; try: make PYTHON=python3.11") if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/run.txt
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .  # it warns of all editable ones
	@touch $@

$(VENV)/test.stamp: $(VENV)/run.stamp requirements/test.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/test.txt
	@touch $@

quickstart: $(VENV)/run.stamp  ## install into .venv and train a first market maker
	$(BIN)/mmrl train --preset quickstart
	@printf '\nTo type mmrl alone: . $(BIN)/activate\nAll runs: $(BIN)/mmrl tui\n'

test: $(VENV)/test.stamp       ## run the tests
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal

faults: $(VENV)/test.stamp     ## every fault injected into runs, with a table of figures, and the tests too long for every run
	MMRL_FAULTS=complete $(BIN)/python -m pytest tests/faults tests/tui/test_keys.py tests/tui/test_actions.py \
	    tests/markets/order_flow/test_reference.py
	MMRL_FAULTS=complete $(BIN)/python -m pytest --numprocesses auto --dist worksteal -m nightly tests --ignore=tests/faults

bounds: $(VENV)/test.stamp     ## the tests of compiled code once more, every index checked (kernels check none: a write beyond an array crashes later)
	NUMBA_BOUNDSCHECK=1 XDG_CACHE_HOME=$(abspath $(VENV))/checked $(BIN)/python -m pytest --numprocesses auto --dist worksteal $(KERNEL_TESTS)

cuda: $(VENV)/test.stamp       ## every kernel compiled for CUDA, with registers and spills; with an NVIDIA GPU also played there
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[cuda]'
	MMRL_FAULTS=complete $(BIN)/python -m pytest tests/rollout/test_cuda.py tests/rollout/test_cuda_ptx.py \
	    tests/rollout/test_cuda_device.py tests/learn/test_cuda_pass.py tests/learn/test_cuda_pass_ptx.py \
	    tests/learn/test_cuda_device.py -rs

extras: $(VENV)/test.stamp     ## the tests of what few need: ONNX, stable-baselines3, tensorboard, the browser (with Chromium)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test-extras]'
	MMRL_FAULTS=complete $(BIN)/python -m pytest tests/gym tests/examples tests/commands/test_export.py tests/commands/test_export_policy.py \
	    tests/commands/test_serve.py tests/commands/test_browser.py tests/training/test_trackers.py -rs

check: lint types imports test ## everything that must be green

lint: $(VENV)/test.stamp       ## ruff: lint and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/test.stamp      ## mypy, strict, on all but the tests
	$(BIN)/mypy

imports: $(VENV)/test.stamp    ## the arrows between the packages
	$(BIN)/lint-imports

kernels: $(VENV)/run.stamp     ## compile the kernels of all markets, as the first runs and tests would
	for market in $$($(BIN)/python -c 'import mmrl; print(*mmrl.markets())'); do \
	    $(BIN)/mmrl train --market $$market -nt 10 -nb 4 -ne 1 --results $(VENV)/kernels --json > /dev/null || exit 1; done
	rm -r $(VENV)/kernels

bench: $(VENV)/run.stamp       ## speed of every engine on this machine
	$(BIN)/mmrl bench

screenshots: $(VENV)/run.stamp ## draw the pictures of docs/ from the shipped run
	PYTHONPATH=. $(BIN)/python docs/screenshots.py

$(VENV)/docs.stamp: $(VENV)/run.stamp pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	@touch $@

docs: $(VENV)/docs.stamp       ## the documentation as a site, in site/; not in CI
	$(BIN)/mkdocs build --strict

clean:           ## remove the environment and caches
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
