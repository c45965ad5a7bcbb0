# Sonic Vision Pro. `make run` starts everything; `make help` lists the rest.
SHELL := /bin/sh
PYTHON3 := $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
BOOTSTRAP := "$(or $(PYTHON3),python3)" sonicsite/bootstrap.py
PYTHON := .venv/bin/python

.PHONY: help run run-workers test lint bench fuzz-api bench-search bench-uploads environment dev-environment clean
.DEFAULT_GOAL := help

help:
	@echo "make run          start the product on http://127.0.0.1:8000/ (PORT=... to change)"
	@echo "make run-workers  start workers only, beside others on the same DATABASE_URL"
	@echo "make test         run all tests        make lint   check style, types, imports"
	@echo "make bench        time the analysis    make clean  remove caches (not your data)"
	@echo "make bench-search measure the search for similar tracks; ARGS='--rows 1000000 --folder DIR'"

environment:
	@$(BOOTSTRAP)

dev-environment:
	@$(BOOTSTRAP) --dev

run: environment
	@exec $(PYTHON) -m sonicsite.run --stop-with-parent

run-workers: environment
	@exec $(PYTHON) manage.py run_workers --show-progress

# Worker processes of the tests, each with a database of its own; WORKERS=0 runs them in one.
WORKERS ?= $(shell cores=$$(nproc); [ "$$cores" -lt 4 ] && echo "$$cores" || echo 4)

test: dev-environment
	@exec $(PYTHON) -m pytest -n $(WORKERS) --no-loadscope-reorder $(ARGS)

lint: dev-environment
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy .
	@$(PYTHON) -c 'import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())'

bench: environment
	@exec $(PYTHON) manage.py bench $(ARGS)

bench-search: environment
	@exec $(PYTHON) manage.py bench_search $(ARGS)

# Many tracks through the API, with connections cut and servers killed; ARGS=300 for fewer.
bench-uploads: dev-environment
	@exec $(PYTHON) -m tests.many_uploads $(ARGS)

# Many made-up calls to every address of the partners' interface: docs/api.md.
fuzz-api: dev-environment
	@API_FUZZ_EXAMPLES=$(or $(EXAMPLES),200) exec $(PYTHON) -m pytest tests/analysis/api/test_schema.py --timeout=7200 $(ARGS)

clean:
	@rm -rf .pytest_cache .ruff_cache .mypy_cache .import_linter_cache build
	@find . -path ./.venv -prune -o -path ./.data -prune -o -name __pycache__ -type d -exec rm -rf {} +
