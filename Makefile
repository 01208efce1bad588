# Needs only Python (>= 3.10) and make. Every target prepares what it needs in $(VENV); nothing is installed twice.
PYTHON ?= python3
VENV ?= .venv
PYTEST_ARGS ?=
GROUPS ?=
SAMPLE ?= 1

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install -q -c constraints.txt
MANIFEST := pyproject.toml constraints.txt
# First and by its pin, so that nothing that depends on PyTorch draws in another build.
TORCH := $(shell grep '^torch==' constraints.txt)

.DEFAULT_GOAL := help
.PHONY: help demo test page-test verify verify-all lint drill agents reproduce compatibility clean
.DELETE_ON_ERROR:

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-18s  %s\n", $$1, $$2 }'

demo: $(VENV)/.installed-demo ## Simulate the embedded Office 365 day; results in runs/demo
	@echo "==> sageserve simulate o365-day --policy reactive --out runs/demo"
	@$(BIN)/sageserve simulate o365-day --policy reactive --out runs/demo

test: $(VENV)/.installed-test ## Run the tests and doctests (PYTEST_ARGS="-k name" narrows them)
	@echo "==> pytest -n auto $(PYTEST_ARGS)"
	@$(BIN)/python -m pytest -n auto $(PYTEST_ARGS)

page-test: $(VENV)/.installed-test ## Test the leaderboard's pages in Chromium, which must be there (apt install chromium chromium-driver)
	@command -v chromium >/dev/null || { echo "chromium is not installed; apt install chromium"; exit 1; }
	@command -v chromedriver >/dev/null || { echo "chromedriver is not installed; apt install chromium-driver"; exit 1; }
	@echo "==> pytest tests/leaderboard/page"
	@$(BIN)/python -m pytest -n 0 tests/leaderboard/page $(PYTEST_ARGS)

verify: $(VENV)/.installed-test ## Check every entry of the leaderboard, and play SAMPLE episodes of each again
	@echo "==> sageserve leaderboard verify --sample $(SAMPLE) --workers 2"
	@$(BIN)/sageserve leaderboard verify --sample $(SAMPLE) --workers 2

verify-all: $(VENV)/.installed-test ## Play every episode of the leaderboard again: its tables must come of it
	@echo "==> sageserve leaderboard verify --check --workers 2"
	@$(BIN)/sageserve leaderboard verify --check --workers 2 --quiet

lint: $(VENV)/.installed-test ## Check style (ruff), format (ruff format) and types (mypy)
	@echo "==> ruff check"
	@$(BIN)/ruff check .
	@echo "==> ruff format --check"
	@$(BIN)/ruff format --check .
	@echo "==> mypy"
	@$(BIN)/mypy

drill: $(VENV)/.installed-test ## Kill, fill, damage and fork: nothing half-written, nothing hung (minutes)
	@echo "==> python -m tests.drill"
	@$(BIN)/python -m tests.drill

agents: $(VENV)/.installed-agents ## Install what training agents needs (Stable-Baselines3 and PyTorch)

reproduce: $(VENV)/.installed-reproduce ## Run the paper's experiments; report in runs/reproduction
	@echo "==> sageserve reproduce --out runs/reproduction"
	@$(BIN)/sageserve reproduce --out runs/reproduction

compatibility: ## Try other RL libraries, Pythons and Gymnasiums, each apart (GROUPS="rllib minari" narrows)
	@$(PYTHON) compatibility/run.py $(GROUPS)

clean: ## Remove the environment, caches, build outputs and runs
	@echo "==> removing $(VENV), .venv-compatibility, caches, build outputs and runs"
	@rm -rf $(VENV) .venv-compatibility build dist runs .pytest_cache .hypothesis .ruff_cache .mypy_cache *.egg-info
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

$(VENV)/.created:
	@echo "==> creating $(VENV) with $(PYTHON)"
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 10) else "sageserve-env needs Python >= 3.10; try make PYTHON=python3.11")'
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed-demo: $(VENV)/.created $(MANIFEST)
	@echo "==> installing sageserve-env[plots,data] into $(VENV)"
	@$(PIP) -e '.[plots,data]'
	@touch $@

$(VENV)/.installed-test: $(VENV)/.created $(MANIFEST)
	@echo "==> installing sageserve-env[test] into $(VENV)"
	@$(PIP) "$(TORCH)"
	@$(PIP) -e '.[test]'
	@touch $@

$(VENV)/.installed-agents: $(VENV)/.created $(MANIFEST)
	@echo "==> installing sageserve-env[agents] into $(VENV)"
	@$(PIP) "$(TORCH)"
	@$(PIP) -e '.[agents]'
	@touch $@

$(VENV)/.installed-reproduce: $(VENV)/.created $(MANIFEST)
	@echo "==> installing sageserve-env[plots,data,solver,forecast] into $(VENV)"
	@$(PIP) -e '.[plots,data,solver,forecast]'
	@touch $@
