# `make help` lists the targets. Everything runs in .venv, which `install` makes; nothing is done twice.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
INSTALLED := .venv/.installed
# Passed on to the command behind a target: make figures ARGS=--check
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help install demo test coverage mutants check format figures notebooks docs lab bench results paper clean
# Folder of the data files that the study `paper` reads; data/README.md says what they are and where they come from.
DATA ?=

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(INSTALLED) ## make .venv with the exact versions of constraints.txt

# The stamp is written last: an installation that broke off is taken up again, a finished one costs nothing.
$(INSTALLED): pyproject.toml constraints.txt
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "spkit needs Python 3.11 or newer; found: $(PYTHON). Say which: make install PYTHON=/path/to/python3.11" >&2; exit 1; }
	@test -x $(BIN)/pip || "$(PYTHON)" -m venv --clear .venv
	@echo "Installing the versions of constraints.txt into .venv; this takes some minutes and about 3 GB of disk."
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt -e ".[all,docs,test,dev]"
	@$(BIN)/python -m pip check
	@touch $@

demo: install ## run the whole study on the bundled data (six to ten minutes on two cores)
	HF_HUB_OFFLINE=1 $(BIN)/spkit demo $(ARGS)

# Two processes of one thread each take half the time of one process of two; a file's tests share their fixtures.
test: install ## run the tests and the docstrings' examples
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile $(ARGS)

coverage: install ## measure which lines and branches of spkit the tests reach, and list the modules below 90 %
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile --cov --cov-report=json $(ARGS)
	$(BIN)/python -m tests.low_coverage

mutants: install ## put errors into a copy of the code, one at a time, and see that the tests notice
	$(BIN)/python -m tests.mutants -n 2 $(ARGS)

check: install ## lint, format, types, known vulnerabilities and licences; changes nothing
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright
	$(BIN)/python -m tests.audit

format: install ## fix what ruff can fix
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

figures: install ## draw the figures from data/results (ARGS=--check: only compare)
	$(BIN)/spkit figures $(ARGS)
	$(BIN)/spkit figures --results data/results/tour --output figures/tour $(ARGS)
	$(BIN)/spkit figures --results data/results/kinds --output figures/kinds $(ARGS)
	$(BIN)/spkit figures --results data/results/span --output figures/span $(ARGS)

notebooks: install ## run every notebook on the demo's results; copies with outputs go to runs/notebooks
	HF_HUB_OFFLINE=1 $(BIN)/python -m tests.notebooks $(ARGS)

docs: install ## build the documentation site into site/; fetches nothing
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict $(ARGS)

lab: install ## open the notebooks in JupyterLab
	$(BIN)/jupyter lab notebooks $(ARGS)

bench: install ## measure speed and memory
	$(BIN)/python -m tests.bench $(ARGS)

results: install ## run the demo with three seeds; publish its tables (data/), figures and pages
	HF_HUB_OFFLINE=1 $(BIN)/spkit study demo --seeds 0,1,2 --output runs/results --publish data/results/demo
	$(BIN)/spkit figures
	$(BIN)/python -m tests.results_pages

# Each line goes on where it was stopped, and costs nothing once it is finished. The second base has the comparison, both
# pipelines and the grids, with one seed.
paper: install ## replicate the paper from both bases, DATA=folder; draw its figures and their page (hours; resumable)
	@test -n "$(DATA)" || { echo "The data is in a folder of yours: make paper DATA=/path/to/data" >&2; $(BIN)/spkit study paper --plan; exit 1; }
	HF_HUB_OFFLINE=1 $(BIN)/spkit study paper --data "$(DATA)" --output runs/paper/minilm-l3 \
		--publish data/results/paper/minilm-l3 $(ARGS)
	HF_HUB_OFFLINE=1 $(BIN)/spkit study paper --data "$(DATA)" --base minilm-l6 --seeds 0 --analyses sequential,grids \
		--output runs/paper/minilm-l6 --publish data/results/paper/minilm-l6 $(ARGS)
	$(BIN)/spkit figures --study paper

clean: ## remove .venv and what the checks leave behind; runs/ stays
	rm -rf .venv build dist site *.egg-info .pytest_cache .ruff_cache .hypothesis
