# What there is to do, and how. `make` alone prints it.
# Nothing but Python 3.11+ and make is needed: .venv is made at the first use and kept up to date after it.

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
CANDIDATES := python3 python3.13 python3.12 python3.11 python
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in $(CANDIDATES); do $$p -c '$(NEW_ENOUGH)' >/dev/null 2>&1 && echo $$p && break; done)
PORT ?= 8000
# Passed on to jupyter-book, pytest and JupyterLab, e.g. BOOK="-W --keep-going", TESTS="tests/test_layer.py -x".
BOOK :=
TESTS := -n 3 --dist loadgroup
LAB :=
# The compiler reads the JSDoc types of the pages' scripts; it is the only thing here that needs Node.
TYPES := npx --yes --package typescript@5.9.3 tsc --project jsconfig.json

.DEFAULT_GOAL := help
.PHONY: help book test lab serve bench check format clean distclean

help:
	@echo "make book     build the book into _build/html"
	@echo "make test     build the book, then run every test (brings a browser if there is none)"
	@echo "make lab      open the chapters in JupyterLab"
	@echo "make serve    serve the built book on http://localhost:$(PORT)  (PORT=...)"
	@echo "make bench    measure the book and the package"
	@echo "make check    look for faults of style and type in Python, JavaScript and CSS; make format mends what it can"
	@echo "make clean    remove what was built; make distclean removes .venv too"

$(INSTALLED): requirements.txt pyproject.toml gru/walk.c
	@test -n "$(PYTHON)" || { echo "This needs Python 3.11 or newer, and none of these is one: $(CANDIDATES)."; \
	  echo "Install it (python.org), or name it: make PYTHON=/path/to/python book"; exit 1; }
	@$(PYTHON) -c '$(NEW_ENOUGH)' || { echo "$(PYTHON) is too old: this needs Python 3.11 or newer."; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { \
	  $(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	    echo "$(PYTHON) cannot make virtual environments. On Debian and Ubuntu: sudo apt install python3-venv"; exit 1; }; \
	  echo "Making $(VENV) with $$($(PYTHON) --version) ..."; $(PYTHON) -m venv --clear $(VENV); }
	@echo "Installing requirements.txt into $(VENV) (torch is large: the first time takes a few minutes) ..."
	@rm -f gru/_compiled*.so # otherwise one that no longer builds would stay
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@echo "The walk of gru: $$($(BIN)/python -c 'import gru; print(gru.bptt.engine())')"
	@touch $@

book: $(INSTALLED)
	$(BIN)/python scripts/build_book.py --quiet . $(BOOK)
	@echo "The book: _build/html/index.html"

# Three test processes with one thread each: two cores are busy, though one of them waits for a frame or the disk.
test: book
	@echo "Browser for the page tests: $$($(BIN)/python tests/browsers.py)"
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(TESTS)

lab: $(INSTALLED)
	$(BIN)/jupyter lab --LabApp.app_settings_dir=jupyterlab --LabApp.default_url=/lab/tree/book/index.md $(LAB)

serve: $(INSTALLED)
	@test -f _build/html/index.html || { echo "Nothing to serve yet: run make book first."; exit 1; }
	@$(BIN)/python -c 'import socket; socket.create_server(("127.0.0.1", $(PORT))).close()' 2>/dev/null || { \
	  echo "Port $(PORT) is in use. Choose another one: make serve PORT=8080"; exit 1; }
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory _build/html $(PORT)

bench: $(INSTALLED)
	@set -e; for file in benchmarks/bench_*.py; do echo "== $$file"; $(BIN)/python $$file; done

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/biome ci --error-on-warnings .
	@if command -v npx >/dev/null; then echo "$(TYPES)"; $(TYPES); else echo "Types of the JavaScript: not checked, for want of Node."; fi

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/biome check --write .
	$(BIN)/python scripts/save_pages.py

clean:
	rm -rf _build

distclean: clean
	rm -rf $(VENV) build gru/_compiled*.so *.egg-info .pytest_cache .ruff_cache .hypothesis
